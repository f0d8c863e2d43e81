"""Scanners: they scan on their own or because they were asked, and bring their reports or say where these lie."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from random import Random
from typing import Any, Final, Protocol

from local.scanner.report import report_for
from local.simulation.faults import Run
from local.simulation.host import Host
from local.simulation.laws import Truth
from local.simulation.scenario import Build
from shared.adapters.memory.fetch import MemoryReportSource
from shared.domain.image import VersionId
from shared.domain.messages import Announcement, ScanFinished
from shared.domain.report_reference import ReportReference
from shared.ports import Unavailable, World
from shared.stages import reports
from shared.stages.rescan import EVENT

HOST: Final = "reports.example.com"
_ANY_TIME: Final = datetime(2026, 3, 2, tzinfo=UTC)
MOST_BYTES: Final = 1 << 20


class Shelf(MemoryReportSource):
    """Where reports lie that are sent by reference; now and then nobody answers there."""

    def __init__(self, answers: Callable[[], bool]) -> None:
        """``answers`` tells each time whether somebody does."""
        self.bodies: dict[str, bytes | Exception] = {}
        super().__init__(self.bodies, {HOST}, most_bytes=MOST_BYTES)
        self._answers = answers

    @contextlib.asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[AsyncIterator[bytes]]:
        if not self._answers():
            raise Unavailable("the store of reports is out")
        async with super().open(url) as pieces:
            yield pieces


class Surroundings(Protocol):
    """What scanners need of the run that they are part of."""

    def soon(self, at: timedelta, act: Callable[[], None]) -> None:
        """Do something after a while; the run doesn't end before."""
        ...

    def bearer(self, version: VersionId) -> Truth | None:
        """Who bears a number now."""
        ...

    def say(self, text: str) -> None:
        """Keep a line of the history."""
        ...

    def now(self) -> datetime:
        """What time it is."""
        ...


@dataclass(slots=True)
class Scanners:
    """Everybody who scans."""

    host: Host
    around: Surroundings
    shelf: Shelf
    rng: Random
    answers: float
    last: dict[VersionId, tuple[datetime, str]] = field(default_factory=dict)
    """The newest report of each version that the app took: when it was made, and what it says."""
    failing: set[VersionId] = field(default_factory=set)
    """Versions of which some report was not clean."""
    _numbers: int = 0

    def watch(self, build: Build, truth: Truth) -> None:
        """Scan a new version as its builder's scanners do."""
        for at, words in build.scans:
            act = lambda at=at, words=words: self.scan(build.version, truth, at, words, by_reference=build.by_reference)  # noqa: E731
            self.around.soon(max(at, timedelta(0)), act)

    def hear(self, announcement: Announcement) -> None:
        """The app tells the world something: a scanner listens for what it is asked."""
        if announcement.type != EVENT or self.rng.random() >= self.answers:
            return
        version, words = announcement.version, "critical-cve" if self.rng.random() < 0.2 else "clean"
        wait = timedelta(seconds=self.rng.uniform(30, 900))

        def answer() -> None:
            truth = self.around.bearer(version)
            if truth is not None:
                self.scan(version, truth, timedelta(0), words, by_reference=False)

        self.around.soon(wait, answer)

    def scan(self, version: VersionId, truth: Truth, at: timedelta, words: str, *, by_reference: bool) -> None:
        """Scan what bears the number now; ``at`` before zero is a report from before it was published."""
        made = truth.published + at if at < timedelta(0) else self.around.now()
        if at >= timedelta(0):
            truth = self.around.bearer(version) or truth
        truth.clean_scan |= words == "clean" and made >= truth.published
        if words != "clean":
            self.failing.add(version)
        body = small_report(words, version, made)
        self.around.say(f"scanned {version.short}: {words}, made {made:%H:%M:%S}")
        if by_reference:
            self._refer(version, body)
        else:
            self._post(version, body, made, words)

    def _post(self, version: VersionId, body: bytes, made: datetime, words: str) -> None:
        async def post(world: World, now: datetime, _: Run) -> str:
            name = await world.evidence.save_report(version, "trivy", body, at=now)
            said = await reports.scan_finished(ScanFinished(version, name, now), world, now=now)
            self.last[version] = max(self.last.get(version, (made, words)), (made, words))
            return said

        self.host.post_report(post, version.short)

    def _refer(self, version: VersionId, body: bytes) -> None:
        self._numbers += 1
        reference = ReportReference(f"https://{HOST}/{self._numbers}.json", sha256(body).hexdigest())
        self.shelf.bodies[reference.url] = body

        async def post(world: World, now: datetime, _: Run) -> str:
            return await reports.fetch_report(version, "trivy", reference, "house", world, now=now)

        self.host.post_report(post, version.short)


def small_report(words: str, version: VersionId, at: datetime) -> bytes:
    """A Trivy report of this character; of what every Ubuntu has, only a little."""
    made = f"{at.isoformat(timespec='microseconds')}"
    return json.dumps({**_report(words), "CreatedAt": made, "ArtifactName": f"{version.number}.vmdk"}).encode()


@cache
def _report(words: str) -> dict[str, Any]:
    document = report_for(words, "/versions/0.0.0", _ANY_TIME)
    for result in document.get("Results", ()):
        result["Packages"] = result["Packages"][:4]
        found = sorted(result["Vulnerabilities"], key=lambda each: each["Severity"] != "CRITICAL")
        result["Vulnerabilities"] = found[:3]
    return document
