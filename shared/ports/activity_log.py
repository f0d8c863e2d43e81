"""Azure's Activity Log: who wrote an image version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from shared.domain.activity import ActivityRecord
from shared.domain.image import VersionId


class ActivityLog(Protocol):
    """Read the Activity Log of a subscription. It keeps 90 days, and a record appears up to 20 minutes late.

    Source: Azure REST API, "Activity Logs - List"; Microsoft Learn, "Activity log in Azure Monitor".
    """

    async def writes(self, version: VersionId, *, since: datetime, until: datetime) -> Sequence[ActivityRecord]:
        """List the writes and deletions of an image version that ended between two times, both at most 90 days ago.

        Raises Throttled and Unavailable, and Refused with status 403 when the app may not read the log.
        """
        ...


class NoActivityLog:
    """An Activity Log without records, for worlds in which nobody asks."""

    async def writes(self, version: VersionId, *, since: datetime, until: datetime) -> Sequence[ActivityRecord]:
        """Return no records."""
        return ()
