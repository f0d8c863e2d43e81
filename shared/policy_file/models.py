"""The shape of ``promotion.yaml``. Keys in the file are camelCase; a key that isn't here is refused.

Descriptions are the reference: ``docs/policy.md`` and ``docs/policy.schema.json`` are generated from them.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from shared.domain.identifiers import GUID
from shared.policy_file.fields import (
    DefinitionText,
    Duration,
    GalleryText,
    Pattern,
    RegionName,
    Said,
    SubnetText,
    VexFile,
    between,
)
from shared.policy_file.people_models import (
    AccessSection,
    ApprovalSection,
    EmergencySection,
    FreezeSection,
    WindowSection,
)
from shared.policy_file.section import Section

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$")]
Storage = Literal["Standard_LRS", "Standard_ZRS", "Premium_LRS", "PremiumV2_LRS"]
Limit = Annotated[int, Field(ge=0)]
Score = Annotated[float, Field(ge=0, le=10)]
Probability = Annotated[float, Field(ge=0, le=1)]
Format = Literal[
    "trivy", "grype", "sarif", "cyclonedx", "defender", "inspector", "nessus", "qualys", "ringmaster"
]  # SCAN_FORMATS of shared.domain.scan_formats
Scanner = Annotated[str, Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9 ._/]{0,79}$")]
Severities = list[Literal["critical", "high", "medium", "low", "negligible", "unknown"]]
_UP_TO_A_QUARTER = between(timedelta(0), timedelta(days=90))
_SOME_TIME = between(timedelta(minutes=1), timedelta(days=90))
_A_SITTING = between(timedelta(minutes=1), timedelta(hours=6))


class RegionSection(Section):
    """A region of a ring. Its short name alone stands for one replica on standard storage."""

    name: RegionName = Field(description="Region, by short name (`westeurope`) or display name (`West Europe`)")
    replicas: int = Field(
        1,
        ge=1,
        le=50,
        description="Copies in the region, 1 to 50. One serves about 20 VMs created at a time; production wants 3. "
        "All the regions of a gallery together may have 100",
    )
    storage: Storage = Field("Standard_LRS", description="Storage account type; it can't be changed afterwards")

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


class LimitsSection(Section):
    """How many findings of a severity may stand. A severity that isn't named is unlimited."""

    critical: Limit = Field(description="Must be named")
    high: Limit | None = Field(None, description="Findings of severity high")
    medium: Limit | None = Field(None, description="Findings of severity medium")
    low: Limit | None = Field(None, description="Findings of severity low")
    negligible: Limit | None = Field(None, description="Findings of severity negligible")
    unknown: Limit | None = Field(
        None,
        description="Findings that nobody has rated yet. Left out, they count as high: what isn't known to be harmless "
        "is not",
    )


class RingScanSection(Section):
    """Rules of a ring that differ from its definition's, stricter or not."""

    limits: LimitsSection | None = Field(None, description="Instead of the definition's, all of them")
    required: list[Scanner] | None = Field(None, description="Formats or scanners that must have a usable report")
    max_score: Score | None = Field(None, description="The highest CVSS score that may stand")
    max_epss: Probability | None = Field(None, alias="maxEPSS", description="The highest EPSS that may stand")
    only_fixable: bool | None = Field(None, description="Count only findings for which a fixed version exists")
    fix_grace: Annotated[Duration, _UP_TO_A_QUARTER] | None = Field(
        None, description="A finding doesn't count while its fix is younger than this"
    )
    no_new: Severities | None = Field(None, description="Nothing new of these severities")
    improvement_passes: bool | None = Field(None, description="Whether what only improves may pass")
    max_age: Annotated[Duration, _SOME_TIME] | None = Field(
        None, description="How old a report may be when the ring is about to be published"
    )
    allow_end_of_life_os: bool | None = Field(
        None, alias="allowEndOfLifeOS", description="Let an operating system pass that gets no security fixes any more"
    )

    def given(self) -> dict[str, Any]:
        """What the ring says of its own, by the names of ScanRules."""
        return {name: getattr(self, name) for name in type(self).model_fields if getattr(self, name) is not None}


class RingSection(Section):
    """One named step of a rollout: regions in one gallery, and what must be so before they are published."""

    name: Name = Field(description="Lower-case letters, digits and hyphens, up to 40")
    gallery: GalleryText | None = Field(
        None,
        description="Resource id of another gallery, in any subscription that the app's identity may write to. "
        "Versions are copied there under the same definition name and number. Left out: the gallery of `source`",
    )
    definition: DefinitionText | None = Field(
        None, description="Resource id of the image definition to copy to, where its name differs; instead of `gallery`"
    )
    regions: list[RegionSection] = Field(min_length=1, description="Where the ring's versions are replicated to")
    scan: RingScanSection | None = Field(
        None,
        description="Rules of the ring's own. The reports on hand are judged by them once more before it is published; "
        "what is left out is as in the definition's `scan`",
    )
    bake: Annotated[Duration, _UP_TO_A_QUARTER] = Field(
        timedelta(0),
        description="Time to wait, after the previous ring was published (for the first ring: after scan and smoke "
        "test passed), before this one is",
    )
    boot_test: bool = Field(True, description="Boot a VM from the replica in each region before the ring is published")
    approval: ApprovalSection | None = Field(
        None, description="Whose approval it needs before it is published. Left out: nobody's"
    )
    windows: list[WindowSection] = Field(
        default_factory=list, description="When it may be published. Left out: at any time"
    )

    @model_validator(mode="after")
    def _one_target(self) -> RingSection:
        if self.gallery is not None and self.definition is not None:
            raise ValueError("name a gallery or a definition, not both")
        return self


class ExceptionSection(Section):
    """Somebody's signed word that a finding may pass, until a day."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9:._/]{2,99}$")] = Field(
        description="CVE or advisory id, as the scanner reports it or as an alias of it"
    )
    package: Said | None = Field(
        None,
        description="Only in this package: its name, or the beginning of its package URL up to a joint "
        "(`pkg:deb/ubuntu/openssl`, `pkg:npm/`). Left out: in any",
    )
    owner: Said = Field(description="Who answers for it")
    reason: Said = Field(description="Why it may pass")
    expires: date = Field(description="The last day, as 2027-03-31; it ends with that day, in UTC")


class VexSection(Section):
    """An OpenVEX or CycloneDX document whose statements are exceptions. Its file's name alone will do."""

    file: VexFile = Field(description="Path of the document, beside the policy file or below")
    owner: Said | None = Field(
        None, description="Who answers for its statements. Left out: whoever the document names as its author"
    )
    max_age: Annotated[Duration, between(timedelta(days=1), timedelta(days=3650))] = Field(
        timedelta(days=365),
        description="A statement that was not renewed for longer has expired, and excuses nothing",
    )

    @model_validator(mode="before")
    @classmethod
    def _file_alone(cls, value: object) -> object:
        return {"file": value} if isinstance(value, str) else value


class ScanSection(Section):
    """How a version's vulnerability scan is judged."""

    limits: LimitsSection = Field(
        default_factory=lambda: LimitsSection.model_validate({"critical": 0, "high": 0}),
        description="Largest allowed number of findings by severity, each vulnerability counted once for a package. "
        "Left out: no critical and no high",
    )
    formats: list[Format] = Field(
        default_factory=lambda: ["trivy"], min_length=1, description="Report formats that are taken"
    )
    deadline: Annotated[Duration, _SOME_TIME] = Field(
        timedelta(hours=24), description="How long a scan is waited for before people are asked to look"
    )
    max_age: Annotated[Duration, _SOME_TIME] = Field(
        timedelta(days=7), description="A report older than this is refused and another one waited for"
    )
    required: list[Scanner] = Field(
        default_factory=list,
        description="Formats or scanners, by name, each of which must have a usable report; they are judged together. "
        "Left out: any one report will do",
    )
    max_score: Score | None = Field(
        None, description="The highest CVSS base score that may stand, 0 to 10. A finding without a score has none"
    )
    max_epss: Probability | None = Field(
        None,
        alias="maxEPSS",
        description="The highest EPSS (probability of exploitation in 30 days) that may stand, 0 to 1",
    )
    only_fixable: bool = Field(
        False,
        description="Count only findings for which a fixed version exists. What is known to be exploited counts anyway",
    )
    fix_grace: Annotated[Duration, _UP_TO_A_QUARTER] = Field(
        timedelta(0),
        description="A finding doesn't count while its fix has been available for less than this, where the report "
        "says since when",
    )
    no_new: Severities = Field(
        default_factory=list,
        description="No finding of these severities that the version published in the last ring does not have",
    )
    improvement_passes: bool = Field(
        False,
        description="What breaks `limits`, `maxScore` or `maxEPSS` passes all the same when it has fewer findings than "
        "the version published in the last ring, and none that is new",
    )
    allow_end_of_life_os: bool = Field(
        False, alias="allowEndOfLifeOS", description="Let an operating system pass that gets no security fixes any more"
    )
    trust_suppressions: bool = Field(
        False,
        description="Leave out what the scanner was told to leave out (ignore file, VEX). Otherwise that counts like "
        "every finding, and `exceptions` is the place for it",
    )
    day_after: Literal["alert", "hold", "revoke"] = Field(
        "alert",
        description="When a version that is published already fails a later scan: tell (`alert`), also stop before "
        "further rings (`hold`), or make it `latest` nowhere (`revoke`)",
    )
    rescan_after: Annotated[Duration, _SOME_TIME] | None = Field(
        None,
        description="Ask for another scan of what is `latest` in a ring when its last is older. Left out: `maxAge`",
    )
    hold_for: Annotated[Duration, _SOME_TIME] = Field(
        timedelta(days=14), description="How long a held version waits for a scan that passes; then it is rejected"
    )
    revoke_to_empty: bool = Field(
        False,
        description="Revoke also where `latest` would then be nothing at all. Otherwise that is an alert instead",
    )


class ValidationSection(Section):
    """What a version's metadata must show before anything is spent on it."""

    required_tags: dict[str, Pattern | None] = Field(
        default_factory=dict,
        description="Tag name -> regular expression (RE2) that its whole value must match, or nothing when any will do",
    )
    min_disk_gb: int = Field(1, ge=1, le=4095, alias="minDiskGB", description="Smallest OS disk, GiB")
    max_disk_gb: int = Field(2048, ge=1, le=32767, alias="maxDiskGB", description="Largest disk, GiB")
    visible_before_proof: Literal["warn", "reject"] = Field(
        "warn", description="What to do with a version that its builder made visible to `latest` before any proof"
    )
    ready_within: Annotated[Duration, _SOME_TIME] = Field(
        timedelta(hours=8), description="How long a version may stay in Creating; replication can take six hours"
    )

    @model_validator(mode="after")
    def _ordered(self) -> ValidationSection:
        if self.min_disk_gb > self.max_disk_gb:
            raise ValueError("minDiskGB is larger than maxDiskGB")
        return self

    @field_validator("required_tags")
    @classmethod
    def _tag_names(cls, value: dict[str, str | None]) -> dict[str, str | None]:
        for name in value:
            # Limits and characters of tag names: Azure Resource Manager's own.
            if not name.strip() or len(name) > 512 or set(name) & set("<>%&\\?/"):
                raise ValueError(f"{name[:80]!r} can't be a tag's name")
        if len({name.casefold() for name in value}) != len(value):
            raise ValueError("a tag is named twice; names of tags are compared without regard to case")
        return value


class BootSection(Section):
    """How a boot test is run and bounded."""

    vm_size: Annotated[str, Field(pattern=r"^(Standard|Basic)_[A-Za-z0-9_-]{1,60}$")] = Field(
        "Standard_D2s_v5", description="Size of the test VM; there must be quota for it in every region"
    )
    ready_within: Annotated[Duration, _A_SITTING] = Field(
        timedelta(minutes=40), description="From the request for the VM until it is provisioned and its agent is ready"
    )
    probe_within: Annotated[Duration, _A_SITTING] = Field(
        timedelta(minutes=15), description="How long the checks inside the VM may take"
    )
    serial_fail: list[Pattern] = Field(
        default_factory=list, description="More regular expressions (RE2) that condemn a line of the serial console"
    )
    serial_ignore: list[Pattern] = Field(
        default_factory=list, description="Regular expressions (RE2) of console lines to overlook"
    )


class ReplicationSection(Section):
    """How long replication may take, and how often a failed region is repaired."""

    complete_within: Annotated[Duration, _SOME_TIME] = Field(
        timedelta(hours=8), description="How long a ring's replication may take; documentation says up to six hours"
    )
    repairs: int = Field(3, ge=0, le=10, description="How often a region whose replication failed is tried again")


class RetentionSection(Section):
    """What is kept."""

    keep: int = Field(3, ge=1, le=1000, description="How many of the newest published versions stay")
    min_age: Annotated[Duration, between(timedelta(0), timedelta(days=3650))] = Field(
        timedelta(days=30), description="What is younger stays"
    )


class DefinitionSection(Section):
    """One image definition whose new versions are released."""

    name: Name = Field(description="What people call it: lower-case letters, digits and hyphens, up to 40")
    source: DefinitionText = Field(description="Resource id of the image definition that builders write versions to")
    rings: list[RingSection] = Field(min_length=1, description="The steps of the rollout, in order")
    scan: ScanSection = Field(default_factory=lambda: ScanSection.model_validate({}), description="The scan gate")
    validation: ValidationSection = Field(
        default_factory=lambda: ValidationSection.model_validate({}), description="Checks of the metadata"
    )
    boot: BootSection = Field(default_factory=lambda: BootSection.model_validate({}), description="The boot test")
    replication: ReplicationSection = Field(
        default_factory=lambda: ReplicationSection.model_validate({}), description="Bounds of replication"
    )
    retention: RetentionSection = Field(
        default_factory=lambda: RetentionSection.model_validate({}), description="What is kept"
    )
    access: AccessSection = Field(
        default_factory=lambda: AccessSection.model_validate({}),
        description="Who may do what with this definition's versions, beside those of the whole file",
    )
    emergency: EmergencySection = Field(
        default_factory=lambda: EmergencySection.model_validate({}),
        description="What an emergency promotion may skip",
    )
    exceptions: list[ExceptionSection] = Field(
        default_factory=list, description="Findings that may pass in this definition, until a day"
    )
    vex: list[VexSection] = Field(
        default_factory=list, description="VEX documents whose statements are exceptions in this definition"
    )


class TestSection(Section):
    """Where boot-test machines live. Give it a resource group of its own: what is left over there is swept."""

    __test__ = False

    subscription: Annotated[str, Field(pattern=f"^{GUID}$")] = Field(description="Subscription id")
    resource_group: Annotated[str, Field(pattern=r"^[-\w.()]{0,89}[-\w()]$")] = Field(
        description="Resource group. It must not be one that holds a gallery"
    )
    subnet: SubnetText = Field(
        description="Resource id of the subnet for test VMs; `{region}` stands for the region's short name. It needs "
        "no way in, and a way out to Azure"
    )


class PolicySection(Section):
    """The whole file."""

    version: Literal[1] = Field(description="Version of this file's format")
    test: TestSection = Field(description="Where boot-test machines live")
    definitions: list[DefinitionSection] = Field(min_length=1, description="The image definitions that are released")
    access: AccessSection = Field(
        default_factory=lambda: AccessSection.model_validate({}), description="Who may do what, in every definition"
    )
    freezes: list[FreezeSection] = Field(default_factory=list, description="Times in which no ring is published")
    exceptions: list[ExceptionSection] = Field(
        default_factory=list, description="Findings that may pass in every definition, until a day"
    )
    vex: list[VexSection] = Field(
        default_factory=list,
        description="VEX documents whose statements are exceptions, in the definitions that they name or for packages "
        "in any",
    )
    regions: list[Annotated[str, Field(pattern=r"^[a-z0-9]{3,40}$")]] = Field(
        default_factory=list,
        description="Short names of further regions: of sovereign clouds, or newer than this version's list",
    )
