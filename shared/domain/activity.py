"""What Azure's Activity Log says of the writes of an image version.

Rules:

* The log is late by minutes, keeps 90 days, and names no reads. A write can have several records, from accepted to
  succeeded. Source: "Activity log in Azure Monitor" on Microsoft Learn.
* A version was created by the first write since ``publishedDate``, less five minutes for differing clocks, and after
  the last deletion in between: a number can be used again.
* A log that cannot be read is not an empty one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

LAG: Final = timedelta(minutes=30)
"""After this time a record that is not there will not come. Azure documents 3 to 20 minutes."""
KEPT: Final = timedelta(days=90)
BEFORE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ActivityRecord:
    """One record of the log. What it does not say is empty."""

    operation: str
    """For example ``Microsoft.Compute/galleries/images/versions/write``."""
    at: datetime
    caller: str = ""
    """The user's name, or the object id of a service principal."""
    application: str = ""
    """The application id (claim ``appid``)."""
    object_id: str = ""
    """The object id of who called (claim ``objectidentifier``)."""
    correlation: str = ""
    status: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id under which the caller is known, in lower case."""
        return tuple(dict.fromkeys(each.lower() for each in (self.application, self.object_id, self.caller) if each))


@dataclass(frozen=True, slots=True)
class Activity:
    """Who created a version, and who last wrote it. None where the log does not say, or was not read."""

    created: ActivityRecord | None = None
    last_written: ActivityRecord | None = None
    unread: str | None = None
    """Why the log could not be read; None when it was."""


def activity_of(records: Iterable[ActivityRecord], published_at: datetime | None) -> Activity:
    """Find the creation and the last write among the records of one version."""
    if published_at is None:
        return Activity()
    since = published_at - BEFORE
    writes: list[ActivityRecord] = []
    for record in sorted(records, key=lambda each: each.at):
        operation = record.operation.casefold()
        if record.at < since or record.status.casefold() == "failed":
            continue
        if operation.endswith("/versions/delete"):
            writes.clear()
        elif operation.endswith("/versions/write"):
            writes.append(record)
    return Activity(writes[0], writes[-1]) if writes else Activity()
