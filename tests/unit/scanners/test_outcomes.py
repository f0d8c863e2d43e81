"""Every real report on hand: read to the counts of an independent reading, or refused for the reason in the table."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from shared.cli import report_reading
from shared.domain.findings import ScanReport
from shared.scanners import registry
from shared.scanners.report_json import report_document
from shared.scanners.report_refusal import Refusal
from tests.unit.scanners import independent

TABLE = Path(__file__).with_name("outcomes.txt")


@pytest.fixture(scope="module")
def outcomes(real_data: Path) -> dict[Path, ScanReport | Refusal]:
    """What becomes of every file, its format detected."""
    found: dict[Path, ScanReport | Refusal] = {}
    for path in sorted((real_data / "scanner").rglob("*")):
        if path.is_file() and path.name != "counts.json":
            try:
                found[path] = registry.read(None, path.read_bytes())
            except Refusal as refusal:
                found[path] = refusal
    return found


def table() -> dict[str, str]:
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {line[26:]: line[:26].strip() for line in lines}


def became(outcome: ScanReport | Refusal) -> str:
    if isinstance(outcome, Refusal):
        return f"refused {outcome.reason}"
    return f"{outcome.format} {'scan' if outcome.scanned else 'no-scan'}"


def test_every_file_becomes_what_the_table_says(outcomes: dict[Path, ScanReport | Refusal], real_data: Path) -> None:
    expected, seen = table(), set[str]()
    for path, outcome in outcomes.items():
        name = path.relative_to(real_data / "scanner").as_posix()
        row = name if name in expected else f"{name.rpartition('/')[0]}/*"
        seen.add(row)
        assert became(outcome) == expected.get(row), name
    assert seen == set(expected), "rows without a file"


def test_every_count_is_that_of_an_independent_reading(outcomes: dict[Path, ScanReport | Refusal]) -> None:
    compared: Counter[str] = Counter()
    for path, report in outcomes.items():
        if isinstance(report, Refusal):
            continue
        text = independent.text_of(path)
        counts = {severity.value: count for severity, count in report.counts.items()}
        if report.format in independent.BY_SEVERITY:
            assert counts == independent.BY_SEVERITY[report.format](text), path
        else:
            assert sum(counts.values()) == independent.TOTALS[report.format](text), path
        compared[report.format] += 1
    assert set(compared) == set(registry.READERS) - {"ringmaster"}
    assert compared.total() > 110


def test_severities_of_cyclonedx_are_those_on_which_all_who_rated_agree(
    outcomes: dict[Path, ScanReport | Refusal],
) -> None:
    compared = 0
    for path, report in outcomes.items():
        if isinstance(report, Refusal) or report.format != "cyclonedx" or path.suffix == ".xml":
            continue
        agreed = independent.cyclonedx_agreed(independent.text_of(path))
        if agreed is not None:
            assert {severity.value: count for severity, count in report.counts.items()} == agreed, path
            compared += 1
    assert compared > 20


def test_every_count_of_the_data_set_is_met(outcomes: dict[Path, ScanReport | Refusal], real_data: Path) -> None:
    met: Counter[str] = Counter()
    for entry in json.loads((real_data / "scanner/counts.json").read_text(encoding="utf-8")):
        report = outcomes[real_data / "scanner" / entry["file"]]
        if isinstance(report, Refusal):
            # Nothing with findings is refused but what its own tool does not call a report of vulnerabilities.
            assert entry["total"] == 0 or entry["kind"] in {"openvex", "trivy-legacy"} or "/xeol/" in entry["file"]
            continue
        assert sum(report.counts.values()) == entry["total"], entry["file"]
        if entry["kind"] in {"trivy", "grype"}:
            assert {severity.name: count for severity, count in report.counts.items()} == entry["by"], entry["file"]
        # The plain count calls every list of objects Trivy's legacy form, findings of AWS Security Hub too.
        assert report.format == entry["kind"] or (report.format, entry["kind"]) == ("inspector", "trivy-legacy")
        met[entry["kind"]] += 1
    assert {kind for kind, count in met.items() if count >= 8} == {"trivy", "grype", "sarif", "cyclonedx"}


def test_every_refusal_says_what_is_wrong(outcomes: dict[Path, ScanReport | Refusal]) -> None:
    refusals = [outcome for outcome in outcomes.values() if isinstance(outcome, Refusal)]
    assert len(refusals) > 100
    assert all(len(refusal.text) > 15 for refusal in refusals)


def test_a_report_that_is_no_scan_says_why(outcomes: dict[Path, ScanReport | Refusal]) -> None:
    reports = [outcome for outcome in outcomes.values() if isinstance(outcome, ScanReport)]
    assert all(report.scanned or len(report.not_scanned) > 15 for report in reports)


def test_a_named_format_reads_what_a_detected_one_reads(outcomes: dict[Path, ScanReport | Refusal]) -> None:
    for path, report in outcomes.items():
        if isinstance(report, ScanReport):
            assert registry.read(report.format, path.read_bytes()) == report


def test_the_command_prints_every_real_report_or_why_not(outcomes: dict[Path, ScanReport | Refusal]) -> None:
    keys = {"format", "scanner", "target", "os", "scanned", "counts", "findings"}
    for path, outcome in outcomes.items():
        read = report_reading.read_file(path, None)
        document, code = json.loads(report_reading.as_json(read)), report_reading.exit_code(read)
        if isinstance(outcome, Refusal):
            assert (document, code) == ({"refused": outcome.text}, report_reading.EXIT_REFUSED)
        else:
            assert document == report_document(outcome)
            assert (set(document), code) == (keys, 0)
            assert len(document["findings"]) == len(outcome.findings)
