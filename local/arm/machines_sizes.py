"""The virtual machine sizes that the simulator offers in every region, and what an image must be for each of them."""

from dataclasses import dataclass
from typing import Any

from local.arm.errors import ArmError, bad_parameter


@dataclass(frozen=True, slots=True)
class Size:
    """One size. `generations` are the Hyper-V generations that it boots; `memory` is in MiB."""

    name: str
    cores: int
    memory: int
    generations: tuple[str, ...]
    architecture: str = "x64"
    max_data_disks: int = 4

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
            "resourceDiskSizeInMB": self.memory * 2,
            "memoryInMB": self.memory,
            "maxDataDiskCount": self.max_data_disks,
        }


_BOTH = ("V1", "V2")
_SIZES = (
    *(Size(f"Standard_B{cores}s", cores, cores * 2048, _BOTH) for cores in (1, 2, 4, 8)),
    *(Size(f"Standard_B{cores}ms", cores, cores * 4096, _BOTH) for cores in (1, 2, 4, 8)),
    *(Size(f"Standard_B{cores}{kind}_v2", cores, cores * 4096, ("V2",)) for cores in (2, 4, 8) for kind in ("s", "as")),
    *(Size(f"Standard_DS{step}_v2", 2 ** (step - 1), 3584 * 2 ** (step - 1), _BOTH) for step in (1, 2, 3, 4)),
    *(Size(f"Standard_D{step}_v2", 2 ** (step - 1), 3584 * 2 ** (step - 1), ("V1",)) for step in (1, 2, 3, 4)),
    *(
        Size(f"Standard_{kind.format(cores)}", cores, cores * 4096, _BOTH, max_data_disks=cores * 2)
        for cores in (2, 4, 8, 16, 32)
        for kind in ("D{}s_v3", "D{}s_v4", "D{}s_v5", "D{}as_v4", "D{}as_v5", "D{}ds_v5", "D{}ads_v5")
    ),
    *(
        Size(f"Standard_{kind.format(cores)}", cores, cores * 4096, ("V2",), max_data_disks=cores * 2)
        for cores in (2, 4, 8, 16, 32)
        for kind in ("D{}s_v6", "D{}as_v6", "D{}ds_v6", "D{}ads_v6")
    ),
    *(
        Size(f"Standard_{kind.format(cores)}", cores, cores * 4096, ("V2",), "Arm64", max_data_disks=cores * 2)
        for cores in (2, 4, 8, 16)
        for kind in ("D{}ps_v5", "D{}pds_v5", "D{}ps_v6", "D{}pds_v6")
    ),
    *(Size(f"Standard_E{cores}s_v5", cores, cores * 8192, _BOTH, max_data_disks=cores * 2) for cores in (2, 4, 8, 16)),
    *(Size(f"Standard_F{cores}s_v2", cores, cores * 2048, _BOTH, max_data_disks=cores * 2) for cores in (2, 4, 8, 16)),
)
SIZES = {size.name.lower(): size for size in _SIZES}


def size_named(name: Any) -> Size:
    """The size, or ARM's 400 that lists the valid ones."""
    if not isinstance(name, str) or not name:
        raise bad_parameter("Required parameter 'vmSize' is missing (null).", "vmSize")
    found = SIZES.get(name.lower())
    if found is None:
        valid = ",".join(size.name for size in _SIZES)
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
