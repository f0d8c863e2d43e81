"""Every operation that the simulator offers of Compute, done once or more: what a release never asks for as well."""

from __future__ import annotations

from typing import Any, Final

from local.arm.kernel.messages import Reply
from tests.contract.arm.azure import COMPUTE, DAY, DEFINITION, GALLERY, GROUP, NETWORK, VERSION, Azure
from tests.contract.arm.azure import machine as body_of_a_machine
from tests.contract.arm.azure import version as body_of_a_version
from tests.contract.arm.exchanges import Recorder

SUBSCRIPTION: Final = GROUP.split("/resourceGroups/")[0]
ALL: Final = f"{SUBSCRIPTION}/providers/Microsoft.Compute"
HOUR: Final = 3600.0
TAGS: Final = {"tags": {"purpose": "tour"}}
HERE: Final = {"location": "westeurope"}


def a_tour() -> Recorder:
    """The recorded traffic of the whole tour."""
    recorder = Recorder()
    azure = _Guided(recorder)
    for part in (_galleries, _soft_deletion, _disks, _machines, _images, _run_commands, _scale_sets, _plans, _refusals):
        part(azure)
    return recorder


class _Guided(Azure):
    """A simulator whose every exchange is heard, and that lets enough time pass after each."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.hear = recorder.hear

    def do(
        self, method: str, path: str, body: Any = None, *, wait: float = HOUR, expand: str = "", **query: str
    ) -> Reply:
        reply = self.call(method, path, body, **query, **({"$expand": expand} if expand else {}))
        self.advance(wait)
        return reply


def _galleries(azure: _Guided) -> None:
    gallery, definition = f"{COMPUTE}/galleries/tour", f"{COMPUTE}/galleries/tour/images/thing"
    facts: dict[str, Any] = {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V2",
        "architecture": "x64",
        "identifier": {"publisher": "p", "offer": "o", "sku": "s"},
        "features": [{"name": "SecurityType", "value": "TrustedLaunchSupported"}],
        "recommended": {"vCPUs": {"min": 1, "max": 8}, "memory": {"min": 1, "max": 64}},
        "disallowed": {"diskTypes": ["Standard_LRS"]},
        "purchasePlan": {"name": "n", "publisher": "p", "product": "o"},
        "endOfLifeDate": "2099-01-01T00:00:00Z",
    }
    for _ in range(2):
        azure.do("PUT", gallery, HERE | TAGS | {"properties": {"description": "made on a tour"}})
        azure.do("PUT", definition, HERE | TAGS | {"properties": facts})
    azure.do("PATCH", gallery, TAGS | {"properties": {"description": "changed"}})
    azure.do("PATCH", definition, TAGS | {"properties": facts | {"description": "changed"}})
    azure.do("PUT", VERSION, body_of_a_version("northeurope", "eastus", replicaCount=2), wait=DAY)
    azure.do("GET", VERSION, expand="ReplicationStatus")
    azure.do("PUT", VERSION, body_of_a_version("northeurope", "eastus", "westus"), wait=DAY)
    azure.do("PATCH", VERSION, TAGS, wait=DAY)
    for path in (GALLERY, DEFINITION, VERSION, f"{GALLERY}/images", f"{DEFINITION}/versions"):
        azure.do("GET", path)
    azure.do("GET", f"{COMPUTE}/galleries")
    azure.do("GET", f"{ALL}/galleries")
    azure.do("PATCH", gallery, {"properties": {"sharingProfile": {"permissions": "Groups"}}})
    groups = [{"type": "Subscriptions", "ids": [SUBSCRIPTION.rsplit("/", 1)[1]]}]
    azure.do("POST", f"{gallery}/share", {"operationType": "Add", "groups": groups})
    azure.do("GET", gallery, expand="SharingProfile/Groups")
    azure.do("POST", f"{gallery}/share", {"operationType": "Reset"})
    for path in (definition, gallery):
        azure.do("DELETE", path)
        azure.do("DELETE", path)


def _soft_deletion(azure: _Guided) -> None:
    azure.do("PATCH", GALLERY, {"properties": {"softDeletePolicy": {"isSoftDeleteEnabled": True}}})
    other = f"{DEFINITION}/versions/1.0.1"
    azure.do("PUT", other, body_of_a_version(), wait=DAY)
    azure.do("DELETE", other)
    azure.do("GET", other)
    azure.do("GET", GALLERY)


def _disks(azure: _Guided) -> None:
    disk, snapshot = f"{COMPUTE}/disks/tour", f"{COMPUTE}/snapshots/tour"
    empty = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32}
    copied = {"creationData": {"createOption": "Copy", "sourceResourceId": disk}}
    for path, properties in ((disk, empty), (snapshot, copied)):
        for _ in range(2):
            azure.do("PUT", path, HERE | TAGS | {"sku": {"name": "Standard_LRS"}, "properties": properties})
        azure.do("GET", path)
        azure.do("PATCH", path, TAGS)
        azure.do("POST", f"{path}/beginGetAccess", {"access": "Read", "durationInSeconds": 3600})
        azure.do("GET", path)
        azure.do("POST", f"{path}/endGetAccess")
        azure.do("GET", path.rsplit("/", 1)[0])
        azure.do("GET", path.rsplit("/", 1)[0].replace(GROUP, SUBSCRIPTION))
    from_version = {"creationData": {"createOption": "FromImage", "galleryImageReference": {"id": VERSION}}}
    upload = {"creationData": {"createOption": "Upload", "uploadSizeBytes": 32 * 1024**3 + 512}}
    incremental = copied | {"incremental": True}
    for name, properties, sku in (
        ("disks/of-version", from_version, "Premium_LRS"),
        ("disks/uploaded", upload, "StandardSSD_LRS"),
        ("disks/fast", empty, "UltraSSD_LRS"),
        ("snapshots/incremental", incremental, "Standard_ZRS"),
    ):
        azure.do("PUT", f"{COMPUTE}/{name}", HERE | {"sku": {"name": sku}, "properties": properties})
        azure.do("GET", f"{COMPUTE}/{name}")
    for path in (snapshot, disk):
        azure.do("DELETE", path)
        azure.do("DELETE", path)


def _machines(azure: _Guided) -> None:
    path = f"{COMPUTE}/virtualMachines/probe"
    body: dict[str, Any] = body_of_a_machine() | TAGS | {"identity": {"type": "SystemAssigned"}}
    body["properties"]["storageProfile"]["dataDisks"] = [{"lun": 1, "createOption": "Empty", "diskSizeGB": 8}]
    azure.do("PUT", path, body, wait=20)
    azure.do("GET", path, expand="instanceView")
    azure.advance(HOUR)
    azure.do("PUT", path, body)
    azure.do("PATCH", path, TAGS | {"properties": {"diagnosticsProfile": {"bootDiagnostics": {"enabled": True}}}})
    for look in ("", "/instanceView", "/vmSizes"):
        azure.do("GET", path + look)
    azure.do("GET", path, expand="instanceView")
    azure.do("POST", f"{path}/retrieveBootDiagnosticsData")
    for action in ("restart", "redeploy", "reapply", "powerOff", "start", "deallocate"):
        azure.do("POST", f"{path}/{action}")
        azure.do("GET", path, expand="instanceView")
    azure.do("GET", f"{COMPUTE}/virtualMachines")
    azure.do("GET", f"{ALL}/virtualMachines")
    azure.do("GET", f"{ALL}/virtualMachines", statusOnly="true")
    azure.do("GET", f"{ALL}/locations/westeurope/virtualMachines")
    windows = "MicrosoftWindowsServer", "WindowsServer", "2022-datacenter-g2", "latest"
    other = body_of_a_machine()
    other["properties"]["storageProfile"]["imageReference"] = dict(
        zip(("publisher", "offer", "sku", "version"), windows, strict=True)
    )
    azure.do("PUT", f"{COMPUTE}/virtualMachines/windows", other)
    azure.do("GET", f"{COMPUTE}/virtualMachines/windows", expand="instanceView")
    azure.do("DELETE", f"{COMPUTE}/virtualMachines/windows", forceDeletion="true")
    azure.do("DELETE", f"{COMPUTE}/virtualMachines/windows")


def _images(azure: _Guided) -> None:
    machine = f"{COMPUTE}/virtualMachines/probe"
    path = f"{COMPUTE}/images/captured"
    azure.do("POST", f"{machine}/generalize")
    azure.do("GET", machine, expand="instanceView")
    azure.do("PUT", path, HERE | {"properties": {"sourceVirtualMachine": {"id": machine}}})
    azure.do("PATCH", path, TAGS)
    for look in (path, f"{COMPUTE}/images", f"{ALL}/images"):
        azure.do("GET", look)
    for _ in range(2):
        azure.do("DELETE", path)
    azure.do("DELETE", machine)


def _run_commands(azure: _Guided) -> None:
    machine = f"{COMPUTE}/virtualMachines/runs"
    command = f"{machine}/runCommands/one"
    azure.do("PUT", machine, body_of_a_machine())
    body = HERE | {"properties": {"source": {"commandId": "RunShellScript"}, "timeoutInSeconds": 60}}
    azure.do("PUT", command, body)
    azure.do("PATCH", command, {"properties": {"parameters": [{"name": "A", "value": "b"}]}})
    azure.do("GET", command, expand="instanceView")
    azure.do("GET", f"{machine}/runCommands")
    azure.do("POST", f"{machine}/runCommand", {"commandId": "RunShellScript", "script": []})
    for _ in range(2):
        azure.do("DELETE", command)


def _scale_sets(azure: _Guided) -> None:
    path = f"{COMPUTE}/virtualMachineScaleSets/fleet"
    address = {"name": "ip", "properties": {"subnet": {"id": f"{NETWORK}/subnets/tests"}}}
    nic = {"name": "nic", "properties": {"primary": True, "ipConfigurations": [address]}}
    model = {
        "storageProfile": {"imageReference": {"id": DEFINITION}},
        "osProfile": {"computerNamePrefix": "f", "adminUsername": "azureuser", "adminPassword": "Not-used-1234"},
        "networkProfile": {"networkInterfaceConfigurations": [nic]},
    }
    body = HERE | TAGS | {"sku": {"name": "Standard_DS1_v2", "tier": "Standard", "capacity": 2}}
    properties = {"upgradePolicy": {"mode": "Rolling"}, "virtualMachineProfile": model}
    for _ in range(2):
        azure.do("PUT", path, body | {"properties": properties})
    azure.do("PATCH", path, {"sku": {"name": "Standard_DS1_v2", "capacity": 1}})
    for look in ("", "/instanceView", "/virtualMachines", "/virtualMachines/0", "/osUpgradeHistory"):
        azure.do("GET", path + look)
    # Nothing upgrades machines of a scale set here: what a rolling upgrade would say is put there.
    found = azure.kernel.store.get(path)
    assert found is not None
    found.sim["rolling"] = {
        "id": f"{path}/rollingUpgrades/latest",
        "name": "latest",
        "type": "Microsoft.Compute/virtualMachineScaleSets/rollingUpgrades",
        "location": found.location,
        "properties": {"runningStatus": {"code": "Completed", "startTime": "2026-01-01T00:00:00+00:00"}},
    }
    azure.kernel.store.put(found)
    azure.do("GET", f"{path}/rollingUpgrades/latest")
    azure.do("GET", f"{COMPUTE}/virtualMachineScaleSets")
    azure.do("GET", f"{ALL}/virtualMachineScaleSets")
    for _ in range(2):
        azure.do("DELETE", path)


def _plans(azure: _Guided) -> None:
    """A flexible set and a machine of a bought, trusted image; a read of what there is to have."""
    gallery, plan = f"{COMPUTE}/galleries/bought", {"name": "n", "publisher": "p", "product": "o"}
    definition = f"{gallery}/images/thing"
    facts: dict[str, Any] = {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V2",
        "identifier": {"publisher": "p", "offer": "o", "sku": "bought"},
        "features": [{"name": "SecurityType", "value": "TrustedLaunchSupported"}],
        "purchasePlan": plan,
    }
    image = f"{COMPUTE}/images/second-generation"
    disk = {"osType": "Linux", "osState": "Generalized", "blobUri": "https://account.blob.core.windows.net/vhds/a.vhd"}
    azure.do("PUT", image, HERE | {"properties": {"hyperVGeneration": "V2", "storageProfile": {"osDisk": disk}}})
    azure.do("PUT", gallery, HERE)
    azure.do("PUT", definition, HERE | {"properties": facts})
    azure.do("PUT", f"{definition}/versions/1.0.0", body_of_a_version(source=image), wait=DAY)
    body: dict[str, Any] = body_of_a_machine(image=definition) | {"plan": plan}
    body["properties"]["hardwareProfile"]["vmSize"] = "Standard_D2s_v5"
    settings = {"secureBootEnabled": True, "vTpmEnabled": True}
    body["properties"]["securityProfile"] = {"securityType": "TrustedLaunch", "uefiSettings": settings}
    azure.do("PUT", f"{COMPUTE}/virtualMachines/bought", body)
    model = {key: body["properties"][key] for key in ("networkProfile", "securityProfile", "storageProfile")}
    model["osProfile"] = {"computerNamePrefix": "f", "adminUsername": "azureuser", "adminPassword": "Not-used-1234"}
    fleet = f"{COMPUTE}/virtualMachineScaleSets/flexible"
    flexible = {"orchestrationMode": "Flexible", "platformFaultDomainCount": 1, "virtualMachineProfile": model}
    sku = {"sku": {"name": "Standard_D2s_v5", "tier": "Standard", "capacity": 1}}
    azure.do("PUT", fleet, HERE | sku | {"plan": plan, "properties": flexible}, wait=10)
    azure.advance(HOUR)
    for look in ("", "/virtualMachines", "/instanceView"):
        azure.do("GET", fleet + look)
    azure.do("DELETE", fleet)
    azure.do("GET", f"{ALL}/locations/westeurope/usages")


def _refusals(azure: _Guided) -> None:
    """What is refused everywhere: things that are not there, and requests that make no sense."""
    for kind in ("galleries", "images", "virtualMachines", "virtualMachineScaleSets", "disks"):
        azure.do("GET", f"{COMPUTE}/{kind}/none")
    for path in (f"{GALLERY}/images/none", f"{DEFINITION}/versions/9.9.9"):
        azure.do("GET", path)
    azure.do("DELETE", DEFINITION)
    azure.befall(fault="throttle", retry_after=17)
    azure.do("GET", DEFINITION)
    azure.kernel.faults.replace([])
