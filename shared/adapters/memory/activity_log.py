"""The Activity Log in memory. Records appear late, as Azure's do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.domain.activity import KEPT, ActivityRecord
from shared.domain.image import VersionId
from shared.ports import Refused

LATE: Final = timedelta(minutes=5)
WRITE: Final = "Microsoft.Compute/galleries/images/versions/write"
DELETE: Final = "Microsoft.Compute/galleries/images/versions/delete"


class MemoryActivityLog:
    """``ActivityLog`` in memory."""

    def __init__(self, clock: Callable[[], datetime], *, late: timedelta = LATE) -> None:
        """``late`` is how long after its event a record can be read."""
        self._clock = clock
        self.late = late
        self._records: dict[VersionId, list[ActivityRecord]] = {}
        self.refuses = False
        """Whether the app may not read the log."""

    def record(self, version: VersionId, by: str, *, operation: str = WRITE) -> None:
        """Record that somebody wrote or deleted a version now. ``by`` is an application id."""
        records = self._records.setdefault(version, [])
        correlation = f"{version.short}#{len(records) + 1}"
        records.append(ActivityRecord(operation, self._clock(), by, by, correlation=correlation, status="Succeeded"))

    async def writes(self, version: VersionId, *, since: datetime, until: datetime) -> Sequence[ActivityRecord]:
        now = self._clock()
        if self.refuses:
            message = (
                "The client does not have authorization to perform action Microsoft.Insights/eventtypes/values/read"
            )
            raise Refused("AuthorizationFailed", message, 403)
        if since < now - KEPT:
            raise Refused("BadRequest", "The start time cannot be more than 90 days in the past.", 400)
        found = self._records.get(version, ())
        return [each for each in found if since <= each.at <= until and each.at + self.late <= now]
