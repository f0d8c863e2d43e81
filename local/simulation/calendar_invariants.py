"""What the calendar and other versions have against a publication, computed without the app's functions.

The windows of a scenario are in UTC, and end before midnight.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from local.simulation.calls import Invocation
from local.simulation.observations import ENDED
from shared.domain.actions import Action
from shared.domain.image import VersionId
from shared.domain.policy import DefinitionPolicy, Ring, Skippable, Supersede
from shared.domain.publish_window import Window
from shared.domain.release import Release, State

SKEW: Final = timedelta(minutes=2)
"""How far two clocks together may be off."""
_GOES_ON: Final = frozenset(
    {
        State.REPLICATING,
        State.TESTING,
        State.BAKING,
        State.AWAITING_APPROVAL,
        State.PUBLISHING,
        State.RELEASED,
    }
)
_MINUTE: Final = timedelta(minutes=1)


def time_in(hours: Window | None, since: datetime, now: datetime) -> timedelta:
    """How much of a time is inside the hours, counted minute by minute; all of it without hours."""
    if hours is None:
        return now - since
    minutes = (since + number * _MINUTE for number in range((now - since) // _MINUTE))
    return _MINUTE * sum(at.weekday() in hours.days and hours.opens <= at.time() < hours.closes for at in minutes)


class CalendarInvariants:
    """Follows since when releases are open or qualified."""

    def __init__(self) -> None:
        """Begin without releases."""
        self._open_since: dict[VersionId, datetime] = {}
        self._qualified_since: dict[VersionId, datetime] = {}

    def row_written(self, invocation: Invocation, row: Release) -> None:
        """A row was written."""
        for since, holds in (
            (self._open_since, row.state not in ENDED),
            (self._qualified_since, row.state in _GOES_ON),
        ):
            if holds:
                since.setdefault(row.version, invocation.started_at)
            else:
                since.pop(row.version, None)

    def unmet(self, row: Release, policy: DefinitionPolicy, ring: Ring, started_at: datetime) -> Iterator[str]:
        """What the calendar, or another version, has against the publication of a ring."""
        others = self._since(row, policy, started_at)
        if others and policy.supersede is Supersede.NEWEST:
            yield f"a newer version than all that have qualified: {', '.join(others)}"
        if _is_urgent(row, policy, ring):
            return
        if others and policy.supersede is Supersede.QUEUE:
            yield f"the end of older releases: {', '.join(others)}"
        limit = policy.max_rings_per_day
        if limit is None or any(each.ring == ring.name for each in row.published):
            return
        moments = (started_at - SKEW, started_at, started_at + SKEW)
        published = [sum(each.at.date() == moment.date() for each in row.published) for moment in moments]
        if min(published) >= limit.rings:
            yield f"a day with fewer than {limit.rings} rings published"

    def _since(self, row: Release, policy: DefinitionPolicy, started_at: datetime) -> list[str]:
        """Versions whose release was in the way, by the policy, when a function began."""
        version, is_queue = row.version, policy.supersede is Supersede.QUEUE
        return [
            each.short
            for each, since in (self._open_since if is_queue else self._qualified_since).items()
            if each.definition == version.definition
            and (each.number < version.number if is_queue else each.number > version.number)
            and since <= started_at - SKEW
        ]


def _is_urgent(row: Release, policy: DefinitionPolicy, ring: Ring) -> bool:
    emergencies = (each for each in row.actions if each.action is Action.EMERGENCY and each.ring == ring.name)
    return Skippable.WINDOW in policy.emergency_skips and any(
        (each.incarnation, each.policy_digest) == (row.incarnation, row.policy_digest) for each in emergencies
    )
