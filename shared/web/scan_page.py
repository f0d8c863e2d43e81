"""The page of a scan verdict: its reasons, what must change, and every finding, with pagination.

The page shows recorded evidence: what was found and decided at that time, under the rules of that time. It evaluates
nothing and reads no scan report. It reads the findings from the listing that the evidence names, a few documents per
page even with a hundred thousand findings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.codec.listings import GroupWire, LineWire, ListingWire, read_listing, read_ranges
from shared.domain.display import relative_time
from shared.domain.findings_list import Disposition, Range, runs_in_ranges, select_ranges, slice_runs
from shared.domain.merging import SEVERITY_RANK
from shared.domain.policy import Severity
from shared.domain.release import Gate, GateRecord, Release
from shared.ports import Evidence, World
from shared.scan_gate.listing_pages import groups_of, lines_of
from shared.web.evidence_page import evidence_key, read_release
from shared.web.query_parameters import PageError, Pagination, QueryParameters, page_url
from shared.web.templating import Page, render

LINES: Final = 200
GROUPS: Final = 25
VERDICTS: Final = 20
EXCEPTIONS: Final = 50
REASONS: Final = 40

DISPOSITION_LABELS: Final[Mapping[Disposition, str]] = {
    Disposition.DECIDED: "blocking",
    Disposition.EXCEPTED: "excepted",
    Disposition.ALLOWED: "allowed",
    Disposition.FIX_IN_GRACE_PERIOD: "in grace period, not counted",
    Disposition.NO_FIX: "no fix, not counted",
    Disposition.SUPPRESSED: "suppressed by the scanner",
    Disposition.RESOLVED: "resolved",
}
"""The label of each disposition of a finding."""
_PRESENT: Final = frozenset(Disposition) - {Disposition.RESOLVED, Disposition.SUPPRESSED}


@dataclass(frozen=True, slots=True)
class Filters:
    """The selected filters and page numbers."""

    severity: Severity | None
    standing: Disposition | None
    new: bool
    group: int | None
    page: int
    groups: int

    @property
    def everything(self) -> bool:
        """Whether no filter is selected."""
        return self.severity is self.standing is self.group is None and not self.new


@dataclass(frozen=True, slots=True)
class PageLinks:
    """URLs of this page with other filters. All name the evidence, because the latest verdict can change."""

    version: str
    evidence: str
    filters: Filters

    def to(self, **changes: object) -> str:
        """The URL with these parameters changed. A new filter starts at its first page."""
        filters = self.filters
        given: dict[str, object] = {
            "severity": filters.severity,
            "standing": filters.standing,
            "new": "only" if filters.new else None,
            "group": filters.group,
            "groups": filters.groups if filters.groups > 1 else None,
        }
        given.update(changes)
        part_of_page = "groups" if "groups" in changes else "findings"
        return f"{page_url('scan', version=self.version, evidence=self.evidence, **given)}#{part_of_page}"


@dataclass(frozen=True, slots=True)
class SeverityRow:
    """The findings of one severity by status. ``limit`` None means that there is no limit."""

    severity: Severity
    found: int
    by_standing: Sequence[int]
    held: int | None
    limit: int | None


@dataclass(frozen=True, slots=True)
class Findings:
    """The part of the listing that is shown on this page."""

    wire: ListingWire
    rows: Sequence[SeverityRow]
    standings: Sequence[tuple[Disposition, int]]
    new: int
    same: int
    gone: int
    groups: Sequence[tuple[int, GroupWire]]
    group_paging: Pagination
    group: GroupWire | None
    lines: Sequence[LineWire]
    paging: Pagination


async def show(query: QueryParameters, world: World, now: datetime) -> Page:
    """Show the latest scan verdict of the requested version, or the one that ``evidence`` names."""
    filters = _filters(query)
    release = await read_release(query, world)
    records = _records(release)
    record = _record(records, query.text("evidence"))
    if record is None:
        return _no_verdict(release)
    document = await world.evidence.get(record.evidence)
    if document is None:
        raise PageError(404, f"the evidence {record.evidence} does not exist in storage")
    links = PageLinks(str(release.version), evidence_key(record), filters)
    facts, rules = document.get("facts") or {}, document.get("rules") or {}
    return render(
        "scan",
        release=release,
        record=record,
        verdicts=[
            (each, page_url("scan", version=release.version, evidence=evidence_key(each)))
            for each in records[:VERDICTS]
        ],
        links=links,
        lines_at=lambda page: links.to(page=page),
        groups_at=lambda page: links.to(groups=page),
        filters=filters,
        to_pass=facts.get("toPass", ()),
        compared_with=facts.get("comparedWith") or "",
        found_count=facts.get("found", 0),
        left_out=facts.get("suppressedByScanner", 0),
        reasons=_reasons(facts, record)[:REASONS],
        reports=_reports(facts, rules, now),
        exceptions=_exceptions(facts, now),
        shown_exceptions=EXCEPTIONS,
        found=await _findings(facts, rules, filters, world.evidence),
        disposition_labels=DISPOSITION_LABELS,
        severities=tuple(SEVERITY_RANK),
    )


def _filters(query: QueryParameters) -> Filters:
    standing = query.one_of("standing", Disposition)
    if query.only("decided"):
        standing = Disposition.DECIDED
    return Filters(
        severity=query.one_of("severity", Severity),
        standing=standing,
        new=query.only("new"),
        group=query.number("group"),
        page=query.page("page"),
        groups=query.page("groups"),
    )


def _records(release: Release) -> list[GateRecord]:
    """Scan verdicts that have evidence: those of the current incarnation first, then newest first."""
    found = [each for each in release.gates if each.gate in {Gate.SCAN, Gate.RESCAN} and each.evidence]
    return sorted(found, key=lambda each: (each.incarnation == release.incarnation, each.at), reverse=True)


def _record(records: Sequence[GateRecord], wanted: str) -> GateRecord | None:
    if not wanted:
        return records[0] if records else None
    found = next((each for each in records if evidence_key(each) == wanted), None)
    if found is None:
        raise PageError(404, "this release has no scan verdict with this id; the release page lists its verdicts")
    return found


def _no_verdict(release: Release) -> Page:
    entries = [each for each in release.history if "scan" in each.text or "refused" in each.text]
    return render("no_verdict", release=release, entries=entries[::-1][:VERDICTS])


# --- summary


def _reasons(facts: Mapping[str, Any], record: GateRecord) -> list[Mapping[str, Any]]:
    """The reasons, those that decided the verdict first. Evidence without facts has only the texts in the row."""
    reasons = facts.get("reasons")
    if reasons is None:
        return [{"text": text, "effect": "rejects", "count": 0} for text in record.reasons]
    return sorted(reasons, key=lambda each: each.get("effect") == "tells")


def _reports(facts: Mapping[str, Any], rules: Mapping[str, Any], now: datetime) -> list[Mapping[str, Any]]:
    hours = rules.get("maxAgeHours")
    return [{**each, **_freshness(each.get("createdAt"), hours, now)} for each in facts.get("reports", ())]


def _freshness(created: str | None, hours: float | None, now: datetime) -> dict[str, Any]:
    if not created:
        return {"at": None, "age": "", "until": None, "stale": False}
    at = datetime.fromisoformat(created)
    until = at + timedelta(hours=hours) if hours else None
    return {"at": at, "age": relative_time(at, now), "until": until, "stale": until is not None and until < now}


def _exceptions(facts: Mapping[str, Any], now: datetime) -> list[Mapping[str, Any]]:
    """The exceptions that were applied. Expired ones come first, because they need an action."""
    used = [*facts.get("expired", ()), *facts.get("excused", ())]
    dated = [{**each, "until": datetime.fromisoformat(each["expires"])} for each in used]
    then = len(facts.get("expired", ()))
    return [
        {**each, "expired": place < then, "left": relative_time(each["until"], now)} for place, each in enumerate(dated)
    ]


# --- findings


async def _findings(
    facts: Mapping[str, Any], rules: Mapping[str, Any], filters: Filters, evidence: Evidence
) -> Findings | None:
    """The part of the listing for this page. None when the evidence has no listing."""
    if "listing" not in facts:
        return None
    wire = read_listing(facts["listing"])
    ranges = read_ranges(wire)
    group = await _group(wire, filters.group, evidence)
    runs = _runs(ranges, filters, group)
    paging = Pagination(sum(count for _, count in runs), filters.page, LINES)
    group_paging = Pagination(wire.groups, filters.groups, GROUPS)
    groups = await groups_of(wire, group_paging.start, GROUPS, evidence) if group is None else []
    here = select_ranges(ranges, dispositions=_PRESENT)
    new = _count(select_ranges(here, new=True))
    return Findings(
        wire=wire,
        rows=_severity_rows(here, facts.get("counts", {}), rules.get("limits", {})),
        standings=[
            (each, count) for each in Disposition if (count := _count(select_ranges(ranges, dispositions={each})))
        ],
        new=new,
        same=_count(here) - new,
        gone=_count(select_ranges(ranges, dispositions={Disposition.RESOLVED})),
        groups=tuple(enumerate(groups, group_paging.start)),
        group_paging=group_paging,
        group=group,
        lines=await lines_of(wire, slice_runs(runs, paging.start, LINES), evidence),
        paging=paging,
    )


async def _group(wire: ListingWire, number: int | None, evidence: Evidence) -> GroupWire | None:
    if number is None:
        return None
    found = await groups_of(wire, number, 1, evidence)
    if not found:
        raise PageError(404, f"group {number} does not exist; this verdict has {wire.groups} groups")
    return found[0]


def _runs(ranges: Sequence[Range], filters: Filters, group: GroupWire | None) -> tuple[tuple[int, int], ...]:
    """Which lines of the listing match the filters. Findings that are no longer present are shown only on request."""
    standings = {filters.standing} if filters.standing else frozenset(Disposition) - {Disposition.RESOLVED}
    found = select_ranges(ranges, dispositions=standings, severity=filters.severity, new=True if filters.new else None)
    return tuple((each.start, each.count) for each in found) if group is None else runs_in_ranges(group.runs, found)


def _severity_rows(ranges: Sequence[Range], held: Mapping[str, int], limits: Mapping[str, int]) -> list[SeverityRow]:
    rows: list[SeverityRow] = []
    for severity in SEVERITY_RANK:
        these = select_ranges(ranges, severity=severity)
        if these or severity in limits:
            counts = [_count(select_ranges(these, dispositions={each})) for each in Disposition if each in _PRESENT]
            rows.append(SeverityRow(severity, _count(these), counts, held.get(severity), limits.get(severity)))
    return rows


def _count(ranges: Iterable[Range]) -> int:
    return sum(each.count for each in ranges)
