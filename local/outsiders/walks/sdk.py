"""The walk of Azure's own synchronous SDK. Prints one line of JSON for every step."""

import json
import os
from collections.abc import Callable
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.identity import ManagedIdentityCredential
from azure.mgmt.compute import ComputeManagementClient

GROUP, GALLERY, DEFINITION, VERSION = "images", "sdk_gallery", "linux", "1.0.0"
SUBSCRIPTION = os.environ["AZURE_SUBSCRIPTION_ID"]
ROOT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
HERE = "westeurope"
NIC = {
    "name": "nic",
    "properties": {
        "primary": True,
        "deleteOption": "Delete",
        "ipConfigurations": [
            {
                "name": "ip",
                "properties": {"subnet": {"id": f"{ROOT}/Microsoft.Network/virtualNetworks/net/subnets/tests"}},
            }
        ],
    },
}
NETWORK = {"networkApiVersion": "2022-11-01", "networkInterfaceConfigurations": [NIC]}
SYSTEM = {"adminUsername": "azureuser", "adminPassword": "Not-a-secret-1234"}


def walk(compute: Any) -> None:
    """All steps, in order; one that fails does not stop the others."""
    image = f"{ROOT}/Microsoft.Compute/galleries/{GALLERY}/images/{DEFINITION}/versions/{VERSION}"
    facts: dict[str, Any] = {"osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V2"}
    facts["features"] = [{"name": "SecurityType", "value": "TrustedLaunchSupported"}]
    facts["identifier"] = {"publisher": "p", "offer": "o", "sku": "sdk"}
    targets = [{"name": HERE}, {"name": "northeurope", "regionalReplicaCount": 2}]
    version = {
        "publishingProfile": {"targetRegions": targets},
        "storageProfile": {"source": {"id": f"{ROOT}/Microsoft.Compute/images/base"}},
    }
    machine = {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": {
            "imageReference": {"id": image},
            "osDisk": {"createOption": "FromImage", "deleteOption": "Delete"},
        },
        "osProfile": {"computerName": "sdk-vm", **SYSTEM},
        "networkProfile": NETWORK,
        "securityProfile": {
            "securityType": "TrustedLaunch",
            "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
        },
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
    }
    model = {
        "storageProfile": {"imageReference": {"id": image}},
        "osProfile": {"computerNamePrefix": "f", **SYSTEM},
        "networkProfile": NETWORK,
    }
    fleet = {"orchestrationMode": "Flexible", "platformFaultDomainCount": 1, "virtualMachineProfile": model}
    versions, machines = compute.gallery_image_versions, compute.virtual_machines
    one = (GROUP, GALLERY, DEFINITION, VERSION)
    script = {"commandId": "RunShellScript", "script": ["hostname"]}
    scale_set = {"location": HERE, "sku": {"name": "Standard_D2s_v5", "capacity": 2}, "properties": fleet}

    def put(properties: Any) -> dict[str, Any]:
        return {"location": HERE, "properties": properties}

    step("create a gallery", lambda: compute.galleries.begin_create_or_update(GROUP, GALLERY, put({})).result().name)
    step(
        "create an image definition",
        lambda: compute.gallery_images.begin_create_or_update(GROUP, GALLERY, DEFINITION, put(facts)).result().name,
    )
    step("publish an image version", lambda: versions.begin_create_or_update(*one, put(version)).result().name)
    step("read its replication", lambda: _replication(versions.get(*one, expand="ReplicationStatus")))
    step("list versions", lambda: f"{len(list(versions.list_by_gallery_image(*one[:3])))} versions")
    step("create a machine", lambda: machines.begin_create_or_update(GROUP, "sdk-vm", put(machine)).result().name)
    step("read its instance view", lambda: machines.instance_view(GROUP, "sdk-vm").statuses[-1].code)
    step(
        "run a command",
        lambda: machines.begin_run_command(GROUP, "sdk-vm", script).result().value[0].message.split()[3],
    )
    step(
        "read its console",
        lambda: bool(machines.retrieve_boot_diagnostics_data(GROUP, "sdk-vm").serial_console_log_blob_uri),
    )
    step(
        "resize, but to NVMe",
        lambda: machines.begin_update(GROUP, "sdk-vm", _size("Standard_D2s_v6")).result(),
        refused="InvalidParameter",
    )
    step(
        "create a flexible scale set",
        lambda: compute.virtual_machine_scale_sets.begin_create_or_update(GROUP, "sdk-fleet", scale_set).result().name,
    )
    step("list machines", lambda: f"{len(list(machines.list(GROUP)))} machines")
    step("list SKUs", lambda: f"{len(list(compute.resource_skus.list(filter=f"location eq '{HERE}'")))} SKUs")
    step("list usages", lambda: f"{len(list(compute.usage.list(HERE)))} usages")
    step(
        "delete the scale set",
        lambda: compute.virtual_machine_scale_sets.begin_delete(GROUP, "sdk-fleet").result() or "",
    )
    step("delete the machine", lambda: machines.begin_delete(GROUP, "sdk-vm", force_deletion=True).result() or "")
    step("delete the version", lambda: versions.begin_delete(*one).result() or "")


def _size(name: str) -> dict[str, Any]:
    return {"properties": {"hardwareProfile": {"vmSize": name}}}


def _replication(version: Any) -> str:
    return str(version.properties.replication_status.aggregated_state)


def step(name: str, act: Callable[[], Any], *, refused: str | None = None) -> None:
    """Do one step and say how it went; with `refused` it is well when it is refused with that code."""
    try:
        words, ok = str(act()), refused is None
    except HttpResponseError as fault:
        code = fault.error.code if fault.error else ""
        words, ok = f"{code}: {fault.message}".splitlines()[0], refused is not None and code == refused
    print(json.dumps({"step": name, "ok": ok, "words": words}), flush=True)


if __name__ == "__main__":
    arm = os.environ["ARM_ENDPOINT"]
    with ComputeManagementClient(
        ManagedIdentityCredential(),
        SUBSCRIPTION,
        base_url=arm,
        credential_scopes=[f"{arm}/.default"],
        polling_interval=0.2,
    ) as client:
        walk(client)
