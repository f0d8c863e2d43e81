"""The listing of a verdict as evidence keeps it, and as pages read it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.adapters.memory.evidence import MemoryEvidence
from shared.codec import Malformed
from shared.codec.listings import ListingWire, read_listing, read_ranges
from shared.domain.findings import Finding
from shared.domain.findings_list import list_findings
from shared.domain.image import VersionNumber
from shared.domain.policy import Severity
from shared.domain.release import Release, State
from shared.domain.verdicts import ScanOutcome, ScanVerdict
from shared.scan_gate.listing_pages import INLINE, LINES_A_PAGE, groups_of, keep, lines_of
from tests.flow.rehearsal import BEGIN, SMALL, SOURCE, Rehearsal

NOW = datetime(2026, 3, 2, tzinfo=UTC)
RELEASE = Release(SOURCE.version(VersionNumber.parse("1.0.0")), State.QUALIFYING, 1, "digest", BEGIN, BEGIN)


def verdict(count: int) -> ScanVerdict:
    """A verdict on so many findings, in three packages each of its own severity."""
    kinds = (Severity.HIGH, Severity.LOW, Severity.MEDIUM)
    found = (Finding(f"CVE-2026-{10_000 + at}", f"package-{at % 3}", "1", kinds[at % 3]) for at in range(count))
    return ScanVerdict(ScanOutcome.PASS, (), findings=tuple(found))


async def kept(count: int) -> tuple[ListingWire, MemoryEvidence]:
    play = Rehearsal(SMALL)
    facts = await keep(verdict(count), RELEASE, play.cloud.world)
    return read_listing(facts), play.cloud.evidence


@pytest.mark.parametrize("count", [0, 1, INLINE, INLINE + 1, LINES_A_PAGE, LINES_A_PAGE + 1, 3 * LINES_A_PAGE])
async def test_what_is_read_back_is_what_was_listed(count: int) -> None:
    wire, evidence = await kept(count)
    whole = list_findings(verdict(count))
    assert read_ranges(wire) == whole.ranges
    lines = await lines_of(wire, [(0, count)], evidence)
    assert [(each.id, each.package) for each in lines] == [
        (each.finding.id, each.finding.package) for each in whole.entries
    ]
    groups = await groups_of(wire, 0, 99, evidence)
    assert [(each.package, each.total, list(each.runs)) for each in groups] == [
        (each.package, each.total, each.runs) for each in whole.groups
    ]


@pytest.mark.parametrize(("count", "documents"), [(INLINE, 0), (INLINE + 1, 2), (3 * LINES_A_PAGE, 4)])
async def test_a_short_listing_needs_no_document_of_its_own(count: int, documents: int) -> None:
    _, evidence = await kept(count)
    assert len(evidence.documents()) == documents


async def test_the_same_findings_are_kept_once_however_often_they_are_judged() -> None:
    play = Rehearsal(SMALL)
    first = await keep(verdict(500), RELEASE, play.cloud.world)
    documents = dict(play.cloud.evidence.documents())
    assert await keep(verdict(500), RELEASE, play.cloud.world) == first
    assert play.cloud.evidence.documents() == documents


async def test_lines_across_pages_come_in_the_order_that_is_asked_for() -> None:
    wire, evidence = await kept(3 * LINES_A_PAGE)
    runs = [(2 * LINES_A_PAGE - 2, 4), (0, 1)]
    expected = [each.finding.id for each in list_findings(verdict(3 * LINES_A_PAGE)).entries]
    found = [each.id for each in await lines_of(wire, runs, evidence)]
    assert found == [*expected[2 * LINES_A_PAGE - 2 : 2 * LINES_A_PAGE + 2], expected[0]]


@pytest.mark.parametrize(("start", "count"), [(3, 5), (99, 1), (0, 0)])
async def test_groups_past_the_last_are_none(start: int, count: int) -> None:
    wire, evidence = await kept(500)
    assert await groups_of(wire, start, count, evidence) == []


class TestWhatIsBroken:
    async def test_a_page_that_is_gone_is_told(self) -> None:
        wire, _ = await kept(500)
        with pytest.raises(Malformed, match="does not exist in the evidence"):
            await lines_of(wire, [(0, 1)], MemoryEvidence())

    async def test_a_page_with_fewer_lines_than_were_said_is_told(self) -> None:
        wire, evidence = await kept(500)
        with pytest.raises(Malformed, match="fewer entries than its evidence states"):
            await lines_of(wire, [(400, 101)], evidence)

    async def test_a_page_past_the_last_is_told(self) -> None:
        wire, evidence = await kept(500)
        with pytest.raises(Malformed, match="has no page 2"):
            await lines_of(wire, [(LINES_A_PAGE, 1)], evidence)

    @pytest.mark.parametrize("facts", [{}, {"lines": "many"}, {"ranges": [{"standing": "lying"}]}], ids=str)
    def test_facts_that_are_no_listing_are_refused(self, facts: Mapping[str, Any]) -> None:
        with pytest.raises(Malformed, match="not a page of a list"):
            read_listing(facts)
