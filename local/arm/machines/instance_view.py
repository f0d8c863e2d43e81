"""The instance view of a machine at a moment, as recorded in `test_vm_create_special_name.yaml` and others.

The states while provisioning are those of Azure's article "States and billing".
"""

from typing import Any

from local.arm.kernel.clock import iso
from local.arm.kernel.store import Document, Store
from local.arm.machines.characters.guest import AGENT
from local.arm.machines.machine import Machine, status
from local.arm.machines.scale_set_health import health_view

_POWER = {
    "starting": "VM starting",
    "running": "VM running",
    "stopping": "VM stopping",
    "stopped": "VM stopped",
    "deallocating": "VM deallocating",
    "deallocated": "VM deallocated",
}


def show(found: Machine, now: float, store: Store, *, with_view: bool = False) -> Document:
    """The document of a GET, with the instance view where it was asked for."""
    document = dict(found.resource.document)
    if found.power(now) == "deallocated":
        document["properties"] = found.resource.properties | {"storageProfile": _deallocated(found)}
    if with_view:
        document["properties"] = document["properties"] | {"instanceView": instance_view(found, now, store)}
    return document


def _deallocated(found: Machine) -> Document:
    """The disks of a machine that is on no host: their ids alone, without kind and size (recorded)."""
    profile = found.resource.properties["storageProfile"]

    def bare(disk: Document) -> Document:
        if not (disk.get("managedDisk") or {}).get("id"):
            return disk
        kept = {key: value for key, value in disk.items() if key != "diskSizeGB"}
        return kept | {"managedDisk": {"id": disk["managedDisk"]["id"]}}

    return profile | {"osDisk": bare(profile["osDisk"]), "dataDisks": [bare(one) for one in profile["dataDisks"]]}


def instance_view(found: Machine, now: float, store: Store) -> Document:
    """The instance view at `now`."""
    view: Document = {}
    image = found.image
    if _has_reported(found, now):
        name, version = _SYSTEMS.get(_system(found), _SYSTEMS["ubuntu"])
        view |= {"computerName": found.host_name, "osName": name, "osVersion": version}
    agent = _agent(found, now)
    if agent:
        view["vmAgent"] = agent
    view["disks"] = _disks(found, now)
    diagnostics = found.resource.properties.get("diagnosticsProfile", {}).get("bootDiagnostics") or {}
    if diagnostics.get("enabled"):
        view["bootDiagnostics"] = _diagnostics(found, diagnostics)
    system = store.get((found.resource.properties["storageProfile"]["osDisk"].get("managedDisk") or {}).get("id", ""))
    attached = system.properties.get("hyperVGeneration", "V1") if system else "V1"
    view["hyperVGeneration"] = image.generation if image else attached
    view["statuses"] = [*_provisioning(found, now), *_power(found, now)]
    return view | health_view(found.resource)


_SYSTEMS = {
    "ubuntu": ("ubuntu", "24.04"),
    "debian": ("debian", "12"),
    "centos": ("centos", "7.5.1804"),
    "redhat": ("redhat", "9.4"),
    "sles": ("sles", "15.5"),
    "windows": ("Windows Server 2022 Datacenter", "10.0.20348.2340"),
}


def _system(found: Machine) -> str:
    """The word of `_SYSTEMS` for what runs on a machine, from its image's names."""
    image = found.image
    if image is not None and image.os_type.lower() == "windows":
        return "windows"
    named = str(image.reference if image else "").lower().replace("rhel", "redhat").replace("suse", "sles")
    return next((word for word in _SYSTEMS if word in named), "ubuntu")


def _has_reported(found: Machine, now: float) -> bool:
    """Whether the agent's last report is shown: also of a machine that was stopped since (recorded)."""
    ready = found.timeline.agent_ready
    return found.is_agent_ready(now) or (found.power(now) == "stopped" and ready is not None and now >= ready)


def _diagnostics(found: Machine, diagnostics: Document) -> Document:
    """Addresses only where the storage account is the customer's; for a managed one `retrieveBootDiagnosticsData`."""
    account = diagnostics.get("storageUri")
    if not account:
        return {}
    base = f"{account.rstrip('/')}/bootdiagnostics-{found.resource.name.lower()[:9]}-{found.vm_id}"
    stem = f"{base}/{found.resource.name}.{found.vm_id}"
    return {
        "consoleScreenshotBlobUri": f"{stem}.screenshot.bmp",
        "serialConsoleLogBlobUri": f"{stem}.serialconsole.log",
    }


def _agent(found: Machine, now: float) -> Document | None:
    if found.power(now) not in ("running", "starting", "stopping", "stopped"):
        return None
    if _has_reported(found, now):
        ready = status(
            "ProvisioningState/succeeded", "Info", "Ready", message="Guest Agent is running", time=_seconds(now)
        )
        return {"vmAgentVersion": AGENT, "statuses": [ready], "extensionHandlers": []}
    waiting = status(
        "ProvisioningState/Unavailable",
        "Warning",
        "Not Ready",
        message="VM status blob is found but not yet populated.",
        time=_seconds(now),
    )
    return {"vmAgentVersion": "Unknown", "statuses": [waiting]}


def _disks(found: Machine, now: float) -> list[Document]:
    profile = found.resource.properties["storageProfile"]
    at = found.timeline.disks_ready
    names = [one.get("name") for one in (profile["osDisk"], *profile.get("dataDisks", ()))]
    done = status("ProvisioningState/succeeded", "Info", "Provisioning succeeded", time=iso(at))
    return [{"name": name, "statuses": [done]} for name in names if name and now >= at]


def _provisioning(found: Machine, now: float) -> list[Document]:
    state, failed = found.state, found.facts.get("failed")
    if state == "Failed" and failed:
        code = f"ProvisioningState/failed/{failed['code']}"
        return [
            status(code, "Error", "Provisioning failed", message=failed["message"], time=iso(failed["at"])),
        ]
    if state == "Creating":
        return _creating(found, now)
    if state == "Succeeded":
        at = found.facts.get("settled_at", found.timeline.provisioned)
        return [status("ProvisioningState/succeeded", "Info", "Provisioning succeeded", time=iso(at))]
    return [status(f"ProvisioningState/{state.lower()}", "Info", state)]


def _creating(found: Machine, now: float) -> list[Document]:
    image, line = found.image, found.timeline
    started = found.power(now) is not None
    if started and image is not None and image.generalized:
        code = "ProvisioningState/creating/OSProvisioningInprogress"
        return [status(code, "Info", "OS Provisioning In progress", time=iso(line.powered_on))]
    return [status("ProvisioningState/creating", "Info", "Creating", time=iso(line.created))]


def _power(found: Machine, now: float) -> list[Document]:
    power = found.power(now)
    states: list[Document] = []
    if found.facts.get("generalized"):
        states.append(status("OSState/generalized", "Info", "VM generalized"))
    if power:
        states.append(status(f"PowerState/{power}", "Info", _POWER[power]))
    return states


def _seconds(at: float) -> str:
    """A time as the agent's status writes it: whole seconds."""
    return iso(at).split(".")[0] + "+00:00"


def status_only(found: Machine, now: float, store: Store) -> Any:
    """What a list with `statusOnly=true` shows of a machine."""
    resource = found.resource
    return {
        "name": resource.name,
        "id": resource.id,
        "type": resource.kind,
        "location": resource.location,
        "properties": {"vmId": found.vm_id, "instanceView": instance_view(found, now, store)},
    }
