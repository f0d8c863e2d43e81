"""Converts instance views of virtual machines and run commands into facts.

Status codes have the form ``ProvisioningState/succeeded``, ``PowerState/running``, and
``ProvisioningState/failed/<code>`` when provisioning fails. A ready agent reports ``ProvisioningState/succeeded`` and
``Ready``; before its first report, its status is ``ProvisioningState/Unavailable`` and ``Not Ready``. Source: Microsoft
Learn, "States and billing status of Azure Virtual Machines".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from shared.adapters.azure.arm_fields import number, part, parts, text
from shared.adapters.azure.gallery_facts import read_time
from shared.domain.boot_test.failures import MachineFacts, ProbeFacts

_FAILED: Final = "provisioningstate/failed"


def read_machine(document: Mapping[str, Any], name: str) -> MachineFacts:
    """Convert a machine that was read with its instance view."""
    properties = part(document, "properties")
    view = part(properties, "instanceView")
    statuses = _statuses(view)
    codes = {code for code, _ in statuses}
    agent_ready, agent = _agent(part(view, "vmAgent"))
    code, message = _failure(statuses)
    return MachineFacts(
        name=name,
        provisioning_state=text(properties.get("provisioningState")),
        os_provisioned="provisioningstate/succeeded" in codes,
        running="powerstate/running" in codes,
        agent_ready=agent_ready,
        agent=agent,
        failure_code=code,
        failure_message=message,
        parts=_parts(document, properties),
        provisioned_in=_provisioned_in(properties, statuses),
    )


def read_probe(document: Mapping[str, Any]) -> ProbeFacts:
    """Convert a managed run command that was read with its instance view.

    ``provisioningState`` Succeeded means only that the command ran. ``executionState`` holds the result.
    """
    properties = part(document, "properties")
    view = part(properties, "instanceView")
    return ProbeFacts(
        execution_state=text(view.get("executionState")) or "Unknown",
        exit_code=_exit_code(view.get("exitCode")),
        output=text(view.get("output")),
        error=text(view.get("error")),
        provisioning_state=text(properties.get("provisioningState")),
        failure=text(view.get("executionMessage")),
    )


def _statuses(view: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(text(each.get("code")).lower(), each) for each in parts(view, "statuses")]


def _agent(agent: Mapping[str, Any]) -> tuple[bool, str]:
    statuses = _statuses(agent)
    ready = any(
        code == "provisioningstate/succeeded" and text(each.get("displayStatus")).lower() == "ready"
        for code, each in statuses
    )
    said = [
        f"{text(each.get('displayStatus')) or code}: {text(each.get('message'))}".rstrip(": ")
        for code, each in statuses
    ]
    version = text(agent.get("vmAgentVersion"))
    return ready, " ".join(part for part in (version, "; ".join(said)) if part)


def _failure(statuses: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[str | None, str]:
    for code, each in statuses:
        if code.startswith(_FAILED):
            spelled = text(each.get("code")).split("/")
            return spelled[2] if len(spelled) > 2 else "ProvisioningFailed", text(each.get("message"))
    return None, ""


def _provisioned_in(
    properties: Mapping[str, Any], statuses: Sequence[tuple[str, Mapping[str, Any]]]
) -> timedelta | None:
    """From ``timeCreated`` to the time of ``ProvisioningState/succeeded``: both are of Azure's clock."""
    created = read_time(properties.get("timeCreated"))
    done = next((read_time(each.get("time")) for code, each in statuses if code == "provisioningstate/succeeded"), None)
    return done - created if created is not None and done is not None and done >= created else None


def _parts(document: Mapping[str, Any], properties: Mapping[str, Any]) -> tuple[str, ...]:
    storage = part(properties, "storageProfile")
    disks = [part(storage, "osDisk"), *parts(storage, "dataDisks")]
    ids = [document.get("id"), *(part(disk, "managedDisk").get("id") for disk in disks)]
    ids += [nic.get("id") for nic in parts(part(properties, "networkProfile"), "networkInterfaces")]
    return tuple(dict.fromkeys(text(each).lower() for each in ids if text(each)))


def _exit_code(value: object) -> int | None:
    """The exit code. A value that cannot be parsed counts as a failure."""
    return None if value is None else -1 if number(value) is None else number(value)
