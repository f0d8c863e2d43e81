"""The shape of ``promotion.yaml``. Keys in the file are camelCase; a key that isn't here is refused.

Descriptions are the reference: ``docs/policy.md`` and ``docs/policy.schema.json`` are generated from them.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, field_validator, model_validator

from shared.domain.identifiers import GUID
from shared.policy_file.boot_fields import DEFAULT_SIZES, EncryptionSetText, OwnTags, VmSizes, check_tag_names
from shared.policy_file.fields import (
    DefinitionText,
    Duration,
    GalleryText,
    NonBlank,
    Pattern,
    RegionName,
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
_UP_TO_90_DAYS = between(timedelta(0), timedelta(days=90))
_MINUTE_TO_90_DAYS = between(timedelta(minutes=1), timedelta(days=90))
_MINUTE_TO_6_HOURS = between(timedelta(minutes=1), timedelta(hours=6))


class RegionSection(Section):
    """A region of a ring. You can write just its short name, which means one replica on standard storage."""

    name: RegionName = Field(description="Region, by short name (`westeurope`) or display name (`West Europe`)")
    replicas: int = Field(
        1,
        ge=1,
        le=50,
        description="Number of replicas in the region, 1 to 50. One replica serves about 20 VMs that are created at "
        "the same time; use 3 in production. A version can have 100 replicas in a gallery",
    )
    storage: Storage = Field("Standard_LRS", description="Storage account type. You cannot change it later")

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value


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
    fix_grace: Annotated[Duration, _UP_TO_90_DAYS] | None = Field(
        None, description="Grace period: a finding does not count until its fix has been available for this long"
    )
    no_new: Severities | None = Field(None, description="Severities of which no new finding is allowed")
    improvement_passes: bool | None = Field(
        None, description="Whether a version that exceeds limits passes as an improvement"
    )
    max_age: Annotated[Duration, _MINUTE_TO_90_DAYS] | None = Field(
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


class RingSection(Section):
    """One step of a rollout: regions in one gallery, and the conditions for publishing in them."""

    name: Name = Field(description="Name of the ring: up to 40 lowercase letters, digits and hyphens")
    gallery: GalleryText | None = Field(
        None,
        description="Resource id of another gallery, in any subscription that the app's identity may write to. "
        "Versions are copied there with the same definition name and version number. Default: the gallery of `source`",
    )
    definition: DefinitionText | None = Field(
        None,
        description="Resource id of the image definition to copy to, if its name differs. Use it instead of `gallery`",
    )
    regions: list[RegionSection] = Field(min_length=1, description="Regions that the ring's versions are replicated to")
    scan: RingScanSection | None = Field(
        None,
        description="Scan rules of the ring. The stored reports are evaluated again with them before the ring is "
        "published. Rules that you omit are those of the definition's `scan`",
    )
    bake: Annotated[Duration, _UP_TO_90_DAYS] = Field(
        timedelta(0),
        description="Bake time: how long to wait before the ring is published, after the previous ring was published "
        "(for the first ring: after the scan and the smoke test passed)",
    )
    boot_test: bool = Field(
        True, description="Whether to boot a VM from the replica in each region before the ring is published"
    )
    approval: ApprovalSection | None = Field(
        None, description="Whose approval it needs before it is published. Left out: nobody's"
    )
    windows: list[WindowSection] = Field(
        default_factory=list, description="When it may be published. Left out: at any time"
    )

    @model_validator(mode="after")
    def _one_target(self) -> RingSection:
        if self.gallery is not None and self.definition is not None:
            raise ValueError("set gallery or definition, not both")
        return self


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
    deadline: Annotated[Duration, _MINUTE_TO_90_DAYS] = Field(
        timedelta(hours=24), description="How long a release waits for a usable scan report. After that, it is rejected"
    )
    max_age: Annotated[Duration, _MINUTE_TO_90_DAYS] = Field(
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
    fix_grace: Annotated[Duration, _UP_TO_90_DAYS] = Field(
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
    rescan_after: Annotated[Duration, _MINUTE_TO_90_DAYS] | None = Field(
        None,
        description="Maximum age of the last scan of a version that is `latest` in a ring. After that, another scan is "
        "requested. Default: `maxAge`",
    )
    hold_for: Annotated[Duration, _MINUTE_TO_90_DAYS] = Field(
        timedelta(days=14),
        description="How long a held version waits for a scan that passes. After that, it is rejected",
    )
    revoke_to_empty: bool = Field(
        False,
        description="Whether to revoke a version even if `latest` is then empty in a region. If false, there is an "
        "alert instead",
    )


class ValidationSection(Section):
    """Checks of a version's metadata. They run before all other gates."""

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
    ready_within: Annotated[Duration, _MINUTE_TO_90_DAYS] = Field(
        timedelta(hours=8), description="How long a version may have the state Creating. Replication can take six hours"
    )

    @model_validator(mode="after")
    def _ordered(self) -> ValidationSection:
        if self.min_disk_gb > self.max_disk_gb:
            raise ValueError("minDiskGB is larger than maxDiskGB")
        return self

    @field_validator("required_tags")
    @classmethod
    def _tag_names(cls, value: dict[str, str | None]) -> dict[str, str | None]:
        check_tag_names(value)
        return value


class BootSection(Section):
    """Settings and time limits of boot tests."""

    vm_size: VmSizes = Field(
        default_factory=lambda: {DEFAULT_SIZES: ("Standard_D2s_v5",)},
        description="Size of the test VM, up to eight sizes in the order in which they are tried, or such sizes by "
        "region and `default`. If Azure has no capacity or quota for a size, the next size is tried, then each size "
        "in each zone. A size must be able to boot the image: architecture, generation, security type, disk controller",
    )
    tags: OwnTags = Field(
        default_factory=dict,
        description="Tags of the test VM and all resources that are created with it, in addition to Ringmaster's own "
        "two, for tag policies in Azure. Up to 48",
    )
    disk_encryption_set: EncryptionSetText | None = Field(
        None,
        description="Resource id of the disk encryption set for the test VM's disks; `{region}` stands for the "
        "region's short name. It must be in the subscription and region of the VM, and the app's identity must be "
        "allowed to read it. Default: the set that the version has for the region, if it is in that subscription. "
        "The OS disk of a confidential VM can only use the set of the version",
    )
    ready_within: Annotated[Duration, _MINUTE_TO_6_HOURS] = Field(
        timedelta(minutes=40),
        description="Time limit from the request for the VM until it is provisioned and its agent is ready",
    )
    probe_within: Annotated[Duration, _MINUTE_TO_6_HOURS] = Field(
        timedelta(minutes=15), description="Time limit for the checks inside the VM"
    )
    serial_fail: list[Pattern] = Field(
        default_factory=list,
        description="Additional regular expressions (RE2) of console lines that fail the test",
    )
    serial_ignore: list[Pattern] = Field(
        default_factory=list, description="Regular expressions (RE2) of console lines to ignore"
    )


class ReplicationSection(Section):
    """Time limit of replication, and number of repairs."""

    complete_within: Annotated[Duration, _MINUTE_TO_90_DAYS] = Field(
        timedelta(hours=8), description="Time limit for the replication of a ring. Azure documents up to six hours"
    )
    repairs: int = Field(3, ge=0, le=10, description="How many times replication to a failed region is repaired")


class RetentionSection(Section):
    """Which versions are kept."""

    keep: int = Field(3, ge=1, le=1000, description="Number of the newest published versions to keep")
    min_age: Annotated[Duration, between(timedelta(0), timedelta(days=3650))] = Field(
        timedelta(days=30), description="Versions that are younger than this are kept"
    )


class DefinitionSection(Section):
    """An image definition whose new versions are released."""

    name: Name = Field(
        description="Name of the definition in Ringmaster: up to 40 lowercase letters, digits and hyphens"
    )
    source: DefinitionText = Field(description="Resource id of the image definition in which new versions are built")
    rings: list[RingSection] = Field(min_length=1, description="Rings of the rollout, in order")
    scan: ScanSection = Field(default_factory=lambda: ScanSection.model_validate({}), description="The scan gate")
    validation: ValidationSection = Field(
        default_factory=lambda: ValidationSection.model_validate({}), description="Checks of the metadata"
    )
    boot: BootSection = Field(default_factory=lambda: BootSection.model_validate({}), description="The boot test")
    replication: ReplicationSection = Field(
        default_factory=lambda: ReplicationSection.model_validate({}), description="Limits of replication"
    )
    retention: RetentionSection = Field(
        default_factory=lambda: RetentionSection.model_validate({}), description="Which versions are kept"
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
        default_factory=list, description="Findings that are allowed in this definition until an expiry date"
    )
    vex: list[VexSection] = Field(
        default_factory=list, description="VEX documents whose statements are exceptions in this definition"
    )


class TestSection(Section):
    """Where boot tests create VMs. Use a separate resource group: Ringmaster deletes leftover test resources in it."""

    __test__ = False

    subscription: Annotated[str, Field(pattern=f"^{GUID}$")] = Field(description="Subscription id")
    resource_group: Annotated[str, Field(pattern=r"^[-\w.()]{0,89}[-\w()]$")] = Field(
        description="Resource group. It must not contain a gallery of the policy"
    )
    subnet: SubnetText = Field(
        description="Resource id of the subnet for test VMs; `{region}` stands for the region's short name. It "
        "needs outbound access to Azure, and no inbound access"
    )


class PolicySection(Section):
    """The top level of the file."""

    version: Literal[1] = Field(description="Version of the file format")
    test: TestSection = Field(description="Where boot tests create VMs")
    definitions: list[DefinitionSection] = Field(
        min_length=1, description="Image definitions whose versions are released"
    )
    access: AccessSection = Field(
        default_factory=lambda: AccessSection.model_validate({}), description="Who may do what, in every definition"
    )
    freezes: list[FreezeSection] = Field(default_factory=list, description="Times in which no ring is published")
    exceptions: list[ExceptionSection] = Field(
        default_factory=list, description="Findings that are allowed in every definition until an expiry date"
    )
    vex: list[VexSection] = Field(
        default_factory=list,
        description="VEX documents whose statements are exceptions in every definition, or in the definitions that a "
        "statement names",
    )
    regions: list[Annotated[str, Field(pattern=r"^[a-z0-9]{3,40}$")]] = Field(
        default_factory=list,
        description="Short names of additional regions: regions of sovereign clouds, and regions that this version "
        "does not know",
    )
