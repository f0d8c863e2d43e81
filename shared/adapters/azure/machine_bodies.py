"""Request bodies for boot-test machines.

* Everything is deleted with the machine: ``deleteOption`` is ``Delete`` for the OS disk, every data disk and the
  network interface. By default, Azure keeps disks (Microsoft Learn, "Delete a VM and attached resources").
* Nobody can sign in: there is no public IP address. A Linux machine has a public key whose private key is discarded, a
  Windows machine a random password that is discarded.
* Secure boot and the vTPM are on in machines that have them ("Trusted Launch", "About Azure confidential VMs"), but for
  secure boot with NonPersistedTPM, which has none (microsoft/lisa#3087).
  Standard machines have no security profile: API versions before 2025-11-01 take ``Standard`` only from subscriptions
  with a feature flag (Azure/azure-cli#31234), and images of a gallery do not need it (Azure/azure-cli#31191).
* Disks inherit their tags from the machine when they are created with it (hashicorp/terraform-provider-azurerm#8162).
  The network interface has its own tags.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from shared.adapters.common.own_machines import own_tags
from shared.domain.image_traits import SecurityType
from shared.ports import NO_TAGS, MachineSpec

NETWORK_API: Final = "2022-11-01"
"""Allowed values of ``networkApiVersion`` are 2020-11-01 and 2022-11-01 (azure-mgmt-compute, NetworkApiVersion)."""
_ADMIN: Final = "ringmaster"
_SHORTEST_PROBE: Final = timedelta(seconds=30)
_LONGEST_PROBE: Final = timedelta(minutes=90)
_GUEST_STATE: Final = {
    "encryptedvmgueststateonlywithpmk": "VMGuestStateOnly",
    "encryptedwithpmk": "DiskWithVMGuestState",
    "encryptedwithcmk": "DiskWithVMGuestState",
    "nonpersistedtpm": "NonPersistedTPM",
}
"""``securityEncryptionType`` of a machine by ``confidentialVMEncryptionType`` of its version."""


def machine_body(spec: MachineSpec, subnet: str) -> dict[str, Any]:
    """The PUT body of a machine.

    A specialized image has its own users and host name, so it must have no ``osProfile``.
    """
    properties: dict[str, Any] = {
        "hardwareProfile": {"vmSize": spec.vm_size},
        "storageProfile": _storage(spec),
        "networkProfile": {"networkApiVersion": NETWORK_API, "networkInterfaceConfigurations": [_nic(spec, subnet)]},
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
    }
    if spec.os_state.lower() != "specialized":
        properties["osProfile"] = _os_profile(spec)
    if spec.security is not SecurityType.STANDARD:
        properties["securityProfile"] = {
            "securityType": spec.security.value,
            "uefiSettings": {"secureBootEnabled": _guest_state(spec) != "NonPersistedTPM", "vTpmEnabled": True},
        }
    body = {"location": spec.region, "tags": own_tags(spec), "properties": properties}
    if spec.zone is not None:
        body["zones"] = [spec.zone]
    if spec.plan is not None:
        # "Attach Azure Marketplace purchase plan information to images": publisher, product and name of the definition.
        body["plan"] = {"publisher": spec.plan.publisher, "product": spec.plan.product, "name": spec.plan.name}
    return body


def probe_body(region: str, script: str, within: timedelta, tags: Mapping[str, str] = NO_TAGS) -> dict[str, Any]:
    """The PUT body of a managed run command.

    A failure of the script is reported in the instance view, not as a failed deployment.
    """
    bounded = min(max(within, _SHORTEST_PROBE), _LONGEST_PROBE)
    return {
        "location": region,
        **({"tags": dict(tags)} if tags else {}),
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
        "managedDisk": _os_disk(spec),
    }
    keys = spec.keys.data_disks
    data_disks = [
        {
            "name": f"{spec.name}-data{lun}",
            "lun": lun,
            "createOption": "FromImage",
            "deleteOption": "Delete",
            "managedDisk": {"storageAccountType": spec.disk_type, **_set("diskEncryptionSet", keys.get(lun))},
        }
        for lun in spec.data_disk_luns or range(spec.data_disks)
    ]
    storage: dict[str, Any] = {"imageReference": {"id": str(spec.image)}, "osDisk": os_disk, "dataDisks": data_disks}
    return storage if spec.controller is None else {**storage, "diskControllerType": spec.controller}


def _os_disk(spec: MachineSpec) -> dict[str, Any]:
    """The managed disk. A confidential machine's says how it is encrypted ("VMDiskSecurityProfile")."""
    disk: dict[str, Any] = {"storageAccountType": spec.disk_type}
    if spec.security is not SecurityType.CONFIDENTIAL_VM:
        return {**disk, **_set("diskEncryptionSet", spec.keys.os_disk)}
    customers = (spec.keys.confidential or "").lower() == "encryptedwithcmk"
    profile = {
        "securityEncryptionType": _guest_state(spec),
        **_set("diskEncryptionSet", spec.keys.confidential_set if customers else None),
    }
    return {**disk, "securityProfile": profile}


def _guest_state(spec: MachineSpec) -> str | None:
    """``securityEncryptionType``; None for a machine that is not confidential."""
    if spec.security is not SecurityType.CONFIDENTIAL_VM:
        return None
    return _GUEST_STATE.get((spec.keys.confidential or "").lower(), "VMGuestStateOnly")


def _set(name: str, resource_id: str | None) -> dict[str, Any]:
    return {} if resource_id is None else {name: {"id": resource_id}}


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
            # The password must contain three of four character classes.
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
