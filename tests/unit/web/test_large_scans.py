"""A scan of a hundred thousand findings: its evidence and its pages stay small, and hold all of it together."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.memory.evidence import MemoryEvidence
from shared.domain.findings import Finding, OsInfo, ScanReport
from shared.domain.image import VersionId, VersionNumber
from shared.domain.messages import Command, Kind
from shared.domain.policy import DefinitionPolicy, Severity
from shared.domain.release import Answer, Gate, GateRecord, Release, State
from shared.ports import Hop, StoredReport, World
from shared.scan_gate.listing_pages import LINES_A_PAGE
from shared.scan_gate.usable_reports import ReportsOnHand, UsableReport
from shared.scan_gate.verdict import decided, judged
from shared.web import site
from shared.web.templating import Page
from tests.flow.rehearsal import BEGIN, SMALL, SOURCE, Rehearsal
from tests.unit.web.scene import Read

FINDINGS = 100_000
LARGEST_PAGE = 200_000
LARGEST_EVIDENCE = 64_000
RULES = SMALL.scan
NAME = "evidence/scan-1.json"


class Counting(MemoryEvidence):
    """Evidence that counts what is read of it."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    async def get(self, name: str) -> Mapping[str, Any] | None:
        self.read += 1
        return await super().get(name)


@dataclass(frozen=True)
class Large:
    """A release whose scan found so much."""

    world: World
    evidence: Counting
    version: VersionId
    document: Mapping[str, Any]

    async def page(self, **query: object) -> Page:
        """A page about it."""
        asked = {"version": str(self.version), **{name: str(value) for name, value in query.items()}}
        return await site.page("scan", asked, self.world, now=BEGIN)


def found(at: int, text: str = "") -> Finding:
    """The finding of this number; ``text`` stands in everything that a scanner may say."""
    severity = (Severity.LOW, Severity.MEDIUM, Severity.MEDIUM, Severity.HIGH)[at % 4]
    return Finding(
        f"CVE-{2015 + at % 11}-{10_000 + at}",
        f"package-{at % 1500}{text}",
        f"1.{at % 7}.0-1ubuntu1{text}",
        severity,
        fixed=f"1.{at % 7}.0-1ubuntu1.{at % 9 + 1}{text}",
        where=(f"disk.vmdk (ubuntu 22.04){text}",),
        cvss_score=7.5,
    )


async def scanned(findings: tuple[Finding, ...]) -> Large:
    """A release that was judged on a report with these findings."""
    version = SOURCE.version(VersionNumber.parse("1.0.0"))
    report = ScanReport(
        "trivy", "Trivy", "0.67", "2", "disk", OsInfo("ubuntu", "22.04"), BEGIN + timedelta(minutes=1), None, findings
    )
    release = Release(version, State.QUALIFYING, 1, "digest-1", BEGIN, BEGIN, incarnation=BEGIN.isoformat())
    evidence = Counting()
    world = replace(Rehearsal(SMALL).cloud.world, evidence=evidence)
    on_hand = ReportsOnHand((UsableReport(StoredReport("a/trivy/report.json", "trivy", BEGIN), report),))
    now = BEGIN + timedelta(hours=1)
    policy = DefinitionPolicy("d", SOURCE, (), RULES, digest="p1")
    hop = Hop(Command(Kind.SCAN, version, 1, now), release, policy, world, now)
    verdict = judged(hop, on_hand, RULES, None)
    step = await decided(hop, Gate.SCAN, on_hand, verdict, RULES)
    document = {"gate": "scan", "facts": step.facts, "rules": step.rules}
    await evidence.put(NAME, document)
    record = GateRecord(Gate.SCAN, Answer.REJECT, BEGIN, BEGIN.isoformat(), "digest-1", NAME, step.reasons)
    await world.ledger.insert(replace(release, gates=(record,)))
    return Large(world, evidence, version, document)


@pytest.fixture(scope="module")
def large() -> Large:
    return asyncio.run(scanned(tuple(found(at) for at in range(FINDINGS))))


async def test_its_evidence_stays_small_and_counts_what_it_does_not_name(large: Large) -> None:
    facts = large.document["facts"]
    named = sum(len(reason["findings"]) for reason in facts["reasons"])
    assert len(json.dumps(large.document)) < LARGEST_EVIDENCE
    assert (facts["found"], facts["decidingCount"], facts["listing"]["lines"]) == (FINDINGS, 25_000, FINDINGS)
    assert named <= 200
    assert "and 24,990 more" in facts["reasons"][0]["text"]


async def test_no_document_beside_it_is_large(large: Large) -> None:
    sizes = [len(json.dumps(each)) for each in large.evidence.documents().values()]
    assert len(sizes) < 1.2 * FINDINGS / LINES_A_PAGE
    assert max(sizes) < 500_000


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"page": 2},
        {"page": 500},
        {"groups": 400},
        {"group": 10_499},
        {"severity": "medium", "page": 100},
        {"decided": "only", "page": 125},
    ],
    ids=str,
)
async def test_every_page_is_small_soon_there_and_read_from_few_documents(large: Large, query: dict[str, Any]) -> None:
    await large.page()  # the first page of a process compiles the templates
    read, began = large.evidence.read, time.process_time()
    page = await large.page(**query)
    assert page.status == 200
    assert time.process_time() - began < 1
    assert len(page.body.encode()) < LARGEST_PAGE
    assert large.evidence.read - read <= 6


async def test_what_decided_is_counted_in_the_head_and_stands_first(large: Large) -> None:
    page = Read(await large.page())
    assert "25,000 of 5" in page.text
    shown = page.rows("Blocking findings first")
    assert len(shown) == 200
    assert all(each.startswith("high") and each.endswith("blocking CVSS 7.5") for each in shown)


async def test_the_last_page_holds_the_last_findings(large: Large) -> None:
    page = Read(await large.page(page=500))
    assert "shown: 99,801 to 100,000" in page.text
    assert all(each.startswith("low") for each in page.rows("Blocking findings first"))


async def test_long_names_make_no_page_without_bounds() -> None:
    hostile = "<&'\">" * 2_000
    large = await scanned(tuple(found(at, hostile) for at in range(300)))
    assert len((await large.page()).body.encode()) < 2_000_000
    assert max(len(json.dumps(each)) for each in large.evidence.documents().values()) < 2_000_000
