"""The health of scale-set instances, and what became of upgrades. A test or a scenario says how they are.

`sim["health"]` of an instance or a machine is the code of its `vmHealth`; without it nothing monitors the instance, and
the view has no `vmHealth` (Microsoft Learn, "Using Application Health extension with Virtual Machine Scale Sets").
`sim["upgrades"]` of a scale set are the entries of its history, the newest first, and `sim["rolling"]` its latest
rolling upgrade.
"""

import copy
from typing import Any

from local.arm.kernel.errors import ArmError
from local.arm.kernel.messages import Reply
from local.arm.kernel.paging import paged
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Document, Resource

routes = Routes()

_ONE = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Compute/virtualMachineScaleSets/{vmss}"


def health_view(resource: Resource) -> Document:
    """What the health of a machine adds to its instance view."""
    code = resource.sim.get("health")
    if code is None:
        return {}
    shown = f"The VM is reporting itself as {code.rpartition('/')[2]}"
    return {"vmHealth": {"status": {"code": code, "level": "Info", "displayStatus": shown}}}


def with_view(resource: Resource) -> Document:
    """An instance of uniform orchestration with its view (`$expand=instanceView`)."""
    document = copy.deepcopy(resource.document)
    done = {
        "code": "ProvisioningState/succeeded",
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
        "time": resource.properties["timeCreated"],
    }
    document["properties"]["instanceView"] = {"statuses": [done]} | health_view(resource)
    return document


@routes.operation(
    "GET",
    _ONE + "/osUpgradeHistory",
    name="VirtualMachineScaleSets_GetOSUpgradeHistory",
    bucket="HighCostGetVMScaleSet",
)
def upgrade_history(request: Request) -> Reply:
    """Automatic OS upgrades: the last five, of two months ("Automatic OS image upgrades", Microsoft Learn)."""
    resource = request.require(request.scope)
    history: list[Any] = resource.sim.get("upgrades", [])
    return paged(request, history[:5])


@routes.operation(
    "GET",
    _ONE + "/rollingUpgrades/latest",
    name="VirtualMachineScaleSetRollingUpgrades_GetLatest",
    bucket="GetVMScaleSet",
)
def latest_rolling_upgrade(request: Request) -> Reply:
    """The latest rolling upgrade; 404 where there was none."""
    resource = request.require(request.path.removesuffix("/rollingUpgrades/latest"))
    latest = resource.sim.get("rolling")
    if latest is None:
        raise ArmError(404, "NotFound", f"No rolling upgrade of '{resource.name}' was found.")
    return Reply(200, latest)
