"""What happens in the demo, and when: builders publish, and later scans come, each as soon as its cue is there.

A cue is always something that the app says of a release; nothing here goes by a clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from local.demo.follow import POLL_SECONDS
from local.demo.scenario import EXCUSED, IMPROVED, INDEPENDENT, RESCANNED, REVOKED, WORSENED, Story

type Release = Mapping[str, Any]
type Latest = dict[str, dict[str, str]]


class Gallery(Protocol):
    """Where builders publish, and people look."""

    async def publish(self, story: Story) -> None: ...

    async def latest(self, definition: str) -> Latest: ...


class Watcher(Protocol):
    """Asks the app how all releases stand."""

    async def all(self) -> Mapping[str, Any]: ...


class Scanner(Protocol):
    """Posts a report of its own accord; returns the status of the answer."""

    async def report(self, story: Story) -> int: ...


class UnexpectedState(Exception):
    """What the next step waits for can't happen any more: a version has ended otherwise."""


@dataclass(slots=True)
class DemoRun:
    """The demo under way.

    `latest` is what `latest` was, by gallery and region, before and after the later scan; `answers` how reports were
    answered. `missed` says what could not go on, because a version had ended otherwise.
    """

    gallery: Gallery
    follower: Watcher
    scanner: Scanner
    poll_seconds: float = POLL_SECONDS
    releases: Mapping[str, Release] = field(default_factory=dict)
    latest: dict[str, Latest] = field(default_factory=dict)
    answers: list[tuple[Story, int]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _published: list[Story] = field(default_factory=list)
    _refreshed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self, *, seconds: float) -> AsyncIterator[Mapping[str, Release]]:
        """Releases by version id, again and again, until all has happened and every version has ended.

        After `seconds` it ends anyway.
        """
        deadline = time.monotonic() + seconds
        sequences = [
            asyncio.create_task(self._run_sequence(sequence))
            for sequence in (self._alone, self._improvement, self._revocation)
        ]
        try:
            while True:
                await self._refresh()
                yield self.releases
                over = all(sequence.done() for sequence in sequences)
                if over:
                    await asyncio.gather(*sequences)  # a fault in one of them is the demo's
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
        """The re-scan timer asks, the scanner answers: what is published is not clean any more. The next ones are
        compared with it.
        """
        await self._publish(RESCANNED)
        await self._wait_until(RESCANNED, lambda release: release["state"] == "released" and bool(release["warnings"]))
        await self._publish(IMPROVED)
        await self._publish(WORSENED)

    async def _revocation(self) -> None:
        """Another scanner, which nobody asked, knows that what is published is being exploited."""
        await self._publish(EXCUSED)
        await self._wait_until(EXCUSED, _is_released)
        await self._publish(REVOKED)
        await self._wait_until(REVOKED, _is_released)
        self.latest["before"] = await self.gallery.latest(REVOKED.definition)
        self.answers.append((REVOKED, await self.scanner.report(REVOKED)))
        await self._wait_until(REVOKED, lambda release: release["state"] == "revoked")
        self.latest["after"] = await self.gallery.latest(REVOKED.definition)

    async def _refresh(self) -> None:
        found = {each["version_id"]: each for each in (await self.follower.all())["releases"]}
        async with self._refreshed:
            self.releases = found
            self._refreshed.notify_all()

    async def _wait_until(self, story: Story, ready: Callable[[Release], bool]) -> None:
        """Wait until a release is as wanted. A later scan may still come for one that is released."""
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


def _is_released(release: Release) -> bool:
    return release["state"] == "released"
