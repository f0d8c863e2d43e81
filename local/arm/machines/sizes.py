"""The virtual machine sizes that the simulator offers in every region, and what an image must be for each of them.

`machine-sizes.csv` holds the sizes as Azure listed them for West US in 2023 (recorded: `test_vm_size_list.yaml`), and
some newer ones after them. Generation and architecture are not in that list; they follow from a size's name.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.arm.kernel.errors import ArmError, bad_parameter

_NAME = re.compile(
    r"(Standard|Basic)_(?P<family>[A-Z]+)\d+(-\d+)?(?P<features>[a-z]*)(_\w+?)??(_v(?P<version>\d+))?(_Promo)?"
)


@dataclass(frozen=True, slots=True)
class Size:
    """One size. `generations` are the Hyper-V generations that it boots; `memory` and `temporary_disk` are in MiB."""

    name: str
    cores: int
    memory: int
    generations: tuple[str, ...]
    architecture: str = "x64"
    max_data_disks: int = 4
    temporary_disk: int = 0

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


def _size(row: dict[str, str]) -> Size:
    generations, architecture = _boots(row["name"])
    return Size(
        row["name"],
        int(row["cores"]),
        int(row["memory_mib"]),
        generations,
        architecture,
        int(row["data_disks"]),
        int(row["temporary_disk_mib"]),
    )


def _boots(name: str) -> tuple[tuple[str, ...], str]:
    """Old families boot generation 1 alone; confidential ones, the newest and Arm64 generation 2."""
    found = _NAME.fullmatch(name)
    family = found["family"] if found else ""
    version = int((found and found["version"]) or 1)
    features = found["features"] if found else ""
    if "p" in features:
        return ("V2",), "Arm64"
    if family in ("DC", "EC") or version >= 6 or (family == "B" and version == 2):
        return ("V2",), "x64"
    if family in ("A", "G") or name.startswith("Basic_") or (family == "D" and "s" not in features and version <= 2):
        return ("V1",), "x64"
    return ("V1", "V2"), "x64"


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
