"""Converts virtual machines, scale-set instances and upgrades from ARM's JSON. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.adapters.azure.arm_fields import number, part, parts, text, text_or_none
from shared.adapters.azure.gallery_facts import read_time
from shared.adapters.common.fleet import FleetMachine, FleetUpgrade, image_of
from shared.domain.image import region_name

LONGEST_WHY = 200


def read_machine(found: Mapping[str, Any], *, in_scale_set: bool = False) -> FleetMachine:
    """A virtual machine, or an instance of a scale set. They have the same shape.

    ``instanceView.vmHealth`` is missing where no health extension or probe monitors the machine (Microsoft Learn,
    "Using Application Health extension with Virtual Machine Scale Sets").
    """
    properties = part(found, "properties")
    view = part(properties, "instanceView")
    return FleetMachine(
        name=text(found.get("name")),
        image=read_image(part(part(properties, "storageProfile"), "imageReference")),
        region=region_name(text(found.get("location"))),
        provisioning=text(properties.get("provisioningState")),
        health=text_or_none(part(part(view, "vmHealth"), "status").get("code")),
        why=_failure(view),
        in_scale_set=in_scale_set,
    )


def read_image(reference: Mapping[str, Any]) -> Any:
    """The gallery version of an image reference; None for another image, or where it does not tell the version."""
    return image_of(text_or_none(reference.get("id")), text_or_none(reference.get("exactVersion")))


def read_upgrade(scale_set: str, found: Mapping[str, Any]) -> FleetUpgrade:
    """An entry of the OS upgrade history, or the latest rolling upgrade, which does not tell its image."""
    properties = part(found, "properties")
    running, rollback = part(properties, "runningStatus"), part(properties, "rollbackInfo")
    error = part(properties, "error")
    return FleetUpgrade(
        scale_set=scale_set,
        code=text(running.get("code")),
        began=read_time(running.get("startTime")),
        image=read_image(part(properties, "targetImageReference")),
        rolled_back=number(rollback.get("successfullyRolledbackInstanceCount")) or 0,
        why=text(error.get("message"))[:LONGEST_WHY],
    )


def _failure(view: Mapping[str, Any]) -> str:
    """Why the provisioning failed, from the instance view: ``ProvisioningState/failed/<code>``."""
    for status in parts(view, "statuses"):
        if text(status.get("code")).lower().startswith("provisioningstate/failed"):
            return (text(status.get("message")) or text(status.get("code")))[:LONGEST_WHY]
    return ""
