"""The baseline of a version: the findings of the published version, or its own findings when it passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.domain.delta import Baseline
from shared.domain.findings import ScanReport
from shared.domain.merging import merge_reports
from shared.domain.policy import ScanRules
from shared.domain.release import Answer, Gate, Release, State
from shared.domain.scan_formats import MULTI_SCANNER_FORMATS
from shared.ports import Hop, World
from shared.scan_gate.refusals import RefusalReason
from shared.scan_gate.usable_reports import REPORTS_READ, read_report, version_published


async def published_baseline(hop: Hop, rules: ScanRules) -> Baseline | None:
    """The last scan of the version that is published in the last ring; None if there is none, or no rule needs it.

    It is the highest number that Ringmaster published there and did not revoke, according to the ledger.
    """
    if not (rules.no_new or rules.improvement_passes):
        return None
    newest, world = await newest_published(hop), hop.world
    if newest is None:
        return None
    return await _as_scanned(newest, [each.name for each in await world.evidence.reports(newest.version)], world)


async def newest_published(hop: Hop) -> Release | None:
    """The release of the highest other number that is published in the last ring, according to the ledger."""
    release, policy = hop.release, hop.policy
    newest: Release | None = None
    async for stored in hop.world.ledger.rows(definition=policy.source):
        other = stored.release
        if other.version == release.version or not _is_published(other, policy.rings[-1].name):
            continue
        if newest is None or other.version.number > newest.version.number:
            newest = other
    return newest


def _is_published(release: Release, ring: str) -> bool:
    if release.state in {State.REVOKING, State.REVOKED} or release.incarnation is None:
        return False
    return release.state is State.RELEASED or release.published_in(ring) is not None


async def passed_baseline(hop: Hop, rules: ScanRules) -> Baseline | None:
    """The version's scan when it passed the scan gate; None if no rule needs it."""
    if not (rules.no_new or rules.improvement_passes):
        return None
    release, world = hop.release, hop.world
    evidence = await last_scan_evidence(release, world, passed=True)
    names = [str(each["name"]) for each in (evidence or {}).get("facts", {}).get("reports", ())]
    return await _as_scanned(release, names, world, is_same_version=True)


async def last_scan_evidence(release: Release, world: World, *, passed: bool = False) -> Mapping[str, Any] | None:
    """The evidence of the last scan verdict of this incarnation, or (``passed``) of the one that let it pass."""
    gates = {Gate.SCAN} if passed else {Gate.SCAN, Gate.RESCAN}
    found = [each for each in release.gates if each.gate in gates and each.ring is None]
    found = [each for each in found if each.incarnation == release.incarnation and each.evidence]
    if passed:
        found = [each for each in found if each.answer is Answer.PASS]
    last = max(found, key=lambda each: each.at, default=None)
    return await world.evidence.get(last.evidence) if last else None


async def _as_scanned(
    release: Release, names: Sequence[str], world: World, *, is_same_version: bool = False
) -> Baseline:
    """The findings of the newest readable report of each scanner."""
    reports: dict[tuple[str, str], ScanReport] = {}
    kept = {each.name: each for each in await world.evidence.reports(release.version)}
    for stored in (kept[name] for name in names[: 2 * REPORTS_READ] if name in kept):
        if stored.format not in MULTI_SCANNER_FORMATS and any(format_ == stored.format for format_, _ in reports):
            continue
        report = await read_report(stored, world)
        if isinstance(report, RefusalReason) or not report.scanned or report.created_at is None:
            continue
        if report.created_at >= version_published(release):
            reports.setdefault((stored.format, report.scanner.casefold()), report)
    made = [report.created_at for report in reports.values() if report.created_at is not None]
    together = merge_reports(reports.values())
    found = (*together.findings, *(left.finding for left in together.suppressed))
    return Baseline(release.version.short, found, max(made, default=None), is_same_version=is_same_version)
