"""What Compute offers where: resource SKUs, and how much of it a subscription uses.

Shape: "Resource Skus - List" and "Usage - List" in Azure's REST API reference. The only filter is `location eq`.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from local.arm.kernel import regions
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.messages import Reply
from local.arm.kernel.routing import Request, Routes
from local.arm.machines.machine import KIND
from local.arm.machines.sizes import SIZES, Size, parsed

routes = Routes()

_PROVIDER = "/subscriptions/{sub}/providers/Microsoft.Compute"
_FILTER = re.compile(r"\s*location\s+eq\s+'([^']*)'\s*", re.IGNORECASE)
_CORES = 10_000


@routes.operation("GET", _PROVIDER + "/skus", name="ResourceSkus_List", bucket="LowCostGet")
def list_skus(request: Request) -> Reply:
    """The sizes of machines in all regions or in one, each with what it can do."""
    text = request.query.get("$filter", "")
    match = _FILTER.fullmatch(text)
    if text and match is None:
        raise ArmError(400, "InvalidFilter", f"The filter '{text}' is invalid: only 'location eq' is supported.")
    wanted = [regions.short(match[1])] if match else list(regions.DISPLAY)
    return Reply(200, {"value": [one for region in wanted if regions.is_known(region) for one in _in_region(region)]})


def _in_region(region: str) -> Iterator[dict[str, Any]]:
    zones = list(regions.zones(region))
    for size in SIZES.values():
        yield {
            "resourceType": "virtualMachines",
            "name": size.name,
            "tier": size.name.split("_")[0],
            "size": size.name.split("_", 1)[1],
            "family": family(size.name),
            "locations": [region],
            "locationInfo": [{"location": region, "zones": zones, "zoneDetails": []}],
            "capabilities": _capabilities(size.name),
            "restrictions": [],
        }


def family(name: str) -> str:
    """The quota family of a size: `standardDSv5Family` of `Standard_D2s_v5`."""
    found = parsed(name)
    version = f"v{found.version}" if found.version > 1 else ""
    return f"standard{found.family}{found.features.upper()}{version}Family"


@cache
def _capabilities(name: str) -> list[dict[str, str]]:
    size: Size = SIZES[name.lower()]
    found = {
        "MaxResourceVolumeMB": str(size.temporary_disk),
        "OSVhdSizeMB": "1047552",
        "vCPUs": str(size.cores),
        "HyperVGenerations": ",".join(size.generations),
        "MemoryGB": f"{size.memory / 1024:g}",
        "MaxDataDiskCount": str(size.max_data_disks),
        "CpuArchitectureType": size.architecture,
        "LowPriorityCapable": "True",
        "PremiumIO": str(size.storage == "Premium_LRS"),
        "VMDeploymentTypes": "IaaS",
        "vCPUsAvailable": str(size.cores),
        "EphemeralOSDiskSupported": str(size.temporary_disk > 0),
        "EncryptionAtHostSupported": "True",
        "AcceleratedNetworkingEnabled": "True",
        "RdmaEnabled": "False",
        "MaxNetworkInterfaces": "2",
        "DiskControllerTypes": ", ".join(size.controllers),
    }
    if parsed(name).is_confidential:
        found["ConfidentialComputingType"] = parsed(name).computing
    if "V2" in size.generations and "TrustedLaunch" not in size.security:
        found["TrustedLaunchDisabled"] = "True"
    return [{"name": key, "value": value} for key, value in found.items()]


@routes.operation("GET", _PROVIDER + "/locations/{location}/usages", name="Usage_List", bucket="LowCostGet")
def list_usages(request: Request) -> Reply:
    """The cores that a subscription uses in a region, in all and by family; nobody comes near the limit here."""
    location = regions.short(request.params["location"])
    if not regions.is_known(location):
        raise bad_parameter(f"The location '{request.params['location']}' is unknown.", "location")
    used: dict[str, int] = {"cores": 0, "virtualMachines": 0}
    used |= {family(size.name): 0 for size in SIZES.values()}
    for machine in request.kernel.store.of_kind(KIND, f"/subscriptions/{request.params['sub']}"):
        size = SIZES[machine.properties["hardwareProfile"]["vmSize"].lower()]
        if machine.location == location:
            used["virtualMachines"] += 1
            used["cores"] += size.cores
            used[family(size.name)] += size.cores
    names = {"cores": "Total Regional vCPUs", "virtualMachines": "Virtual Machines"}
    rows = [
        {
            "unit": "Count",
            "currentValue": value,
            "limit": _CORES,
            "name": {"value": name, "localizedValue": names.get(name, f"{name} vCPUs")},
        }
        for name, value in used.items()
    ]
    return Reply(200, {"value": rows})
