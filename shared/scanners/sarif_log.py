"""The types of a SARIF log, as far as scan reports use them (OASIS SARIF 2.1.0 errata 01, sections 3.13 to 3.49)."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.scanners.json_body import NonEmptyName, WireStruct


class Text(WireStruct):
    """A message, plain and as Markdown."""

    text: str = ""
    markdown: str = ""


class Configuration(WireStruct):
    """The default configuration of a rule."""

    level: str | None = None


class Rule(WireStruct, rename="camel"):
    """What a result is of: for scanners, a vulnerability, often of one package."""

    id: str = ""
    name: str = ""
    short_description: Text | None = None
    full_description: Text | None = None
    default_configuration: Configuration | None = None
    help: Text | None = None
    properties: dict[str, Any] | None = None


class ArtifactLocation(WireStruct):
    """The address of a file."""

    uri: str = ""


class PhysicalLocation(WireStruct, rename="camel"):
    """A place in a file."""

    artifact_location: ArtifactLocation | None = None


class Location(WireStruct, rename="camel"):
    """Where a result is."""

    physical_location: PhysicalLocation | None = None


class Suppression(WireStruct):
    """Why a result is suppressed, and whether that was accepted."""

    kind: str = ""
    status: str | None = None
    justification: str = ""


class RuleReference(WireStruct):
    """A rule by its id, or by its position among the rules of the driver."""

    id: str = ""
    index: int | None = None


class Result(WireStruct, rename="camel"):
    """One result of a run."""

    rule_id: str = ""
    rule_index: int | None = None
    rule: RuleReference | None = None
    kind: str | None = None
    level: str | None = None
    message: Text | None = None
    locations: list[Location] | None = None
    suppressions: list[Suppression] | None = None
    properties: dict[str, Any] | None = None


class ToolComponent(WireStruct):
    """A part of a tool, with its rules."""

    rules: list[Rule] | None = None


class Driver(ToolComponent, rename="camel", kw_only=True):
    """The main part of a tool, which names the tool."""

    name: NonEmptyName
    version: str | None = None
    semantic_version: str | None = None


class Tool(WireStruct):
    """A tool with its extensions."""

    driver: Driver
    extensions: list[ToolComponent] | None = None


class Invocation(WireStruct, rename="camel"):
    """One execution of a tool: whether it succeeded, and when (UTC)."""

    execution_successful: bool | None = None
    start_time_utc: str | None = None
    end_time_utc: str | None = None


class Run(WireStruct):
    """One run of a tool, with its results still undecoded."""

    tool: Tool
    results: list[msgspec.Raw] | None = None
    invocations: list[Invocation] | None = None
    properties: dict[str, Any] | None = None


class Log(WireStruct):
    """A SARIF log."""

    version: str
    runs: list[Run] | None
