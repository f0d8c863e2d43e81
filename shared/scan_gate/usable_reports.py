"""Reads stored reports. Of each scanner, the newest usable report counts.

A report that proves nothing is refused, and the refusal is kept as evidence.
"""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.codec import TooLarge
from shared.domain.findings import ScanReport
from shared.domain.judgement import missing_scanners, refusals
from shared.domain.policy import ScanRules
from shared.domain.release import Release
from shared.domain.scan_formats import MULTI_SCANNER_FORMATS
from shared.ports import Hop, StoredReport, World
from shared.scan_gate.refusals import RefusalReason, RefusedReport, record
from shared.scanners.report_refusal import Refusal

REPORTS_READ: Final = 10
"""Maximum number of reports of one format that are read, newest first."""
LARGE: Final = 16 * 1024 * 1024
"""Size in bytes from which a worker reads only one report at a time."""


@dataclass(frozen=True, slots=True)
class UsableReport:
    """A report that can be evaluated."""

    stored: StoredReport
    report: ScanReport


@dataclass(frozen=True, slots=True)
class ReportsOnHand:
    """The newest usable report of each scanner, why others were refused, and which required scanners are missing."""

    usable: tuple[UsableReport, ...]
    refused: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the reports are sufficient for a verdict."""
        return bool(self.usable) and not self.missing

    @property
    def names(self) -> frozenset[str]:
        """Names of the reports."""
        return frozenset(each.stored.name for each in self.usable)


async def reports_on_hand(hop: Hop, rules: ScanRules) -> ReportsOnHand:
    """Read the reports of a release's version that are in the store."""
    release, world = hop.release, hop.world
    usable: dict[tuple[str, str], UsableReport] = {}
    refused: list[str] = []
    seen: Counter[str] = Counter()
    for stored in await world.evidence.reports(release.version):
        known = any(format_ == stored.format for format_, _ in usable)
        if seen[stored.format] >= REPORTS_READ or (known and stored.format not in MULTI_SCANNER_FORMATS):
            continue
        seen[stored.format] += 1
        found = await _read(stored, hop, rules)
        if isinstance(found, ScanReport):
            usable.setdefault((stored.format, found.scanner.casefold()), UsableReport(stored, found))
        elif not known:
            refused.append(await _refused(stored, found, hop))
    missing = missing_scanners((each.report for each in usable.values()), rules)
    return ReportsOnHand(tuple(usable.values()), tuple(refused), missing)


async def _read(stored: StoredReport, hop: Hop, rules: ScanRules) -> ScanReport | RefusalReason:
    report = await read_report(stored, hop.world)
    if isinstance(report, RefusalReason):
        return report
    another = report.image_mismatch(hop.release.version)
    if another:
        return RefusalReason("another-image", another)
    wrong = list(refusals(report, rules, version_published(hop.release), hop.now))
    if wrong:
        return RefusalReason("+".join(sorted({each.code for each in wrong})), "; ".join(each.text for each in wrong))
    return report


async def read_report(stored: StoredReport, world: World) -> ScanReport | RefusalReason:
    """Read one report from the store; of the large ones, one at a time."""
    async with world.large if stored.size > LARGE else nullcontext():
        return await _opened(stored, world)


async def _opened(stored: StoredReport, world: World) -> ScanReport | RefusalReason:
    # The readers of all formats are imported when the first report is read, not when a process starts.
    from shared.scanners.registry import read

    try:
        body = await world.evidence.read_report(stored.name)
    except TooLarge as error:
        return RefusalReason("too-large", str(error))
    if body is None:
        return RefusalReason("gone", "its content no longer exists")
    try:
        return read(stored.format, body)
    except Refusal as refusal:
        return RefusalReason(refusal.reason.value, str(refusal))


async def _refused(stored: StoredReport, why: RefusalReason, hop: Hop) -> str:
    release = hop.release
    digest = stored.name.rsplit("/", 1)[-1].removesuffix(".json")
    told = RefusedReport(release.version, stored.format, why, digest, stored.name, incarnation=release.incarnation)
    await record(told, hop.world, now=hop.now)
    return f"{digest[:16]} ({stored.format}) refused: {why}"


def outstanding(on_hand: ReportsOnHand) -> tuple[str, ...]:
    """Why the reports are not sufficient: refused reports, and required scanners without one."""
    lacking = f"no usable report has arrived from {', '.join(on_hand.missing)}" if on_hand.missing else ""
    return (*on_hand.refused, lacking) if on_hand.usable and lacking else on_hand.refused


def version_published(release: Release) -> datetime:
    """When Azure published the version. The version must have been validated."""
    return datetime.fromisoformat(release.incarnation or "")
