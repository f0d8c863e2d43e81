"""A stored virtual machine: what the simulator keeps beside its document, and what follows from the time of day.

`sim["machine"]` holds `timeline` and `boots` (the consoles of earlier boots), `power` (a list of `[when, state]`),
`image`, `failed` (`code`, `message`, `at`), `generalized` and `operation` (the operation of its creation).
"""

from collections.abc import Callable
from typing import Any

from local.arm.kernel.conventions import spelled, stable_guid
from local.arm.kernel.errors import ArmError
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.routing import Request
from local.arm.kernel.store import Document, Resource, Store
from local.arm.machines.characters import Character, Provisioning, named
from local.arm.machines.characters.console import Guest, console
from local.arm.machines.characters.guest import KERNEL, GuestModel
from local.arm.machines.characters.timeline import Timeline
from local.arm.machines.image_reference import Image, from_document
from local.arm.machines.sizes import SIZES

KIND = "Microsoft.Compute/virtualMachines"


class Machine:
    """A view of a virtual machine's resource; changes go to `resource.sim["machine"]`."""

    def __init__(self, resource: Resource) -> None:
        """Wrap a stored resource."""
        self.resource = resource
        self.facts: Document = resource.sim["machine"]

    @property
    def character(self) -> Character:
        """How it behaves."""
        return named(self.resource.sim.get("character"))

    @property
    def timeline(self) -> Timeline:
        """The moments of its present (or last) boot."""
        return Timeline(**self.facts["timeline"])

    @property
    def image(self) -> Image | None:
        """What it was made from; None for one made from an attached disk."""
        return from_document(self.facts["image"]) if self.facts["image"] else None

    @property
    def state(self) -> str:
        """Its provisioningState."""
        return self.resource.properties["provisioningState"]

    @property
    def vm_id(self) -> str:
        """The GUID of this incarnation."""
        return self.resource.properties["vmId"]

    @property
    def computer_name(self) -> str:
        """The name that was asked for."""
        return (self.resource.properties.get("osProfile") or {}).get("computerName") or self.resource.name

    @property
    def host_name(self) -> str:
        """The name that the guest gives itself; one that was never provisioned keeps that of its origin."""
        image = self.image
        never = self.character.provisioning is Provisioning.NOT_GENERALIZED
        if image is not None and (never or not image.generalized):
            return image.host_name
        return self.computer_name

    def power(self, now: float) -> str | None:
        """`running`, `starting`, `stopped`, `stopping`, `deallocated`, `deallocating`; None before the first start."""
        found = [state for at, state in self.facts["power"] if at <= now]
        return found[-1] if found else None

    def is_agent_ready(self, now: float) -> bool:
        """Whether the VM agent has reported since the last boot."""
        ready = self.timeline.agent_ready
        return self.power(now) == "running" and ready is not None and now >= ready

    def console(self, kernel: Kernel, now: float) -> bytes:
        """All that it wrote to its serial port so far, every boot after the other."""
        older = b"".join(bytes.fromhex(text) for text in self.facts["boots"])
        return older + self.current_console(kernel, now)

    def current_console(self, kernel: Kernel, now: float) -> bytes:
        """What it wrote since its last boot."""
        image, line = self.image, self.timeline
        if self.power(now) is None or (image is not None and image.os_type.lower() == "windows"):
            return b""
        guest = Guest(
            self.computer_name,
            image.host_name if image else self.computer_name,
            private_address(kernel.store, self.resource),
            mac_address(kernel.store, self.resource),
            KERNEL,
            line.powered_on,
        )
        until = self.facts.get("halted_at") or now
        script = self.character.console_again if self.facts["boots"] else None
        return console(script or self.character.console, guest, line.guest_seconds(min(now, until)))

    def guest(self, kernel: Kernel) -> GuestModel:
        """The guest that a script sees."""
        size = SIZES[self.resource.properties["hardwareProfile"]["vmSize"].lower()]
        parts = self.resource.id.split("/")
        image = self.image
        return GuestModel(
            host_name=self.host_name,
            vm_name=self.resource.name,
            vm_id=self.vm_id,
            subscription=parts[2],
            group=parts[4],
            location=self.resource.location,
            size=size.name,
            private_ip=private_address(kernel.store, self.resource),
            mac=mac_address(kernel.store, self.resource),
            admin=(self.resource.properties.get("osProfile") or {}).get("adminUsername") or "azureuser",
            booted_at=self.timeline.powered_on,
            boot_number=len(self.facts["boots"]) + 1,
            cores=size.cores,
            memory_mib=size.memory,
            disk_gib=image.os_disk_gib if image else 30,
            failed_units=self.character.failed_units,
            is_new=self.host_name == self.computer_name,
            image_id=image.source_id if image else "",
            origin=self._origin(),
        )

    def _origin(self) -> str:
        """What the guest's machine id and host keys are made from, if not from the machine itself."""
        if self.character.is_cloned and self.image is not None:
            return self.image.host_name
        return f"{self.vm_id} {len(self.facts['boots'])}" if self.character.renews_identity else ""


def machine(request: Request, machine_id: str | None = None) -> Machine:
    """The machine that a path is about, or ARM's 404."""
    return Machine(request.require(machine_id))


def bump(resource: Resource) -> None:
    """Another etag after a change: a counter in quotes (recorded: `"2"` for a machine that has just been made)."""
    number = resource.sim["machine"].get("changes", 0) + 1
    resource.sim["machine"]["changes"] = number
    resource.document["etag"] = f'"{number}"'


def identity_of(request: Request, given: Any, existing: Resource | None) -> Document:
    """The identities of a machine: its own gets a principal, those given to it are added to those that it has."""
    before = (existing.document.get("identity") or {}) if existing else {}
    asked = given or {}
    users = dict(before.get("userAssignedIdentities") or {})
    for name, value in (asked.get("userAssignedIdentities") or {}).items():
        number = stable_guid(name.lower(), "principal")
        users[name] = value or {"principalId": number, "clientId": stable_guid(name.lower(), "client")}
    kinds = [one.strip() for one in str(asked.get("type", "None")).split(",")]
    found: Document = {"type": ", ".join(spelled(one, "SystemAssigned", "UserAssigned", "None") for one in kinds)}
    if "SystemAssigned" in found["type"]:
        principal = stable_guid(request.resource_id.lower(), "principal")
        found |= {"principalId": principal, "tenantId": request.kernel.tokens.tenant_id}
    return found | ({"userAssignedIdentities": users} if users and "UserAssigned" in found["type"] else {})


def nics_of(store: Store, resource: Resource) -> list[Resource]:
    """The NICs of a machine that exist, in its order."""
    listed = resource.properties.get("networkProfile", {}).get("networkInterfaces") or []
    found = (store.get(one["id"]) for one in listed)
    return [nic for nic in found if nic is not None]


def _from_nic(pick: Callable[[Document], str]) -> Callable[[Store, Resource], str]:
    def read(store: Store, resource: Resource) -> str:
        nics = nics_of(store, resource)
        return pick(nics[0].properties) if nics else ""

    return read


private_address = _from_nic(lambda nic: nic["ipConfigurations"][0]["properties"]["privateIPAddress"])
mac_address = _from_nic(lambda nic: nic["macAddress"].replace("-", ":").lower())


def require_not_deleting(found: Machine, what: str) -> None:
    """Refuse work on a machine that is being deleted (Azure's text)."""
    if found.state == "Deleting":
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation '{what}' is not allowed on VM '{found.resource.name}' since the VM is marked for deletion. "
            "You can only retry the Delete operation (or wait for an ongoing one to complete).",
        )


_UNPREPARED = (
    "However, the VM guest agent was detected running. This suggests the guest OS has not been properly prepared to be "
    "used as a VM Image (with CreateOption=FromImage). To resolve this issue, either use the VHD as is with "
    "CreateOption=Attach or prepare it properly for use as an image:\r\n * Instructions for Windows: "
    "https://azure.microsoft.com/documentation/articles/virtual-machines-windows-upload-image/ \r\n * Instructions for "
    "Linux: https://azure.microsoft.com/documentation/articles/virtual-machines-linux-capture-image/ "
)
_MAY_STILL_FINISH = (
    "The VM may still finish provisioning successfully. Please check provisioning state later. For details on how to "
    "check current provisioning state of Windows VMs, refer to https://aka.ms/WindowsVMLifecycle and Linux VMs, "
    "refer to https://aka.ms/LinuxVMLifecycle."
)


def failure_of(found: Machine) -> ArmError | None:
    """The error that a machine's provisioning ends with (azure-cli#29203, LISA's runs), or None."""
    kind, image = found.character.provisioning, found.image
    if kind is Provisioning.SUCCEEDS or image is None or not image.generalized:
        return None
    tail = _UNPREPARED if kind is Provisioning.NOT_GENERALIZED else _MAY_STILL_FINISH
    head = f"OS Provisioning for VM '{found.resource.name}' did not finish in the allotted time."
    return ArmError(409, "OSProvisioningTimedOut", f"{head} {tail}")


ALLOCATION_FAILED = (
    "Allocation failed. We do not have sufficient capacity for the requested VM size in this region. Read more about "
    "improving likelihood of allocation success at http://aka.ms/allocation-guidance"
)


def status(code: str, level: str, shown: str, **more: Any) -> Document:
    """One entry of an instance view's `statuses`."""
    return {"code": code, "level": level, "displayStatus": shown} | more
