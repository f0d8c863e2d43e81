"""The bodies of what is asked of Compute for a boot test.

* Everything a machine is made of is told to go with it: ``deleteOption`` is ``Delete`` for the OS disk, every data disk
  of the image and the NIC (the API's default keeps disks).
* Nobody can log in: no public address; a Linux machine knows one public key whose private half was never kept, a
  Windows machine a random password that was never kept.
* Disks take their tags from the machine when they are made with it (hashicorp/terraform-provider-azurerm#8162); a NIC
  is given its own.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any, Final

from shared.adapters.common.own_machines import own_tags
from shared.ports import MachineSpec

NETWORK_API: Final = "2022-11-01"
"""``networkApiVersion`` is an enumeration: 2020-11-01 or 2022-11-01 (azure-mgmt-compute)."""
_ADMIN: Final = "ringmaster"
_SHORTEST_PROBE: Final = timedelta(seconds=30)
_LONGEST_PROBE: Final = timedelta(minutes=90)


def machine_body(spec: MachineSpec, subnet: str) -> dict[str, Any]:
    """The PUT of a machine. A specialized image brings its own users and name, and refuses an ``osProfile``."""
    properties: dict[str, Any] = {
        "hardwareProfile": {"vmSize": spec.vm_size},
        "storageProfile": _storage(spec),
        "networkProfile": {"networkApiVersion": NETWORK_API, "networkInterfaceConfigurations": [_nic(spec, subnet)]},
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
    }
    if spec.os_state.lower() != "specialized":
        properties["osProfile"] = _os_profile(spec)
    if spec.trusted_launch:
        properties["securityProfile"] = {
            "securityType": "TrustedLaunch",
            "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
        }
    body = {"location": spec.region, "tags": own_tags(spec), "properties": properties}
    if spec.plan is not None:
        # "Attach Azure Marketplace purchase plan information to images": publisher, product and name of the definition.
        body["plan"] = {"publisher": spec.plan.publisher, "product": spec.plan.product, "name": spec.plan.name}
    return body


def probe_body(region: str, script: str, within: timedelta) -> dict[str, Any]:
    """The PUT of a managed run command. Its own failure is told in the instance view, not as a failed deployment."""
    bounded = min(max(within, _SHORTEST_PROBE), _LONGEST_PROBE)
    return {
        "location": region,
        "properties": {
            "source": {"script": script},
            "asyncExecution": False,
            "timeoutInSeconds": int(bounded.total_seconds()),
            "treatFailureAsDeploymentFailure": False,
        },
    }


def _storage(spec: MachineSpec) -> dict[str, Any]:
    os_disk = {
        "name": f"{spec.name}-os",
        "createOption": "FromImage",
        "deleteOption": "Delete",
        "managedDisk": {"storageAccountType": "Standard_LRS"},
    }
    data_disks = [
        {"name": f"{spec.name}-data{lun}", "lun": lun, "createOption": "FromImage", "deleteOption": "Delete"}
        for lun in spec.data_disk_luns or range(spec.data_disks)
    ]
    return {"imageReference": {"id": str(spec.image)}, "osDisk": os_disk, "dataDisks": data_disks}


def _nic(spec: MachineSpec, subnet: str) -> dict[str, Any]:
    address = {
        "name": "private",
        "properties": {"primary": True, "subnet": {"id": subnet}, "privateIPAddressVersion": "IPv4"},
    }
    return {
        "name": f"{spec.name}-nic",
        "tags": own_tags(spec),
        "properties": {"primary": True, "deleteOption": "Delete", "ipConfigurations": [address]},
    }


def _os_profile(spec: MachineSpec) -> dict[str, Any]:
    profile: dict[str, Any] = {"computerName": spec.name, "adminUsername": _ADMIN}
    if spec.os_type.lower() == "windows":
        return {
            **profile,
            # Three of four kinds of characters are demanded.
            "adminPassword": f"Rm1!{secrets.token_urlsafe(40)}",
            "windowsConfiguration": {"provisionVMAgent": True, "enableAutomaticUpdates": False},
        }
    key = {"path": f"/home/{_ADMIN}/.ssh/authorized_keys", "keyData": _public_key()}
    return {
        **profile,
        "linuxConfiguration": {
            "disablePasswordAuthentication": True,
            "provisionVMAgent": True,
            "ssh": {"publicKeys": [key]},
        },
    }


def _public_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    public = ed25519.Ed25519PrivateKey.generate().public_key()
    form = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return f"{form.decode()} ringmaster-boot-test"
