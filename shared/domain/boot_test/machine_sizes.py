"""Sizes of test machines: what Azure says of them, which of them boot an image, and how.

Rules:

* A size that cannot boot the image is the policy's fault, and is told before anything is made. Source: "Resource Skus -
  List" in Azure's REST API reference, and the articles that name its capabilities on Microsoft Learn ("Generation 2
  VMs", "Trusted Launch", "NVMe overview", "About Azure confidential VMs").
* That a size is restricted for the subscription, or has no capacity, is a fault of the platform and says nothing about
  the image: another size or zone is tried.
* A size that Azure does not describe is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.domain.image_traits import ImageTraits, SecurityType

_DISK_TYPES: Final = ("Standard_LRS", "StandardSSD_LRS", "Premium_LRS")
"""Disk types of the test machine, the cheapest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeFacts:
    """A size of machines in one region, as Azure lists it. What Azure does not say has its documented default."""

    name: str
    architecture: str = "x64"
    generations: tuple[str, ...] = ("V1", "V2")
    trusted_launch: bool = True
    """Not ``TrustedLaunchDisabled``."""
    confidential: str | None = None
    """``ConfidentialComputingType``: SNP or TDX."""
    controllers: tuple[str, ...] = ("SCSI",)
    premium: bool = True
    max_data_disks: int | None = None
    cores: int | None = None
    memory_gb: float | None = None
    zones: tuple[str, ...] = ()
    """Zones of the region that offer the size to the subscription."""
    restricted: str | None = None
    """Why the subscription may not use the size in the region (``reasonCode``); None when it may."""

    def supports(self, security: SecurityType) -> bool:
        """Whether a machine of this size may have the security type."""
        match security:
            case SecurityType.TRUSTED_LAUNCH:
                return self.trusted_launch and "V2" in self.generations
            case SecurityType.CONFIDENTIAL_VM:
                return self.confidential is not None
            case SecurityType.STANDARD:
                return True


type Sizes = Mapping[str, SizeFacts]
"""The sizes of a region, by lower-case name; empty when they are not known."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and as what a machine is asked for. Without a zone, Azure chooses one."""

    size: str
    zone: str | None = None

    def __str__(self) -> str:
        return self.size if self.zone is None else f"{self.size} in zone {self.zone}"


def obstacles(size: SizeFacts, traits: ImageTraits) -> Iterator[str]:
    """Why machines of this size cannot boot the image, each with what to do."""
    if size.architecture.casefold() != traits.architecture.casefold():
        yield f"it is {size.architecture}, but the image is {traits.architecture}: use an {traits.architecture} size"
    if traits.generation is not None and traits.generation not in size.generations:
        yield (
            f"it boots generation {' and '.join(size.generations)}, but the image is {traits.generation}: use a size "
            f"that boots {traits.generation}"
        )
    if not any(map(size.supports, traits.security_types)):
        wanted = " or ".join(traits.security_types)
        yield f"it does not support the image's security type {wanted}: use a size that does{_example(traits)}"
    if _is_stateless(traits) and size.confidential not in {None, "TDX"}:
        yield "it does not support the version's encryption NonPersistedTPM: use a size with TDX, such as DCesv5"
    if traits.generation != "V1" and not _common_controllers(size, traits):
        yield (
            f"its disk controller is {' or '.join(size.controllers)}, but the image boots from "
            f"{' or '.join(traits.controllers)}: use another size, or build for the feature DiskControllerTypes "
            "'SCSI, NVMe'"
        )
    if size.max_data_disks is not None and traits.data_disks > size.max_data_disks:
        yield f"it supports {size.max_data_disks} data disks, but the image has {traits.data_disks}: use a larger size"
    if disk_type(traits, size) is None:
        yield (
            "the image definition disallows every disk type that it supports: allow one of "
            f"{', '.join(_DISK_TYPES)}, or use a size with premium storage"
        )


def security_type(traits: ImageTraits, size: SizeFacts | None) -> SecurityType:
    """The security type of the test machine: the first that image and size have."""
    common = [each for each in traits.security_types if size is None or size.supports(each)]
    return common[0] if common else traits.security_types[0]


def controller(traits: ImageTraits, size: SizeFacts | None) -> str | None:
    """``diskControllerType`` of the test machine; None where it is SCSI, which Azure takes by itself."""
    common = traits.controllers if size is None else _common_controllers(size, traits)
    return "NVMe" if traits.generation != "V1" and tuple(each.casefold() for each in common) == ("nvme",) else None


def disk_type(traits: ImageTraits, size: SizeFacts | None) -> str | None:
    """The cheapest disk type that the definition does not disallow and the size takes; None when there is none."""
    disallowed = {each.casefold() for each in traits.disallowed_disks}
    possible = [each for each in _DISK_TYPES if size is None or size.premium or not each.startswith("Premium")]
    return next((each for each in possible if each.casefold() not in disallowed), None)


def placements(names: Sequence[str], sizes: Sizes, traits: ImageTraits) -> tuple[Placement, ...]:
    """What to ask for, in order: each size where Azure likes, then each size in each zone.

    Sizes that cannot boot the image are left out, unless none can: then Azure says so itself. Sizes that the
    subscription may not use come last.
    """
    known = {name: sizes.get(name.lower()) for name in names}
    usable = [name for name, size in known.items() if size is None or not any(obstacles(size, traits))] or list(names)
    usable.sort(key=lambda name: (size := known[name]) is not None and size.restricted is not None)
    zonal = [Placement(name, zone) for name in usable if (size := known.get(name)) for zone in size.zones]
    return (*map(Placement, usable), *zonal)


def _is_stateless(traits: ImageTraits) -> bool:
    """Whether the version's machines keep no state of their virtual TPM, which takes TDX (Azure/azure-cli#27479)."""
    return any((keys.confidential or "").casefold() == "nonpersistedtpm" for keys in traits.keys.values())


def _common_controllers(size: SizeFacts, traits: ImageTraits) -> tuple[str, ...]:
    image = {each.casefold() for each in traits.controllers}
    return tuple(each for each in size.controllers if each.casefold() in image)


def _example(traits: ImageTraits) -> str:
    only_confidential = traits.security_types == (SecurityType.CONFIDENTIAL_VM,)
    return ", for example of the DCasv5 or ECasv5 family" if only_confidential else ""
