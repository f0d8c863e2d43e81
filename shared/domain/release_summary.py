"""What the timers compare of a release, without its history, its verdicts and its commands.

A definition keeps the rows of all its versions, and a row has some kilobytes. A timer reads all summaries, and the rows
of unsettled releases.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.domain.image import VersionId
from shared.domain.release import Release, State


@dataclass(frozen=True, slots=True)
class ReleaseSummary:
    """A release in short. Fields with the name of a release's field or property have its meaning."""

    version: VersionId
    state: State
    is_settled: bool
    ended_as_gone: bool
    incarnation: str | None = None
    published: tuple[str, ...] = ()
    """The names of the rings in which the release is published."""
    last_scan: datetime | None = None
    """When a scan of this incarnation was last judged."""
    has_drifted: bool = False
    """Whether a gallery differed from what was published when it was last compared."""

    @classmethod
    def of(cls, release: Release) -> ReleaseSummary:
        """The summary of a release."""
        last = release.last_scan
        return cls(
            version=release.version,
            state=release.state,
            is_settled=release.is_settled,
            ended_as_gone=release.ended_as_gone,
            incarnation=release.incarnation,
            published=tuple(each.ring for each in release.published),
            last_scan=None if last is None else last.at,
            has_drifted=bool(release.drift and release.drift.findings),
        )
