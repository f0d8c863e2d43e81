"""What every evidence store promises."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contract.samples import HOUR, NOW, version

NAME = "shared_images/linux-base/1.2.3/2026-03-01T12:00:00+00:00/scan.json"


async def test_a_document_reads_back_as_json(evidence: Any) -> None:
    await evidence.put(NAME, {"at": datetime(2026, 1, 1, tzinfo=UTC), "é": [1, {"b": None}], "counts": (1, 2)})
    assert await evidence.get(NAME) == {"at": "2026-01-01T00:00:00Z", "é": [1, {"b": None}], "counts": [1, 2]}


async def test_a_document_is_written_once(evidence: Any) -> None:
    await evidence.put(NAME, {"answer": "reject"})
    await evidence.put(NAME, {"answer": "pass"})
    assert await evidence.get(NAME) == {"answer": "reject"}


async def test_a_document_that_was_never_written_reads_as_nothing(evidence: Any) -> None:
    assert await evidence.get("no/such.json") is None
    await evidence.put(NAME, {})
    assert await evidence.get("no/such.json") is None


@pytest.mark.parametrize("name", ["", "a//b", "../x", "a/../../b", "a/./b", "a\\b", "a?b", "a#b", "a\x00b", "x" * 1025])
async def test_a_name_that_could_mean_another_place_is_refused(evidence: Any, name: str) -> None:
    with pytest.raises(ValueError, match="not a valid blob name"):
        await evidence.put(name, {})
    assert await evidence.get(name) is None
    assert await evidence.read_report(name) is None


async def test_a_report_reads_back_byte_by_byte(evidence: Any) -> None:
    body = b'\xef\xbb\xbf{"Results": []}\x00\xff'
    name = await evidence.save_report(version(), "trivy", body, at=NOW)
    assert await evidence.read_report(name) == body


async def test_a_report_that_was_never_saved_reads_as_nothing(evidence: Any) -> None:
    assert await evidence.read_report("some/1.0.0/trivy/x.json") is None


async def test_the_same_report_twice_is_one(evidence: Any) -> None:
    first = await evidence.save_report(version(), "trivy", b"{}", at=NOW)
    second = await evidence.save_report(version(), "trivy", b"{}", at=NOW + HOUR)
    assert first == second
    assert [report.at for report in await evidence.reports(version())] == [NOW]


async def test_reports_come_newest_first_with_format_and_time(evidence: Any) -> None:
    for hours, scan_format in ((1, "trivy"), (3, "grype"), (2, "trivy")):
        await evidence.save_report(version(), scan_format, b"%d" % hours, at=NOW + hours * HOUR)
    found = [(report.format, report.at) for report in await evidence.reports(version())]
    assert found == [("grype", NOW + 3 * HOUR), ("trivy", NOW + 2 * HOUR), ("trivy", NOW + HOUR)]


async def test_reports_of_another_version_are_left_out(evidence: Any) -> None:
    await evidence.save_report(version("1.2.30"), "trivy", b"{}", at=NOW)
    assert list(await evidence.reports(version("1.2.3"))) == []


async def test_a_version_without_reports_has_none(evidence: Any) -> None:
    assert list(await evidence.reports(version())) == []


async def test_a_report_format_that_is_no_word_is_refused(evidence: Any) -> None:
    with pytest.raises(ValueError, match="report format"):
        await evidence.save_report(version(), "../trivy", b"{}", at=NOW)
