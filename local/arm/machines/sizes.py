"""The virtual machine sizes that the simulator offers in every region, and what an image must be for each of them.

`machine-sizes.csv` holds the sizes as Azure listed them for West US in 2023 (recorded: `test_vm_size_list.yaml`), and
some newer ones after them. Generation, architecture, disk controllers and security types are not in that list; they
follow from a size's name, as the articles "Generation 2 VMs", "NVMe overview", "Trusted Launch" and "About Azure
confidential VMs" on Microsoft Learn group the families.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.arm.galleries.features import CONFIDENTIAL, STANDARD, TRUSTED
from local.arm.kernel.errors import ArmError, bad_parameter

_NAME = re.compile(
    r"(Standard|Basic)_(?P<family>[A-Z]+)\d+(-\d+)?(?P<features>[a-z]*)(_\w+?)??(_v(?P<version>\d+))?(_Promo)?"
)


@dataclass(frozen=True, slots=True)
class Size:
    """One size. `generations` are the Hyper-V generations that it boots; `memory` and `temporary_disk` are in MiB.

    `controllers` are those of its disks, `security` the security types that a machine of this size may have.
    """

    name: str
    cores: int
    memory: int
    generations: tuple[str, ...]
    architecture: str = "x64"
    max_data_disks: int = 4
    temporary_disk: int = 0
    controllers: tuple[str, ...] = ("SCSI",)
    security: tuple[str, ...] = (STANDARD, TRUSTED)

    @property
    def storage(self) -> str:
        """The disk type that a machine of this size gets when none is named: premium where the size takes it."""
        family = self.name.removeprefix("Standard_").split("_")[0].lower()
        return "Premium_LRS" if "s" in family[1:] or family.startswith("b") else "Standard_LRS"

    def document(self) -> dict[str, Any]:
        """As `vmSizes` lists it."""
        return {
            "name": self.name,
            "numberOfCores": self.cores,
            "osDiskSizeInMB": 1047552,
            "resourceDiskSizeInMB": self.temporary_disk,
            "memoryInMB": self.memory,
            "maxDataDiskCount": self.max_data_disks,
        }


def _read() -> dict[str, Size]:
    with (Path(__file__).parent / "machine-sizes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["name"].lower(): _size(row) for row in rows}


@dataclass(frozen=True, slots=True)
class Name:
    """What the name of a size says: `Standard_DC4ads_v5` is family DC, features `ads`, version 5."""

    family: str
    features: str
    version: int
    is_basic: bool

    @property
    def is_arm(self) -> bool:
        """Whether its processors are Arm64."""
        return "p" in self.features

    @property
    def is_confidential(self) -> bool:
        """Whether it is of the families for confidential machines; DCs v1 to v3 are for SGX enclaves."""
        return self.family in ("DC", "EC") and self.version >= 5

    @property
    def computing(self) -> str:
        """`ConfidentialComputingType`: TDX of Intel's processors, as in DCesv5, or SNP of AMD's, as in DCasv5."""
        return "TDX" if "e" in self.features else "SNP"


def parsed(name: str) -> Name:
    """The parts of a size's name; one that has another form is of no family."""
    found = _NAME.fullmatch(name)
    if found is None:
        return Name("", "", 1, is_basic=name.startswith("Basic_"))
    return Name(found["family"], found["features"], int(found["version"] or 1), is_basic=name.startswith("Basic_"))


def _size(row: dict[str, str]) -> Size:
    name = parsed(row["name"])
    generations = _generations(name)
    return Size(
        row["name"],
        int(row["cores"]),
        int(row["memory_mib"]),
        generations,
        "Arm64" if name.is_arm else "x64",
        int(row["data_disks"]),
        int(row["temporary_disk_mib"]),
        _controllers(name),
        _security(name, generations),
    )


def _generations(name: Name) -> tuple[str, ...]:
    """Old families boot generation 1 alone; confidential ones, the newest and Arm64 generation 2."""
    newest = name.version >= 6 or (name.family == "B" and name.version == 2)
    if name.is_arm or name.family in ("DC", "EC") or newest:
        return ("V2",)
    old = name.family == "D" and "s" not in name.features and name.version <= 2
    return ("V1",) if name.family in ("A", "G") or name.is_basic or old else ("V1", "V2")


def _controllers(name: Name) -> tuple[str, ...]:
    """Sizes up to v5 have SCSI disks, newer ones NVMe; Ebsv5 and the Arm64 ones of v6 have both."""
    if name.is_arm:
        return ("SCSI", "NVMe") if name.version >= 6 else ("SCSI",)
    if name.version >= 6:
        return ("NVMe",)
    return ("SCSI", "NVMe") if name.family == "E" and "b" in name.features and name.version == 5 else ("SCSI",)


def _security(name: Name, generations: tuple[str, ...]) -> tuple[str, ...]:
    if name.is_confidential:
        return (STANDARD, CONFIDENTIAL)
    without = name.family in ("DC", "EC", "M", "NP") or (name.is_arm and name.version < 6)
    return (STANDARD,) if without or "V2" not in generations else (STANDARD, TRUSTED)


SIZES = _read()


def size_named(name: Any) -> Size:
    """The size, or ARM's 400 that lists the valid ones."""
    if not isinstance(name, str) or not name:
        raise bad_parameter("Required parameter 'vmSize' is missing (null).", "vmSize")
    found = SIZES.get(name.lower())
    if found is None:
        valid = ",".join(size.name for size in SIZES.values())
        raise bad_parameter(
            f"The value {name} provided for the VM size is not valid. The valid sizes in the current region are: "
            f"{valid}. Find out more on the valid VM sizes in each region at https://aka.ms/azure-regions.",
            "vmSize",
        )
    return found


def require_bootable(size: Size, generation: str, architecture: str) -> None:
    """Refuse a size that cannot boot an image of this generation or architecture; the texts are Azure's."""
    if architecture.lower() != size.architecture.lower():
        raise ArmError(
            400,
            "BadRequest",
            f"Cannot create a VM of size '{size.name}' because this VM size only supports a CPU Architecture of "
            f"'{size.architecture}', but an image or disk with CPU Architecture '{architecture}' was given. "
            "Please check that the CPU Architecture of the image or disk is compatible with that of the VM size.",
        )
    if generation not in size.generations:
        number = generation.removeprefix("V")
        raise ArmError(
            400,
            "BadRequest",
            f"The selected VM size '{size.name}' cannot boot Hypervisor Generation '{number}'. If this was a Create "
            "operation please check that the Hypervisor Generation of the Image matches the Hypervisor Generation of "
            "the selected VM Size. If this was an Update operation please select a Hypervisor Generation "
            f"'{number}' VM Size. For more information, see https://aka.ms/azuregen2vm",
        )


def disk_controller(size: Size, asked: str | None, offered: tuple[str, ...], generation: str) -> str | None:
    """The controller of a machine's disks: the one asked for, else SCSI where size and image have it, else NVMe.

    None for generation 1, which has no choice. Refuses what size or image cannot do, in Azure's words
    (Azure/FederalAVD#20, kubernetes-sigs/image-builder#1875).
    """
    if asked is not None and asked not in size.controllers:
        raise bad_parameter(
            f"The VM size '{size.name}' cannot boot with DiskControllerType '{asked}'. Please check that the disk "
            f"controller type provided is one of the supported disk controller types for the VM size '{size.name}'. "
            f"{_ASK_SKUS}",
            "storageProfile.diskControllerType",
        )
    common = [one for one in ("SCSI", "NVMe") if one in size.controllers and one in offered]
    if asked is not None:
        common = [one for one in common if one == asked]
    if not common:
        raise bad_parameter(
            f"The VM size '{size.name}' cannot boot with OS image or disk. Please check that disk controller types "
            "supported by the OS image or disk is one of the supported disk controller types for the VM size "
            f"'{size.name}'. {_ASK_SKUS}",
            "vmSize",
        )
    return common[0] if generation == "V2" else asked


_ASK_SKUS = (
    "Please query sku api at https://aka.ms/azure-compute-skus  to determine supported disk controller types for the "
    "VM size."
)
