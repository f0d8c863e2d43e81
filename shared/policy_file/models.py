"""The shape of ``promotion.yaml``. Keys in the file are camelCase; a key that isn't here is refused.

Descriptions are the reference: ``docs/policy.md`` and ``docs/policy.schema.json`` are generated from them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from shared.domain.identifiers import GUID
from shared.domain.publish_window import after_hours_of
from shared.domain.usage import KINDS
from shared.policy_file.boot_models import BootSection
from shared.policy_file.fields import (
    MINUTE_TO_90_DAYS,
    UP_TO_90_DAYS,
    DefinitionText,
    Duration,
    GalleryText,
    RegionName,
    SubnetText,
    between,
    duration_text,
)
from shared.policy_file.health_models import HealthSection
from shared.policy_file.people_models import (
    AccessSection,
    ApprovalSection,
    DayLimitSection,
    EmergencySection,
    FreezeSection,
    WindowSection,
    window_of,
)
from shared.policy_file.scan_models import ExceptionSection, RingScanSection, ScanSection, VexSection
from shared.policy_file.section import Section
from shared.policy_file.validation_models import ValidationSection

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$")]
Storage = Literal["Standard_LRS", "Standard_ZRS", "Premium_LRS", "PremiumV2_LRS"]
LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""A time before every holiday that a policy names."""


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


class FleetSection(Section):
    """What is created from a version in one region of the ring at the same time. `policy check` compares the replica
    counts with it, by Microsoft's guidance: one replica for 20 VMs and for each scale set of up to 600 instances, at
    least three.
    """

    vms: int = Field(0, ge=0, le=100_000, description="VMs that are created at the same time, outside of scale sets")
    scale_sets: list[Annotated[int, Field(ge=1, le=1000)]] = Field(
        default_factory=list, description="Instances of each scale set that is created or scaled out at the same time"
    )
    headroom_percent: int = Field(20, ge=0, le=300, description="How many more replicas than computed, in percent")
    image_gb: float | None = Field(
        None, gt=0, le=32767, alias="imageGB", description="Size that the image occupies in GB, for the cost"
    )


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
    bake: Annotated[Duration, UP_TO_90_DAYS] = Field(
        timedelta(0),
        description="Bake time: how long to wait before the ring is published, after the previous ring was published "
        "(for the first ring: after the scan and the smoke test passed)",
    )
    bake_in: WindowSection | None = Field(
        None,
        description="The hours in which the bake time counts, such as office hours: `8h` is then one working day. "
        "Left out: all hours",
    )
    boot_test: bool = Field(
        True, description="Whether to boot a VM from the replica in each region before the ring is published"
    )
    reboot: bool = Field(
        True, description="Whether to restart the test VMs of the ring. `false` in the definition's `boot` goes first"
    )
    approval: ApprovalSection | None = Field(
        None, description="Whose approval it needs before it is published. Left out: nobody's"
    )
    windows: list[WindowSection] = Field(
        default_factory=list, description="When it may be published. Left out: at any time"
    )

    health: HealthSection | None = Field(
        None,
        description="How what follows the ring is watched after its publication. Left out: not at all",
    )
    fleet: FleetSection | None = Field(
        None, description="What is created from a version at the same time, to plan the replicas"
    )
    standby: bool = Field(
        False,
        description="Whether the ring is a standing twin in another region, to which consumers go when the other "
        "rings' galleries are lost (`ringmaster failover plan`)",
    )

    @model_validator(mode="after")
    def _one_target(self) -> RingSection:
        if self.gallery is not None and self.definition is not None:
            raise ValueError("set gallery or definition, not both")
        return self

    @model_validator(mode="after")
    def _bake_ends(self) -> RingSection:
        hours = self.bake_in
        if hours is None:
            return self
        if self.bake == timedelta(0):
            raise ValueError("bakeIn needs a bake time: set bake")
        if after_hours_of(window_of(hours), LONG_AGO, self.bake) is None:
            raise ValueError(f"a bake time of {duration_text(self.bake)} in these hours takes more than 400 days")
        return self


class ReplicationSection(Section):
    """Time limit of replication, and number of repairs."""

    complete_within: Annotated[Duration, MINUTE_TO_90_DAYS] = Field(
        timedelta(hours=8), description="Time limit for the replication of a ring. Azure documents up to six hours"
    )
    repairs: int = Field(3, ge=0, le=10, description="How many times replication to a failed region is repaired")


class RetentionSection(Section):
    """Which versions are kept."""

    keep: int = Field(3, ge=1, le=1000, description="Number of the newest published versions to keep")
    min_age: Annotated[Duration, between(timedelta(0), timedelta(days=3650))] = Field(
        timedelta(days=30), description="Versions that are younger than this are kept"
    )


class RevocationSection(Section):
    """What follows when a version is revoked."""

    descendants: Literal["report", "revoke"] = Field(
        "report",
        description="What to do with image versions that were made from the revoked one, directly or over several "
        "generations: name them in the evidence (`report`), or revoke those of definitions in this file too (`revoke`)",
    )


class WaivedTypeSection(Section):
    """A resource type that is not looked at. You can write just its name."""

    type: str = Field(
        description="Resource type, as `Microsoft.Batch/batchAccounts`. Types below it are waived with it"
    )
    reason: str = Field("", max_length=500, description="Why nothing there uses these images. Results show it")

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: object) -> object:
        return {"type": value} if isinstance(value, str) else value

    @field_validator("type")
    @classmethod
    def _known(cls, value: str) -> str:
        if value.lower() not in KINDS:
            raise ValueError(f"{value[:120]!r} is no type that is looked at. Those are listed in docs/in-use.md")
        return value.lower()


class InUseSection(Section):
    """Where to look for resources that use an image version."""

    subscriptions: list[Annotated[str, Field(pattern=f"^{GUID}$")]] = Field(
        default_factory=list,
        description="Subscription ids. List every subscription that may use the images. Left out: the subscriptions "
        "that this file names (those of galleries and of `test`)",
    )
    waive: list[WaivedTypeSection] = Field(
        default_factory=list,
        description="Resource types that are not looked at. A type that cannot be listed and is not waived makes the "
        "result incomplete",
    )
    resource_graph: bool = Field(
        True,
        description="Whether to ask Azure Resource Graph for further users. It can add users, and never makes a result "
        "complete",
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
    ahead: Literal["none", "next", "all"] = Field(
        "next",
        description="Which rings get their replicas and boot tests before it is their turn, hidden from `latest`. "
        "`next`: the next ring, as soon as this one has its replicas, if it is in another gallery, if the rest of this "
        "ring's bake lasts at least 30 minutes, or while this ring waits for approval. `all`: every ring, right after "
        "the scan and the smoke test passed, with one write for each gallery; the first publication then waits until "
        "all regions of its gallery are replicated. `none`: one ring after the other. Publications keep their order, "
        "and a change of this key restarts nothing",
    )
    access: AccessSection = Field(
        default_factory=lambda: AccessSection.model_validate({}),
        description="Who may do what with this definition's versions, beside those of the whole file",
    )
    emergency: EmergencySection = Field(
        default_factory=lambda: EmergencySection.model_validate({}),
        description="What an emergency promotion may skip",
    )
    max_rings_per_day: DayLimitSection | None = Field(
        None, description="How many rings each release may be published in on one day. Left out: any number"
    )
    supersede: Literal["both", "newest", "queue"] = Field(
        "both",
        description="What happens to a release when a newer version is released as well. `both`: both go on. `newest`: "
        "the older release ends when the newer version has passed its scan and smoke test. `queue`: the newer version "
        "is not published before the older release has ended. An older version is never published after a newer one",
    )
    drift: Literal["report", "repair"] = Field(
        "report",
        description="What to do when a gallery no longer has what Ringmaster published: a region was removed, a "
        "replica count lowered, a version hidden, a copy deleted. `report` tells it; `repair` also replicates and "
        "publishes the newest published version of the ring again, at most three times a day. What others wrote is "
        "only reported",
    )
    events: Literal["all", "milestones"] = Field(
        "all",
        description="Which CloudEvents are published about its releases: `all` publishes one for every transition; "
        "`milestones` leaves out those that only tell progress. `docs/events.md` lists both",
    )
    revocation: RevocationSection = Field(
        default_factory=lambda: RevocationSection.model_validate({}), description="What follows a revocation"
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


class PricesSection(Section):
    """Prices of stored replicas. Copy them from Azure's price list for managed snapshots, with the day."""

    as_of: date = Field(description="Day of the price list, such as 2026-11-01")
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = Field(description="Currency, such as EUR")
    per_gb_month: dict[Storage, Annotated[float, Field(ge=0)]] = Field(
        description="Price of a GB in a month, by storage account type"
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
    prices: PricesSection | None = Field(None, description="Prices of stored replicas, for the cost of fleets")
    freezes: list[FreezeSection] = Field(default_factory=list, description="Times in which no ring is published")
    in_use: InUseSection = Field(
        default_factory=lambda: InUseSection.model_validate({}),
        description="Where to look for resources that use an image version",
    )
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
