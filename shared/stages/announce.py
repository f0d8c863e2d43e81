"""Announcements to consumers of images: CloudEvents whose id identifies duplicates (``domain.events``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from shared.codec.release_events import event_data
from shared.domain.events import EVENTS
from shared.domain.hop_states import Announce
from shared.domain.messages import Announcement, Command
from shared.domain.outcomes import Finished, HopResult
from shared.domain.release import Release
from shared.ports import World

LONGEST_LIST: Final = 64 * 1024
"""Bytes of the reasons, and of the warnings, in an event. An event has at most 1 MB, and every 64 KB of it are billed
as one ("Azure Event Grid quotas and limits"); a release's row has about 1 MB."""


async def run(command: Command, release: Release, world: World, now: datetime) -> HopResult:
    """Publish one announcement."""
    match command.state:
        case Announce() as state:
            await world.publisher.publish(_announcement(command, state, release, now))
        case state:
            raise TypeError(f"an announcement cannot be made from {state}")
    return Finished()


def _announcement(command: Command, state: Announce, release: Release, now: datetime) -> Announcement:
    event, version = EVENTS[state.outcome], release.version
    values: dict[str, Any] = {
        "version": str(version),
        "number": str(version.number),
        "definition": str(version.definition),
        "incarnation": release.incarnation,
        "state": state.state or release.state.value,
        "sequence": command.seq,
        "policy": release.policy_digest,
        "ring": command.ring,
        "why": state.why,
        "reasons": _bounded(release.reasons),
        "warnings": _bounded(release.warnings),
        "published": {each.ring: list(each.regions) for each in release.published},
        **state.details,
    }
    return Announcement(
        type=event.TYPE,
        version=version,
        at=state.at or now,
        id=f"{version}#{command.region}",
        data=event_data(event, values),
    )


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
