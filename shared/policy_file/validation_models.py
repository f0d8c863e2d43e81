"""The sections of ``promotion.yaml`` about validation: rules, waivers, and the keys that some rules need."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from shared.domain.identifiers import GUID
from shared.domain.image import InvalidId, VersionNumber
from shared.domain.validation.rules import RULES
from shared.policy_file.boot_fields import check_tag_names
from shared.policy_file.fields import MINUTE_TO_90_DAYS, Duration, NonBlank, Pattern, between, shown
from shared.policy_file.section import Section

_CONFIGURABLE: Final = sorted(rule.id for rule in RULES.values() if not rule.locked)
_SOURCE: Final = re.compile(r"(/|https://)[^\s?\[\]]{1,499}")


def _rule_name(value: str) -> str:
    rule = RULES.get(value)
    if rule is None:
        raise ValueError(f"{shown(value)} is not a rule: docs/validation-rules.md lists all rules")
    if rule.locked:
        raise ValueError(f"the rule {value!r} cannot be changed or waived: {rule.locked}")
    return value


def _off(value: object) -> object:
    """YAML reads ``off`` as false."""
    return "off" if value is False else value


def _number(value: str) -> str:
    try:
        VersionNumber.parse(value)
    except InvalidId as error:
        raise ValueError(str(error)) from error
    return value


def _source(value: str) -> str:
    if not _SOURCE.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is not a resource id or URL, such as /subscriptions/…/resourceGroups/build-*: use * for "
            "any text within a segment"
        )
    return value


RuleName = Annotated[str, AfterValidator(_rule_name), WithJsonSchema({"enum": _CONFIGURABLE})]
Level = Annotated[
    Literal["error", "warn", "off"],
    BeforeValidator(_off),
    WithJsonSchema({"enum": ["error", "warn", "off", False]}),
]
Number = Annotated[str, AfterValidator(_number)]
SourcePattern = Annotated[str, AfterValidator(_source)]


class WaiverSection(Section):
    """A waiver: allows the findings of a rule until an expiry date. They are shown as waived, with the owner."""

    rule: RuleName = Field(description="Id of the rule, see [docs/validation-rules.md](validation-rules.md)")
    owner: NonBlank = Field(description="Person or team that is responsible for the waiver")
    reason: NonBlank = Field(description="Why the finding is acceptable")
    expires: date = Field(description="Last day on which the waiver applies, such as 2027-03-31 (UTC)")
    versions: list[Number] = Field(
        default_factory=list, description="Version numbers that the waiver applies to. Default: all versions"
    )


class NumbersSection(Section):
    """The format and order of version numbers."""

    format: Literal["semver", "calendar", "pattern"] = Field(
        "semver",
        description="`semver` (no leading zeros), `calendar` (begins with a date: `2026.11.28`, `202611.28.0`, "
        "`20261128.1.0`), or `pattern`",
    )
    pattern: Pattern | None = Field(
        None, description="Regular expression (RE2) for the whole number. Required with the format `pattern`"
    )
    order: Literal["any", "ascending"] = Field(
        "any", description="`ascending` rejects a version if the definition has one with a higher number"
    )

    @model_validator(mode="after")
    def _with_pattern(self) -> NumbersSection:
        if (self.format == "pattern") != (self.pattern is not None):
            raise ValueError("set pattern with the format pattern, and with no other")
        return self


class EndOfLifeSection(Section):
    """The end of life of versions."""

    required: bool = Field(True, description="Whether a version must have an end of life")
    at_least: Annotated[Duration, between(timedelta(0), timedelta(days=3650))] = Field(
        timedelta(0), description="How far away the end of life must be when the version is validated"
    )


class OwnerSection(Section):
    """The owner of a version, who can be reached."""

    tag: str = Field("owner", min_length=1, max_length=512, description="Name of the tag that names the owner")
    is_: list[Literal["email", "entraId"]] = Field(
        default_factory=lambda: ["email", "entraId"],
        min_length=1,
        alias="is",
        description="How the owner is named: an e-mail address, or the object id of a user or group in Microsoft Entra",
    )


class ValidationSection(Section):
    """Checks of a version's metadata, by the rules in [docs/validation-rules.md](validation-rules.md). They run before
    all other gates.
    """

    rules: dict[RuleName, Level] = Field(
        default_factory=dict,
        description="Rules by id, with another severity than their own: `error` rejects the version, `warn` is a "
        "warning, `off` does not check",
    )
    waivers: list[WaiverSection] = Field(
        default_factory=list, description="Rules whose findings are allowed until an expiry date"
    )
    required_tags: dict[str, Pattern | None] = Field(
        default_factory=dict,
        description="Tag names, each with a regular expression (RE2) for the whole value, or null for any value",
    )
    min_disk_gb: int = Field(1, ge=1, le=4095, alias="minDiskGB", description="Minimum size of the OS disk in GiB")
    max_disk_gb: int = Field(2048, ge=1, le=32767, alias="maxDiskGB", description="Maximum size of a disk in GiB")
    visible_before_proof: Literal["hide", "warn", "reject"] = Field(
        "hide",
        description="What to do with a version that is visible to `latest` before all its gates have passed: `hide` "
        "excludes it from `latest` before it is evaluated, and everywhere again when it is rejected, or superseded "
        "without evidence; `warn` and `reject` only evaluate, and hide nothing",
    )
    ready_within: Annotated[Duration, MINUTE_TO_90_DAYS] = Field(
        timedelta(hours=8), description="How long a version may have the state Creating. Replication can take six hours"
    )
    sources: list[SourcePattern] = Field(
        default_factory=list,
        description="Approved sources of versions: resource ids of managed images, VMs, disks, snapshots, image "
        "versions or definitions, or of a gallery, resource group or subscription that contains them; for VHDs, URLs. "
        "`*` stands for any text within a segment. Default: any source",
    )
    builders: list[Annotated[str, Field(pattern=f"^{GUID}$")]] = Field(
        default_factory=list,
        description="Approved builders: application ids, and object ids of users and service principals. An event of "
        "an application names its application id. Default: anybody who may write to the gallery",
    )
    numbers: NumbersSection | None = Field(None, description="Rules for version numbers. Default: none")
    end_of_life: EndOfLifeSection | None = Field(None, description="Rules for the end of life. Default: none")
    owner: OwnerSection | None = Field(None, description="Who is responsible for a version. Default: not checked")
    headroom: int = Field(
        10,
        ge=0,
        le=90,
        description="Share of a limit of Azure, in per cent: a warning is given if less than this is left",
    )

    @model_validator(mode="after")
    def _ordered(self) -> ValidationSection:
        if self.min_disk_gb > self.max_disk_gb:
            raise ValueError("minDiskGB is larger than maxDiskGB")
        return self

    @field_validator("required_tags")
    @classmethod
    def _tag_names(cls, value: dict[str, Any]) -> dict[str, Any]:
        check_tag_names(value)
        return value
