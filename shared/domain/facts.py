"""Facts about galleries, image definitions, image versions and their sources.

The gallery port returns these values; ``validation``, ``latest``, ``replication`` and ``retention`` judge them. Rules:

* A fact that Azure did not give is None (or empty), never a guess. In ``RegionTargetFacts.excluded`` None means "not
  said here, the version's own flag counts", which is not the same as False.
* Region names are short names (``westus2``), whatever Azure answered with.
* Times are aware. Sizes are GiB, as ``sizeInGB`` in the gallery's API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.domain.image import DefinitionId, GalleryId, VersionId
from shared.domain.usage import Sharing


class ProvisioningState(StrEnum):
    """Provisioning states of gallery resources (``Canceled`` is ARM's; the gallery specification lists the others)."""

    CREATING = "Creating"
    UPDATING = "Updating"
    MIGRATING = "Migrating"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"
    DELETING = "Deleting"
    UNKNOWN = "Unknown"
    """Any other value. It never counts as a success."""

    @classmethod
    def read(cls, text: str | None) -> ProvisioningState:
        """The state for a value of ARM, in any casing; UNKNOWN for an unknown value."""
        lowered = (text or "").lower()
        return next((state for state in cls if state.value.lower() == lowered), cls.UNKNOWN)

    @property
    def in_progress(self) -> bool:
        """Whether the state is temporary."""
        return self in {ProvisioningState.CREATING, ProvisioningState.UPDATING, ProvisioningState.MIGRATING}


class RegionState(StrEnum):
    """Replication of one region (``RegionalReplicationStatus.state``)."""

    UNKNOWN = "Unknown"
    REPLICATING = "Replicating"
    COMPLETED = "Completed"
    FAILED = "Failed"

    @classmethod
    def read(cls, text: str | None) -> RegionState:
        """The state for a value of Azure, in any casing; UNKNOWN for an unknown value."""
        lowered = (text or "").lower()
        return next((state for state in cls if state.value.lower() == lowered), cls.UNKNOWN)


@dataclass(frozen=True, slots=True)
class RegionReplication:
    """How far replication to one region is. ``progress`` is in per cent."""

    state: RegionState
    progress: int = 0
    details: str = ""


@dataclass(frozen=True, slots=True)
class ReplicationFacts:
    """``$expand=ReplicationStatus``: every region by short name."""

    regions: Mapping[str, RegionReplication] = field(default_factory=dict[str, RegionReplication])


@dataclass(frozen=True, slots=True)
class RegionTargetFacts:
    """One entry of ``publishingProfile.targetRegions``."""

    region: str
    replicas: int = 1
    storage: str = "Standard_LRS"
    excluded: bool | None = None
    """``excludeFromLatest`` of the region; None if it is not set. It overrides the version's flag."""
    kept: Mapping[str, object] = field(default_factory=dict[str, object])
    """Properties of the entry that Ringmaster does not set and writes back unchanged (encryption, replica sets)."""


@dataclass(frozen=True, slots=True)
class ExecutedValidation:
    """One entry of ``validationsProfile.executedValidations``, for example Trusted Launch."""

    type: str
    status: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """An image version as its gallery describes it."""

    id: VersionId
    provisioning_state: ProvisioningState
    location: str
    published_at: datetime | None = None
    """``publishedDate``, set by the service: with the number, it identifies an incarnation."""
    source_id: str | None = None
    """``storageProfile.source.id``: a managed image, or an image version in another gallery."""
    source_vm_id: str | None = None
    source_community_id: str | None = None
    disk_source_ids: tuple[str, ...] = ()
    """Disks, snapshots or VHD addresses of ``osDiskImage`` and ``dataDiskImages``, the OS disk's first."""
    targets: tuple[RegionTargetFacts, ...] = ()
    excluded: bool = False
    """``publishingProfile.excludeFromLatest``."""
    storage: str | None = None
    replication_mode: str | None = None
    os_disk_gb: int | None = None
    data_disks_gb: tuple[int | None, ...] = ()
    data_disk_luns: tuple[int, ...] = ()
    """Logical unit numbers of the data disks, in the order of ``data_disks_gb``; they need not be 0, 1, 2 …"""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    end_of_life: datetime | None = None
    reported_for_policy_violation: bool = False
    policy_violations: tuple[str, ...] = ()
    validations: tuple[ExecutedValidation, ...] = ()
    kept: Mapping[str, Mapping[str, object]] = field(default_factory=dict[str, Mapping[str, object]])
    """Properties by profile that Ringmaster does not set and writes back unchanged, such as extended locations."""
    replication: ReplicationFacts | None = None
    """None if it was not requested."""

    @property
    def regions(self) -> tuple[str, ...]:
        """Short names of the target regions, in the order given."""
        return tuple(target.region for target in self.targets)

    def visible_in(self, region: str) -> bool:
        """Whether ``latest`` may resolve to this version in a region; the region's flag overrides the version's."""
        for target in self.targets:
            if target.region == region:
                return not (self.excluded if target.excluded is None else target.excluded)
        return False


@dataclass(frozen=True, slots=True)
class PurchasePlan:
    """The marketplace plan of an image definition. Every machine that is made of it must name it."""

    publisher: str
    product: str
    name: str

    def __str__(self) -> str:
        return f"{self.publisher}/{self.product}/{self.name}"

    @classmethod
    def read(cls, text: str) -> PurchasePlan | None:
        """The plan that a text names, or None."""
        parts = text.split("/")
        return cls(*parts) if len(parts) == 3 and all(parts) else None


@dataclass(frozen=True, slots=True)
class ResourceRange:
    """A recommended range (``ResourceRange`` of the gallery's API): vCPUs, or memory in GB. None is no bound."""

    lowest: int | None = None
    highest: int | None = None

    def __contains__(self, value: float) -> bool:
        low = self.lowest is None or self.lowest <= value
        return low and (self.highest is None or value <= self.highest)

    def __str__(self) -> str:
        if self.lowest is None and self.highest is None:
            return "any"
        return f"{self.lowest or 0} to {'any' if self.highest is None else self.highest}"


@dataclass(frozen=True, slots=True)
class DefinitionFacts:
    """An image definition as its gallery describes it. OS type, OS state and generation never change."""

    id: DefinitionId
    provisioning_state: ProvisioningState
    location: str
    os_type: str
    """Linux or Windows."""
    os_state: str
    """Generalized or Specialized: a declaration, not a property of the disk."""
    hyper_v_generation: str | None = None
    """V1 or V2; None when not said, which the service takes for V1 (for V2 from API 2025-03-03 on)."""
    architecture: str | None = None
    """x64 or Arm64; None when not said, which the service takes for x64."""
    features: Mapping[str, str] = field(default_factory=dict[str, str])
    """Feature name -> value, for example SecurityType -> TrustedLaunchSupported."""
    plan: PurchasePlan | None = None
    end_of_life: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    recommended: Mapping[str, ResourceRange] = field(default_factory=dict[str, ResourceRange])
    """By ``vCPUs`` and ``memory`` (GB). A recommendation: Azure creates other machines, too."""
    disallowed_disk_types: tuple[str, ...] = ()
    """Disk types that machines of the image should not have, for example Standard_LRS."""

    def feature(self, name: str) -> str | None:
        """The value of a feature, whose name may have any casing; None when the definition does not name it."""
        return next((value for each, value in self.features.items() if each.casefold() == name.casefold()), None)


@dataclass(frozen=True, slots=True)
class GalleryFacts:
    """A gallery."""

    id: GalleryId
    provisioning_state: ProvisioningState
    location: str
    sharing: Sharing = field(default_factory=Sharing)


class SourceKind(StrEnum):
    """Kinds of sources of a version."""

    MANAGED_IMAGE = "managed image"
    VM = "virtual machine"
    GALLERY_VERSION = "gallery image version"
    DISK = "disk"
    SNAPSHOT = "snapshot"
    VHD = "VHD blob"
    GONE = "gone"
    """The source no longer exists. This is common: builders delete their sources."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """The source of a version. Properties that could not be read are None."""

    kind: SourceKind
    id: str
    os_type: str | None = None
    os_state: str | None = None
    hyper_v_generation: str | None = None
    architecture: str | None = None
    unread: bool = False
    """Whether the app may not read it. Then nothing but its kind and id is known."""
    power: str | None = None
    """Of a virtual machine: ``deallocated``, ``running`` and the like (``PowerState/`` of the instance view)."""
    created_at: datetime | None = None
    """``timeCreated`` of a machine or disk, ``publishedDate`` of an image version."""
    used_at: datetime | None = None
    """``LastOwnershipUpdateTime`` of the (OS) disk: when it was last attached or detached, or its machine was last
    started or deallocated."""
    password_login: bool | None = None
    """Of a Linux machine: whether it was provisioned with password authentication."""
