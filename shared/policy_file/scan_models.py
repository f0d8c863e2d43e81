"""The shape of the policy file's scan rules, with their exceptions and VEX documents."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, model_validator

from shared.policy_file.fields import MINUTE_TO_90_DAYS, UP_TO_90_DAYS, Duration, NonBlank, VexFile, between
from shared.policy_file.section import Section

Limit = Annotated[int, Field(ge=0)]
Score = Annotated[float, Field(ge=0, le=10)]
Probability = Annotated[float, Field(ge=0, le=1)]
Format = Literal[
    "trivy", "grype", "sarif", "cyclonedx", "defender", "inspector", "nessus", "qualys", "ringmaster"
]  # SCAN_FORMATS of shared.domain.scan_formats
Scanner = Annotated[str, Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9 ._/]{0,79}$")]
Severities = list[Literal["critical", "high", "medium", "low", "negligible", "unknown"]]


class LimitsSection(Section):
    """Maximum number of findings by severity. A severity that is not listed has no limit."""

    critical: Limit = Field(description="Findings of severity critical")
    high: Limit | None = Field(None, description="Findings of severity high")
    medium: Limit | None = Field(None, description="Findings of severity medium")
    low: Limit | None = Field(None, description="Findings of severity low")
    negligible: Limit | None = Field(None, description="Findings of severity negligible")
    unknown: Limit | None = Field(None, description="Findings of unknown severity. By default, they count as high")


class RingScanSection(Section):
    """Scan rules of a ring that replace those of its definition. They can be stricter or less strict."""

    limits: LimitsSection | None = Field(None, description="Limits that replace all limits of the definition")
    required: list[Scanner] | None = Field(None, description="Formats or scanners that must have a usable report")
    max_score: Score | None = Field(None, description="Maximum CVSS score")
    max_epss: Probability | None = Field(None, alias="maxEPSS", description="Maximum EPSS probability")
    only_fixable: bool | None = Field(None, description="Count only findings for which a fixed version exists")
    fix_grace: Annotated[Duration, UP_TO_90_DAYS] | None = Field(
        None, description="Grace period: a finding does not count until its fix has been available for this long"
    )
    no_new: Severities | None = Field(None, description="Severities of which no new finding is allowed")
    improvement_passes: bool | None = Field(
        None, description="Whether a version that exceeds limits passes as an improvement"
    )
    max_age: Annotated[Duration, MINUTE_TO_90_DAYS] | None = Field(
        None, description="Maximum age of a report when the ring is about to be published"
    )
    allow_end_of_life_os: bool | None = Field(
        None,
        alias="allowEndOfLifeOS",
        description="Whether an operating system that no longer receives security fixes is allowed",
    )

    def given(self) -> dict[str, Any]:
        """Returns the values that the ring sets, by the field names of ScanRules."""
        return {name: getattr(self, name) for name in type(self).model_fields if getattr(self, name) is not None}


class ExceptionSection(Section):
    """An exception: allows a finding until an expiry date."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9:._/]{2,99}$")] = Field(
        description="CVE or advisory id that the scanner reports, as the id or as an alias"
    )
    package: NonBlank | None = Field(
        None,
        description="Limits the exception to a package: its name, or a prefix of its package URL that ends at a "
        "separator (`pkg:deb/ubuntu/openssl`, `pkg:npm/`). Default: all packages",
    )
    owner: NonBlank = Field(description="Person or team that is responsible for the exception")
    reason: NonBlank = Field(description="Why the finding is acceptable")
    expires: date = Field(description="Last day on which the exception applies, such as 2027-03-31 (UTC)")


class VexSection(Section):
    """An OpenVEX or CycloneDX document whose statements are exceptions. You can write just the file name."""

    file: VexFile = Field(description="Path of the document, relative to the policy file's folder and not outside it")
    owner: NonBlank | None = Field(
        None,
        description="Person or team that is responsible for its statements. Default: the document's author",
    )
    max_age: Annotated[Duration, between(timedelta(days=1), timedelta(days=3650))] = Field(
        timedelta(days=365),
        description="Maximum age of a statement. An older statement has expired and no longer applies",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, value: object) -> object:
        return {"file": value} if isinstance(value, str) else value


class ScanSection(Section):
    """How the vulnerability scan of a version is evaluated."""

    limits: LimitsSection = Field(
        default_factory=lambda: LimitsSection.model_validate({"critical": 0, "high": 0}),
        description="Maximum number of findings by severity. A vulnerability counts once for each package. Default: no "
        "critical and no high findings",
    )
    formats: list[Format] = Field(
        default_factory=lambda: ["trivy"], min_length=1, description="Report formats that are accepted"
    )
    deadline: Annotated[Duration, MINUTE_TO_90_DAYS] = Field(
        timedelta(hours=24), description="How long a release waits for a usable scan report. After that, it is rejected"
    )
    max_age: Annotated[Duration, MINUTE_TO_90_DAYS] = Field(
        timedelta(days=7),
        description="Maximum age of a report. An older report is refused, and the release waits for another one",
    )
    required: list[Scanner] = Field(
        default_factory=list,
        description="Formats or scanners, by name, each of which must have a usable report. The reports are evaluated "
        "together. Default: one report of any scanner is sufficient",
    )
    max_score: Score | None = Field(
        None, description="Maximum CVSS base score, 0 to 10. It does not apply to findings without a score"
    )
    max_epss: Probability | None = Field(
        None, alias="maxEPSS", description="Maximum EPSS (probability of exploitation within 30 days), 0 to 1"
    )
    only_fixable: bool = Field(
        False,
        description="Count only findings with a fixed version. Known exploited vulnerabilities always count",
    )
    fix_grace: Annotated[Duration, UP_TO_90_DAYS] = Field(
        timedelta(0),
        description="Grace period: a finding does not count until its fix has been available for this long. Applies "
        "only if the report has the date of the fix",
    )
    no_new: Severities = Field(
        default_factory=list,
        description="Severities of which no new finding is allowed, compared with the version that is published in the "
        "last ring",
    )
    improvement_passes: bool = Field(
        False,
        description="Whether a version that exceeds `limits`, `maxScore` or `maxEPSS` passes if it has fewer findings "
        "than the version that is published in the last ring, and no new ones",
    )
    allow_end_of_life_os: bool = Field(
        False,
        alias="allowEndOfLifeOS",
        description="Whether an operating system that no longer receives security fixes is allowed",
    )
    trust_suppressions: bool = Field(
        False,
        description="Whether findings that the scanner suppresses (ignore file, VEX) are left out. If false, they "
        "count like all other findings; use `exceptions` instead",
    )
    on_failed_rescan: Literal["alert", "hold", "revoke"] = Field(
        "alert",
        alias="onFailedRescan",
        validation_alias=AliasChoices("onFailedRescan", "dayAfter"),  # dayAfter: the name in 0.1.0
        description="What to do when a published version fails a later scan: warn (`alert`), warn and do not publish "
        "it in further rings (`hold`), or exclude it from `latest` everywhere (`revoke`). The former name of this key, "
        "`dayAfter`, is still accepted",
    )
    rescan_after: Annotated[Duration, MINUTE_TO_90_DAYS] | None = Field(
        None,
        description="Maximum age of the last scan of a version that is `latest` in a ring. After that, another scan is "
        "requested. Default: `maxAge`",
    )
    hold_for: Annotated[Duration, MINUTE_TO_90_DAYS] = Field(
        timedelta(days=14),
        description="How long a held version waits for a scan that passes. After that, it is rejected",
    )
    revoke_to_empty: bool = Field(
        False,
        description="Whether to revoke a version even if `latest` is then empty in a region. If false, there is an "
        "alert instead",
    )
