"""Sizes of machines in memory, with the capabilities that Azure lists for them."""

from __future__ import annotations

from typing import Final

from shared.domain.boot_test.machine_sizes import SizeFacts, Sizes

_LISTED: Final = (
    SizeFacts(name="Standard_D2s_v5", max_data_disks=4, cores=2, memory_gb=8),
    SizeFacts(name="Standard_D2as_v5", max_data_disks=4, cores=2, memory_gb=8),
    SizeFacts(name="Standard_D4s_v5", max_data_disks=8, cores=4, memory_gb=16),
    SizeFacts(
        name="Standard_D2s_v6",
        generations=("V2",),
        controllers=("NVMe",),
        max_data_disks=8,
        cores=2,
        memory_gb=8,
    ),
    SizeFacts(
        name="Standard_D2ps_v6",
        architecture="Arm64",
        generations=("V2",),
        controllers=("SCSI", "NVMe"),
        max_data_disks=8,
        cores=2,
        memory_gb=8,
    ),
    SizeFacts(
        name="Standard_DC2as_v5",
        generations=("V2",),
        trusted_launch=False,
        confidential="SNP",
        max_data_disks=4,
        cores=2,
        memory_gb=8,
    ),
)
SIZES: Final[Sizes] = {size.name.lower(): size for size in _LISTED}
"""As in a region without zones."""
