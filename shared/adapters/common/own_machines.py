"""What in the test resource group is ours: proof is the group *and* the name *and* the tag.

See law 7 (nothing is left behind).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from shared.domain.orders import MACHINE_PREFIX, release_tag
from shared.ports import ForeignTarget, MachineSpec, OwnMachine

RELEASE_TAG: Final = "ringmaster-release"
EXPIRES_TAG: Final = "ringmaster-expires"
"""When a sweep may take it, as an ISO 8601 time."""

_PART: Final = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)/providers/"
    r"(?P<type>microsoft\.compute/virtualmachines|microsoft\.compute/disks|microsoft\.network/networkinterfaces)"
    r"/(?P<name>[^/]+)",
    re.IGNORECASE,
)


def own_tags(spec: MachineSpec) -> dict[str, str]:
    """The tags of a machine and everything that is made with it."""
    return {RELEASE_TAG: release_tag(spec.release), EXPIRES_TAG: spec.expires.isoformat()}


def check_machine_name(name: str) -> None:
    """Raises ForeignTarget for a name that Ringmaster never gives."""
    if not name.startswith(MACHINE_PREFIX) or "/" in name:
        raise ForeignTarget(f"{name!r} is not the name of a boot-test machine: those begin with {MACHINE_PREFIX!r}")


def check_part(resource_id: str, subscription: str, group: str) -> str:
    """The type of a machine, disk or NIC by its id. Raises ForeignTarget outside the test group or for another name."""
    match = _PART.fullmatch(resource_id)
    if match is None:
        raise ForeignTarget(f"{resource_id} is neither a machine nor a disk nor a network interface")
    if (match["subscription"].lower(), match["group"].lower()) != (subscription.lower(), group.lower()):
        raise ForeignTarget(f"{resource_id} is not in the test resource group {group}")
    check_machine_name(match["name"].lower())
    return match["type"].lower()


def check_tags(resource_id: str, tags: Mapping[str, str]) -> None:
    """Raises ForeignTarget without the release tag."""
    if not tags.get(RELEASE_TAG):
        raise ForeignTarget(f"{resource_id} carries no tag {RELEASE_TAG}: it isn't ours to delete")


def owned(resource_id: str, name: str, tags: Mapping[str, str]) -> OwnMachine | None:
    """What a thing in the test group is to us; None when name and tag don't both say that it is ours."""
    if not name.lower().startswith(MACHINE_PREFIX) or not tags.get(RELEASE_TAG):
        return None
    return OwnMachine(resource_id, name, tags[RELEASE_TAG], _time(tags.get(EXPIRES_TAG)))


def _time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
