"""Announcements to consumers of images: CloudEvents whose id identifies duplicates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from shared.domain.hop_states import Announce
from shared.domain.lifecycle import Outcome
from shared.domain.messages import Announcement, Command
from shared.domain.orders import EMERGENCY
from shared.domain.outcomes import Finished, HopResult
from shared.domain.release import Release
from shared.ports import World

_TYPES: Final = {
    Outcome.RING_PUBLISHED: "Ringmaster.RingPublished",
    Outcome.LAST_RING_PUBLISHED: "Ringmaster.VersionReleased",
    Outcome.REJECTED: "Ringmaster.VersionRejected",
    Outcome.VERSION_GONE: "Ringmaster.VersionRejected",
    Outcome.SUPERSEDED: "Ringmaster.VersionSuperseded",
    Outcome.ALERTED: "Ringmaster.PublishedVersionFailed",
    Outcome.APPROVAL_WANTED: "Ringmaster.ApprovalWanted",
    Outcome.APPROVAL_OVERDUE: "Ringmaster.ApprovalOverdue",
    Outcome.HELD_BACK: "Ringmaster.ReleaseHeld",
    Outcome.HEALTH_FAILED: "Ringmaster.RingUnhealthy",
    Outcome.HEALTH_HIDES: "Ringmaster.RingUnhealthy",
    Outcome.HOLD_LIFTED: "Ringmaster.ReleaseResumed",
    Outcome.REVOKE_ORDERED: "Ringmaster.RevocationStarted",
    Outcome.REVOKED: "Ringmaster.VersionRevoked",
}
TYPES: Final = {outcome.name.lower(): text for outcome, text in _TYPES.items()} | {
    EMERGENCY: "Ringmaster.EmergencyPromotionOrdered"
}
"""The type of the CloudEvent by what an announcement is about."""
LONGEST_LIST: Final = 64 * 1024
"""Bytes of the reasons, and of the warnings, in an event. An event has at most 1 MB ("Azure Event Grid quotas and
limits"), and a release's row about as much."""


async def run(command: Command, release: Release, world: World, now: datetime) -> HopResult:
    """Publish one announcement."""
    match command.state:
        case Announce(name):
            about = name
        case state:
            raise TypeError(f"an announcement cannot be made from {state}")
    announcement = Announcement(
        type=TYPES[about],
        version=release.version,
        at=now,
        id=f"{release.version}#{command.region}",
        data={
            "version": str(release.version),
            "ring": command.ring,
            "reasons": _bounded(release.reasons),
            "warnings": _bounded(release.warnings),
            "published": {each.ring: list(each.regions) for each in release.published},
        },
    )
    await world.publisher.publish(announcement)
    return Finished()


def _bounded(texts: Sequence[str]) -> list[str]:
    """The texts that fit, and how many were left out. The release's row has all of them."""
    kept: list[str] = []
    size = 0
    for text in texts:
        size += len(json.dumps(text))  # as the SDK writes it: six bytes for a character that is not ASCII
        if size > LONGEST_LIST:
            return [*kept, f"{len(texts) - len(kept)} more: see the release"]
        kept.append(text)
    return kept
