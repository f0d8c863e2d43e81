"""The sequence of the demo: versions are published and later scans arrive, each when its precondition holds.

A precondition is always a state of a release that the app reports; it is never a time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from local.demo.follow import POLL_SECONDS
from local.demo.people import Answered
from local.demo.scenario import (
    APPROVED,
    EXCUSED,
    IMPROVED,
    INDEPENDENT,
    RESCANNED,
    RESTORED,
    REVOKED,
    WORSENED,
    Story,
)

type Release = Mapping[str, Any]
type Latest = dict[str, dict[str, str]]


class Gallery(Protocol):
    """Publishes versions and reads galleries."""

    async def publish(self, story: Story) -> None: ...

    async def latest(self, definition: str) -> Latest: ...


class Watcher(Protocol):
    """Reads all releases from the app."""

    async def all(self) -> Mapping[str, Any]: ...


class Scanner(Protocol):
    """Posts a report. Returns the status of the response."""

    async def report(self, story: Story) -> int: ...


class Actors(Protocol):
    """People with roles, who act on releases."""

    async def act(self, who: str, action: str, story: Story, **more: Any) -> Answered: ...

    async def revocation_plan(self, who: str, story: Story) -> Mapping[str, Any]: ...


class UnexpectedState(Exception):
    """A precondition cannot be met any more: a version has another final state."""


@dataclass(slots=True)
class DemoRun:
    """A running demo.

    `latest` has what `latest` was, by gallery and region, before and after the later scan. `answers` has the responses
    to reports, `acted` what people ordered, and `plan` the plan of the revocation by hand. `failures` says why a
    sequence could not continue.
    """

    gallery: Gallery
    follower: Watcher
    scanner: Scanner
    people: Actors
    poll_seconds: float = POLL_SECONDS
    releases: Mapping[str, Release] = field(default_factory=dict)
    latest: dict[str, Latest] = field(default_factory=dict)
    answers: list[tuple[Story, int]] = field(default_factory=list)
    acted: list[Answered] = field(default_factory=list)
    plan: Mapping[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    _published: list[Story] = field(default_factory=list)
    _refreshed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self, *, seconds: float) -> AsyncIterator[Mapping[str, Release]]:
        """Yield the releases by version id, repeatedly, until all sequences are complete and every version has its
        final state.

        Ends after `seconds` in any case.
        """
        deadline = time.monotonic() + seconds
        sequences = [
            asyncio.create_task(self._run_sequence(sequence))
            for sequence in (self._alone, self._improvement, self._revocation, self._people)
        ]
        try:
            while True:
                await self._refresh()
                yield self.releases
                over = all(sequence.done() for sequence in sequences)
                if over:
                    await asyncio.gather(*sequences)  # raise the error of a sequence
                if (over and all(map(self._has_ended, self._published))) or time.monotonic() > deadline:
                    return
                await asyncio.sleep(self.poll_seconds)
        finally:
            for sequence in sequences:
                sequence.cancel()
            await asyncio.gather(*sequences, return_exceptions=True)

    async def _run_sequence(self, sequence: Callable[[], Awaitable[None]]) -> None:
        try:
            await sequence()
        except UnexpectedState as failures:
            self.failures.append(str(failures))

    async def _publish(self, story: Story) -> None:
        await self.gallery.publish(story)
        self._published.append(story)

    async def _alone(self) -> None:
        for story in INDEPENDENT:
            await self._publish(story)

    async def _improvement(self) -> None:
        """The re-scan timer requests a scan, which finds vulnerabilities in a published version.

        The next versions are compared with it.
        """
        await self._publish(RESCANNED)
        await self._wait_until(RESCANNED, lambda release: release["state"] == "released" and _has_later_scan(release))
        await self._publish(IMPROVED)
        await self._publish(WORSENED)

    async def _revocation(self) -> None:
        """A second scanner reports, without a request, that a vulnerability in a published version is exploited."""
        await self._publish(EXCUSED)
        await self._wait_until(EXCUSED, _is_released)
        await self._publish(REVOKED)
        await self._wait_until(REVOKED, _is_released)
        self.latest["before"] = await self.gallery.latest(REVOKED.definition)
        self.answers.append((REVOKED, await self.scanner.report(REVOKED)))
        await self._wait_until(REVOKED, lambda release: release["state"] == "revoked")
        self.latest["after"] = await self.gallery.latest(REVOKED.definition)

    async def _people(self) -> None:
        """People approve and are refused, take a version back by hand, and restore it."""
        await self._publish(APPROVED)
        await self._wait_for_approval(APPROVED)
        await self._act("builder", "approve", APPROVED)
        await self._act("approver", "approve", APPROVED)
        await self._wait_until(APPROVED, _is_released)
        await self._publish(RESTORED)
        await self._approved(RESTORED)
        self.plan = await self.people.revocation_plan("operator", RESTORED)
        await self._act("reader", "revoke", RESTORED, reason="kernel panics")
        await self._act("operator", "revoke", RESTORED, reason="kernel panics")
        await self._wait_until(RESTORED, lambda release: release["state"] == "revoked")
        await self._act("admin", "restore", RESTORED, reason="the panics were of another kernel")
        await self._approved(RESTORED)

    async def _approved(self, story: Story) -> None:
        await self._wait_for_approval(story)
        await self._act("approver", "approve", story)
        await self._wait_until(story, _is_released)

    async def _act(self, who: str, action: str, story: Story, **more: Any) -> None:
        self.acted.append(await self.people.act(who, action, story, **more))

    async def _wait_for_approval(self, story: Story) -> None:
        async with self._refreshed:
            while True:
                release = self.releases.get(story.id.lower())
                if release is not None and release["state"] == "awaiting_approval":
                    return
                if release is not None and release["state"] == "rejected":
                    raise UnexpectedState(f"{story.name} is rejected: {'; '.join(release['reasons'])}")
                await self._refreshed.wait()

    async def _refresh(self) -> None:
        found = {each["version_id"]: each for each in (await self.follower.all())["releases"]}
        async with self._refreshed:
            self.releases = found
            self._refreshed.notify_all()

    async def _wait_until(self, story: Story, ready: Callable[[Release], bool]) -> None:
        """Wait until a release has the expected state. A released version can still change with a later scan."""
        async with self._refreshed:
            while True:
                release = self.releases.get(story.id.lower())
                if release is not None and release["settled"]:
                    if ready(release):
                        return
                    if release["state"] != "released":
                        raise UnexpectedState(f"{story.name} is {release['state']}: {'; '.join(release['reasons'])}")
                await self._refreshed.wait()

    def _has_ended(self, story: Story) -> bool:
        release = self.releases.get(story.id.lower())
        return release is not None and release["settled"]


def _has_later_scan(release: Release) -> bool:
    return any(each.startswith("since it was published") for each in release["warnings"])


def _is_released(release: Release) -> bool:
    return release["state"] == "released"
