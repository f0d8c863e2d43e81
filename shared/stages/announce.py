"""Tell consumers of images what happened, as a CloudEvent with an id that makes a repetition recognisable."""

from __future__ import annotations

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
    Outcome.HOLD_LIFTED: "Ringmaster.ReleaseResumed",
    Outcome.REVOKE_ORDERED: "Ringmaster.RevocationStarted",
    Outcome.REVOKED: "Ringmaster.VersionRevoked",
}
TYPES: Final = {outcome.name.lower(): text for outcome, text in _TYPES.items()} | {
    EMERGENCY: "Ringmaster.EmergencyPromotionOrdered"
}
"""The type of the CloudEvent by what an announcement is about."""


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
            "reasons": list(release.reasons),
            "warnings": list(release.warnings),
            "published": {each.ring: list(each.regions) for each in release.published},
        },
    )
    await world.publisher.publish(announcement)
    return Finished()
