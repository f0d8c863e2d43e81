"""Identifies the resources in the test resource group that Ringmaster created: by resource group, name *and* tag.

See law 7 (nothing is left behind).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from shared.domain.orders import MACHINE_PREFIX, MAX_MACHINE_NAME, release_tag
from shared.ports import ForeignTarget, MachineSpec, OwnMachine

RELEASE_TAG: Final = "ringmaster-release"
EXPIRES_TAG: Final = "ringmaster-expires"
"""When the cleanup may delete the resource, as an ISO 8601 time."""

_PART: Final = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)/providers/"
    r"(?P<type>microsoft\.compute/virtualmachines|microsoft\.compute/disks|microsoft\.network/networkinterfaces)"
    r"/(?P<name>[^/]+)",
    re.IGNORECASE,
)


def own_tags(spec: MachineSpec) -> dict[str, str]:
    """The tags of a machine and of all resources that are created with it."""
    return {**spec.tags, RELEASE_TAG: release_tag(spec.release), EXPIRES_TAG: spec.expires.isoformat()}


def check_machine_name(name: str) -> None:
    """Raise ForeignTarget for a name that Ringmaster does not use."""
    if not name.startswith(MACHINE_PREFIX) or "/" in name:
        raise ForeignTarget(f"{name!r} is not the name of a boot-test machine, which starts with {MACHINE_PREFIX!r}")


def check_new_machine(name: str) -> None:
    """Raise ForeignTarget for a name that Ringmaster does not give to a machine: computer names must not be longer."""
    check_machine_name(name)
    if len(name) > MAX_MACHINE_NAME:
        raise ForeignTarget(
            f"{name!r} is not the name of a boot-test machine: it has more than {MAX_MACHINE_NAME} characters"
        )


def check_part(resource_id: str, subscription: str, group: str) -> str:
    """Return the resource type of a machine, disk or network interface.

    Raises ForeignTarget for another group or name.
    """
    match = _PART.fullmatch(resource_id)
    if match is None:
        raise ForeignTarget(f"{resource_id} is not a machine, disk or network interface")
    if (match["subscription"].lower(), match["group"].lower()) != (subscription.lower(), group.lower()):
        raise ForeignTarget(f"{resource_id} is not in the test resource group {group}")
    check_machine_name(match["name"].lower())
    return match["type"].lower()


def check_tags(resource_id: str, tags: Mapping[str, str]) -> None:
    """Raise ForeignTarget when the release tag is missing."""
    if not tags.get(RELEASE_TAG):
        raise ForeignTarget(
            f"{resource_id} has no tag {RELEASE_TAG}, so Ringmaster did not create it and does not delete it"
        )


def owned(resource_id: str, name: str, tags: Mapping[str, str]) -> OwnMachine | None:
    """The resource as Ringmaster's own. None unless both name and tag show that Ringmaster created it."""
    if not name.lower().startswith(MACHINE_PREFIX) or not tags.get(RELEASE_TAG):
        return None
    return OwnMachine(resource_id, name, tags[RELEASE_TAG], _time(tags.get(EXPIRES_TAG)))


def _time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
