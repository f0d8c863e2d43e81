"""Compute's instance views, read as facts.

A machine's status codes have the form ``ProvisioningState/succeeded``, ``PowerState/running``, and
``ProvisioningState/failed/<code>`` when provisioning failed. The agent says of itself ``ProvisioningState/succeeded``
and ``Ready``; before its first report it is ``ProvisioningState/Unavailable``, ``Not Ready``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.domain.boot import MachineFacts, ProbeFacts

_FAILED: Final = "provisioningstate/failed"


def read_machine(document: Mapping[str, Any], name: str) -> MachineFacts:
    """A machine's document, read with its instance view, as facts."""
    properties = document.get("properties") or {}
    view = properties.get("instanceView") or {}
    statuses = _statuses(view)
    codes = {code for code, _ in statuses}
    agent_ready, agent = _agent(view.get("vmAgent") or {})
    code, message = _failure(statuses)
    return MachineFacts(
        name=name,
        provisioning_state=str(properties.get("provisioningState") or ""),
        os_provisioned="provisioningstate/succeeded" in codes,
        running="powerstate/running" in codes,
        agent_ready=agent_ready,
        agent=agent,
        failure_code=code,
        failure_message=message,
        parts=_parts(document, properties),
    )


def read_probe(document: Mapping[str, Any]) -> ProbeFacts:
    """A managed run command's document, read with its instance view, as facts.

    ``provisioningState`` Succeeded says only that the command ran; what came of it is in ``executionState``.
    """
    properties = document.get("properties") or {}
    view = properties.get("instanceView") or {}
    return ProbeFacts(
        execution_state=str(view.get("executionState") or "Unknown"),
        exit_code=view.get("exitCode"),
        output=str(view.get("output") or ""),
        error=str(view.get("error") or ""),
        provisioning_state=str(properties.get("provisioningState") or ""),
        failure=str(view.get("executionMessage") or ""),
    )


def _statuses(view: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(str(each.get("code") or "").lower(), each) for each in view.get("statuses") or ()]


def _agent(agent: Mapping[str, Any]) -> tuple[bool, str]:
    statuses = _statuses(agent)
    ready = any(
        code == "provisioningstate/succeeded" and str(each.get("displayStatus") or "").lower() == "ready"
        for code, each in statuses
    )
    said = [f"{each.get('displayStatus') or code}: {each.get('message') or ''}".rstrip(": ") for code, each in statuses]
    version = str(agent.get("vmAgentVersion") or "")
    return ready, " ".join(part for part in (version, "; ".join(said)) if part)


def _failure(statuses: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[str | None, str]:
    for code, each in statuses:
        if code.startswith(_FAILED):
            spelled = str(each.get("code") or "").split("/")
            return spelled[2] if len(spelled) > 2 else "ProvisioningFailed", str(each.get("message") or "")
    return None, ""


def _parts(document: Mapping[str, Any], properties: Mapping[str, Any]) -> tuple[str, ...]:
    storage = properties.get("storageProfile") or {}
    disks = [storage.get("osDisk") or {}, *(storage.get("dataDisks") or ())]
    ids = [document.get("id"), *((disk.get("managedDisk") or {}).get("id") for disk in disks)]
    ids += [nic.get("id") for nic in (properties.get("networkProfile") or {}).get("networkInterfaces") or ()]
    return tuple(dict.fromkeys(str(each).lower() for each in ids if each))
