"""The scanners of a run: they scan by themselves or on request, and send a report or its address."""

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
from local.simulation.calls import Invocation
from local.simulation.functions_host import FunctionsHost
from local.simulation.ground_truth import ImageTruth
from local.simulation.scenario import Build
from shared.adapters.memory.report_source import MemoryReportSource
from shared.domain.image import VersionId
from shared.domain.messages import Announcement, ScanFinished
from shared.domain.report_reference import ReportReference
from shared.ports import Unavailable, World
from shared.scan_gate import reports
from shared.timers.rescan_request import EVENT

REPORT_HOST: Final = "reports.example.com"
CLEAN: Final = "clean"
_ANY_TIME: Final = datetime(2026, 3, 2, tzinfo=UTC)
MAX_REPORT_BYTES: Final = 1 << 20


class ReportStore(MemoryReportSource):
    """Where reports lie that are sent by reference. It is unavailable at times."""

    def __init__(self, is_available: Callable[[], bool]) -> None:
        """``is_available`` is asked at each request."""
        self.bodies: dict[str, bytes | Exception] = {}
        super().__init__(self.bodies, {REPORT_HOST}, most_bytes=MAX_REPORT_BYTES)
        self._is_available = is_available

    @contextlib.asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[AsyncIterator[bytes]]:
        if not self._is_available():
            raise Unavailable("the report store is unavailable")
        async with super().open(url) as pieces:
            yield pieces


class Surroundings(Protocol):
    """What scanners need of the run that they are part of."""

    def plan(self, delay: timedelta, act: Callable[[], None]) -> None:
        """Call something after a delay; the run does not end before."""
        ...

    def current_image(self, version: VersionId) -> ImageTruth | None:
        """The image that bears a version number now."""
        ...

    def record(self, text: str) -> None:
        """Add a line to the history."""
        ...

    def now(self) -> datetime:
        """The virtual time."""
        ...


@dataclass(slots=True)
class Scanners:
    """All scanners of a run."""

    host: FunctionsHost
    surroundings: Surroundings
    store: ReportStore
    rng: Random
    response_rate: float
    last_accepted: dict[VersionId, tuple[datetime, str]] = field(default_factory=dict)
    """The newest report of each version that the app accepted: when it was made, and its content."""
    not_clean: set[VersionId] = field(default_factory=set)
    """Versions of which some report was not clean."""
    _references: int = 0

    def plan_scans(self, build: Build, truth: ImageTruth) -> None:
        """Scan a new version at the times that its build says."""
        for at, content in build.scans:
            self.surroundings.plan(
                max(at, timedelta(0)), lambda at=at, content=content: self._scan(build, truth, at, content)
            )

    def on_announcement(self, announcement: Announcement) -> None:
        """The app announces something. A request for a scan is answered at the response rate."""
        if announcement.type != EVENT or self.rng.random() >= self.response_rate:
            return
        version, content = announcement.version, "critical-cve" if self.rng.random() < 0.2 else CLEAN
        wait = timedelta(seconds=self.rng.uniform(30, 900))

        def respond() -> None:
            truth = self.surroundings.current_image(version)
            if truth is not None:
                self._post(version, self._scanned(version, truth, self.surroundings.now(), content))

        self.surroundings.plan(wait, respond)

    def _scan(self, build: Build, truth: ImageTruth, at: timedelta, content: str) -> None:
        """Scan what bears the number now; ``at`` before zero means a report from before it was published."""
        made = truth.published_at + at if at < timedelta(0) else self.surroundings.now()
        if at >= timedelta(0):
            truth = self.surroundings.current_image(build.version) or truth
        report = self._scanned(build.version, truth, made, content)
        if build.by_reference:
            self._post_reference(build.version, report)
        else:
            self._post(build.version, report)

    def _scanned(self, version: VersionId, truth: ImageTruth, made: datetime, content: str) -> _Report:
        truth.has_clean_scan |= content == CLEAN and made >= truth.published_at
        if content != CLEAN:
            self.not_clean.add(version)
        self.surroundings.record(f"scanned {version.short}: {content}, made {made:%H:%M:%S}")
        return _Report(small_report(content, version, made), made, content)

    def _post(self, version: VersionId, report: _Report) -> None:
        async def post(world: World, now: datetime, _: Invocation) -> str:
            name = await world.evidence.save_report(version, "trivy", report.body, at=now)
            answer = await reports.scan_finished(ScanFinished(version, name, now), world, now=now)
            accepted = (report.made, report.content)
            self.last_accepted[version] = max(self.last_accepted.get(version, accepted), accepted)
            return answer

        self.host.post_report(post, version.short)

    def _post_reference(self, version: VersionId, report: _Report) -> None:
        self._references += 1
        reference = ReportReference(f"https://{REPORT_HOST}/{self._references}.json", sha256(report.body).hexdigest())
        self.store.bodies[reference.url] = report.body

        async def post(world: World, now: datetime, _: Invocation) -> str:
            return await reports.fetch_report(version, "trivy", reference, "scanner", world, now=now)

        self.host.post_report(post, version.short)


@dataclass(frozen=True, slots=True)
class _Report:
    body: bytes
    made: datetime
    content: str


def small_report(content: str, version: VersionId, made: datetime) -> bytes:
    """A Trivy report of this content, with few packages and findings so that reading it is fast."""
    created = f"{made.isoformat(timespec='microseconds')}"
    return json.dumps({**_report(content), "CreatedAt": created, "ArtifactName": f"{version.number}.vmdk"}).encode()


@cache
def _report(content: str) -> dict[str, Any]:
    document = report_for(content, "/versions/0.0.0", _ANY_TIME)
    for result in document.get("Results", ()):
        result["Packages"] = result["Packages"][:4]
        found = sorted(result["Vulnerabilities"], key=lambda each: each["Severity"] != "CRITICAL")
        result["Vulnerabilities"] = found[:3]
    return document
