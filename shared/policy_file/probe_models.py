"""The parts of the ``boot`` section about the probe: severities, checks of the policy, and a baseline."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from shared.domain.boot_test.probe_checks import LINUX, WINDOWS
from shared.policy_file.fields import Duration, NonBlank, Pattern, between, relative_file, shown
from shared.policy_file.section import Section

MAX_OWN_CHECKS: Final = 20
MAX_TEXT: Final = 64 * 1024
"""Bytes of the commands and scripts of all checks of a definition."""


def _off(value: object) -> object:
    """YAML 1.1 reads ``off`` without quotation marks as false."""
    return "off" if value is False else value


Severity = Annotated[Literal["error", "warn", "off"], BeforeValidator(_off)]
_KNOWN: Final = {each.id: each for each in (*LINUX, *WINDOWS)}
_NO_ERE: Final = re.compile(r"(?<!\\)(?:\\\\)*(?:\\[A-Za-z0-9]|\(\?|[*+?}][?+])")
"""What ``grep -E`` reads in another way than RE2 and .NET: ``\\d`` and the like, groups with options, lazy repeats."""
_UNIT: Final = re.compile(r"[A-Za-z0-9:_.@*?\[\]\\-]{1,256}", re.ASCII)


def _line_pattern(value: str) -> str:
    if _NO_ERE.search(value):
        raise ValueError(
            f"{shown(value)} is not an extended regular expression: use bracket expressions such as [0-9] or "
            "[[:space:]] in place of \\d or \\s, and no (?…)"
        )
    if "\n" in value or "\r" in value:
        raise ValueError("the expression is compared with single lines, and cannot have a line break")
    return value


LinePattern = Annotated[Pattern, AfterValidator(_line_pattern)]


def _checks(value: dict[str, str]) -> dict[str, str]:
    for name, severity in value.items():
        check = _KNOWN.get(name)
        if check is None:
            raise ValueError(f"there is no check {name[:80]!r}: docs/probe-checks.md lists them")
        if check.proves_boot and severity != "error":
            raise ValueError(f"{name!r} proves that the machine booted, and must have the severity error")
    return value


Checks = Annotated[dict[str, Severity], AfterValidator(_checks)]


def _unit_pattern(value: str) -> str:
    if not _UNIT.fullmatch(value) or not value.strip("*?"):
        raise ValueError(f"{shown(value)} is not a pattern of a unit, such as cups*.service")
    return value


UnitPattern = Annotated[str, AfterValidator(_unit_pattern)]


def _path(value: str) -> str:
    if not re.fullmatch(r"(/|[A-Za-z]:\\)[^\x00-\x1f\x7f]{1,500}", value):
        raise ValueError(f"{shown(value)} is not an absolute path on the machine")
    return value


MachinePath = Annotated[str, AfterValidator(_path)]


def _command(value: str) -> str:
    if not value.strip() or "\x00" in value:
        raise ValueError("must be a command, without NUL characters")
    return value


def _mode(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"0?[0-7]{3,4}", value, re.ASCII):
        raise ValueError(f'{shown(value)} is not a file mode: use octal digits in quotation marks, such as "0640"')
    return value


class ExpectSection(Section):
    """What a command or a script must answer."""

    exit_code: int = Field(0, ge=0, le=255, description="Exit code")
    matches: LinePattern | None = Field(
        None,
        description="Extended regular expression for a line of its output. Only the first 4 KB of the output are read",
    )


class FileCheckSection(Section):
    """A file or directory on the machine."""

    path: MachinePath = Field(description="Absolute path")
    exists: bool = Field(True, description="Whether it must exist")
    mode: Annotated[str, BeforeValidator(_mode)] | None = Field(
        None, description='Mode in octal, such as `"0640"`. Linux only'
    )
    owner: NonBlank | None = Field(None, description="Name of the owner")
    matches: LinePattern | None = Field(None, description="Extended regular expression that a line must match")


class ServiceCheckSection(Section):
    """A unit of systemd, or a service of Windows."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9:_.@\\-]{0,255}$")] = Field(description="Name")
    running: bool | None = Field(None, description="Whether it must be running, or stopped. Left out: either")
    enabled: bool | None = Field(None, description="Whether it must start at boot, or not. Left out: either")

    @model_validator(mode="after")
    def _asks_something(self) -> ServiceCheckSection:
        if self.running is None and self.enabled is None:
            raise ValueError("set running, enabled or both")
        return self


class PortCheckSection(Section):
    """A port of the machine."""

    number: int = Field(ge=1, le=65535, description="Number")
    protocol: Literal["tcp", "udp"] = Field("tcp", description="Protocol")
    listening: bool = Field(True, description="Whether a service must listen there for other machines, or none")


class OwnCheckSection(Section):
    """A check of your own. Set exactly one of `command`, `script`, `file`, `service` and `port`."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][-a-z0-9]{0,31}$")] = Field(
        description="Name: up to 32 lowercase letters, digits and hyphens"
    )
    command: Annotated[str, AfterValidator(_command), Field(max_length=4000)] | None = Field(
        None, description="Command for `sh` (Linux) or PowerShell (Windows). It runs as root or SYSTEM, without input"
    )
    script: Annotated[str, relative_file("a script")] | None = Field(
        None,
        description="Path of a script in the policy's folder or below it. On Linux, its first line can name sh, bash "
        "or python3 as the interpreter. Its text is part of the policy digest",
    )
    expect: ExpectSection = Field(
        default_factory=lambda: ExpectSection.model_validate({}),
        description="What the command or the script must answer",
    )
    timeout: Annotated[Duration, between(timedelta(seconds=1), timedelta(minutes=10))] = Field(
        timedelta(seconds=30),
        description="Time limit of the command or the script. Those of all checks together may take half of "
        "`probeWithin`",
    )
    file: FileCheckSection | None = Field(None, description="Conditions for a file")
    service: ServiceCheckSection | None = Field(None, description="Conditions for a service")
    port: PortCheckSection | None = Field(None, description="Conditions for a port")
    severity: Severity = Field(
        "error", description="`error` rejects the version, `warn` is a warning, `off` does not run the check"
    )
    remedy: NonBlank | None = Field(None, description="What to do if it fails. It is shown with the failure")

    @model_validator(mode="after")
    def _one_kind(self) -> OwnCheckSection:
        kinds = ("command", "script", "file", "service", "port")
        given = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"set exactly one of {', '.join(kinds)}")
        if given[0] not in {"command", "script"} and self.model_fields_set & {"expect", "timeout"}:
            raise ValueError("expect and timeout are for command and script alone")
        return self


def own_check_list(checks: list[OwnCheckSection]) -> list[OwnCheckSection]:
    """Raises ValueError for ids that occur twice."""
    repeated = [name for name, count in Counter(each.id for each in checks).items() if count > 1]
    if repeated:
        raise ValueError(f"the id {repeated[0]!r} occurs twice")
    return checks


OwnChecks = Annotated[list[OwnCheckSection], AfterValidator(own_check_list), Field(max_length=MAX_OWN_CHECKS)]


def check_time(checks: list[OwnCheckSection], probe_within: timedelta) -> None:
    """Raise ``ValueError`` if commands and scripts may take more than half of the probe's time."""
    limits = (each.timeout for each in checks if each.command is not None or each.script is not None)
    taken = sum(limits, timedelta(0))
    if taken * 2 > probe_within:
        raise ValueError(
            f"the time limits of ownChecks are {taken.total_seconds():.0f} s together, which is more than half of "
            f"probeWithin ({probe_within.total_seconds():.0f} s): shorten them, or raise probeWithin"
        )


class BaselineSection(Section):
    """The result of a baseline scan that the image has: XCCDF of OpenSCAP, or JSON of InSpec."""

    path: MachinePath = Field(
        description="Absolute path of the result on the machine, such as `/var/lib/oscap/xccdf.xml`"
    )
    max_failed: int = Field(
        0, ge=0, le=10_000, description="Maximum number of rules that failed or could not be evaluated"
    )
    required: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,255}$")]] = Field(
        default_factory=list,
        max_length=200,
        description="Ids of rules that must have passed. For rules of the SCAP Security Guide, leave out the prefix "
        "`xccdf_org.ssgproject.content_rule_`",
    )
