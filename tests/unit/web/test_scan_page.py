"""The verdict on a scan as people read it."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.domain.policy import FailedRescanAction, Severity
from shared.domain.release import Gate
from shared.web import site
from shared.web.scan_page import GROUPS, LINES
from tests.flow.rehearsal import BEGIN, SMALL, Rehearsal
from tests.unit.web.scene import exception, finding, judged, read, report

FINDINGS = "Blocking findings first"
PACKAGES = "with findings, blocking findings first"
ALERTING = replace(SMALL, scan=replace(SMALL.scan, no_new=(Severity.HIGH,), on_failed_rescan=FailedRescanAction.ALERT))


def query(href: str) -> dict[str, str]:
    """The parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(href).query).items()}


class TestTheHead:
    async def test_it_says_what_was_decided_and_why(self) -> None:
        play, version = judged([finding()])
        page = await read(play.cloud.world, "scan", version=version)
        assert "rejected" in page.text
        assert "1 critical finding exceeds the limit of 0: CVE-2026-0001 in openssl 1.0, fixed in 1.1" in page.text

    async def test_it_says_what_would_have_to_change(self) -> None:
        play, version = judged([finding()])
        page = await read(play.cloud.world, "scan", version=version)
        assert "upgrade openssl 1.0 to 1.1 or later (CVE-2026-0001)" in [str(each) for each in page.all("li")]

    async def test_a_clean_version_has_passed_and_nothing_to_change(self) -> None:
        play, version = judged([])
        page = await read(play.cloud.world, "scan", version=version)
        assert "passed" in page.text
        assert "What must change to pass" not in page.text
        assert "The scan found no vulnerabilities." in page.text

    @pytest.mark.parametrize(("days", "told"), [(1, "fresh until"), (8, "expired, scan again")])
    async def test_each_report_has_its_scanner_its_date_and_its_freshness(self, days: int, told: str) -> None:
        play, version = judged([finding()])
        page = await read(play.cloud.world, "scan", version=version, at=BEGIN + timedelta(days=days))
        (row,) = page.rows("Evaluated reports")
        assert row.startswith("Trivy")
        assert "2026-03-02 08:" in row
        assert told in row

    async def test_limits_that_are_broken_are_told_with_their_counts(self) -> None:
        play, version = judged([finding(), finding("CVE-2026-0002", Severity="LOW")])
        page = await read(play.cloud.world, "scan", version=version)
        assert page.rows("A vulnerability in a package counts once")[0] == "critical 1 1 0 0 0 0 1 of 0"

    async def test_before_any_verdict_it_says_that_there_is_none(self) -> None:
        play = Rehearsal(SMALL)
        version = play.publish(scan=None)
        play.wait(minutes=30)
        page = await read(play.cloud.world, "scan", version=version)
        assert "no verdict yet" in page.text

    async def test_a_deadline_that_passed_is_a_verdict_without_findings(self) -> None:
        play = Rehearsal(SMALL)
        version = play.publish(scan=None)
        play.run()
        page = await read(play.cloud.world, "scan", version=version)
        assert "no usable scan report arrived by" in page.text
        assert "no stored list of findings" in page.text


class TestExceptions:
    async def test_an_excepted_finding_names_its_owner_and_its_last_day(self) -> None:
        play, version = judged([finding()], exceptions=(exception("CVE-2026-0001"),))
        page = await read(play.cloud.world, "scan", version=version)
        assert "passed" in page.text
        (row,) = page.rows("Applied to this verdict")
        assert row == "CVE-2026-0001 platform@example.com 2026-03-12 08:00 in 10 d not reachable 1 finding"
        (line,) = page.rows(FINDINGS)
        assert line.endswith("excepted exception of platform@example.com, until 2026-03-12 08:00")

    async def test_an_expired_one_says_so_and_its_finding_decides(self) -> None:
        play, version = judged([finding()], exceptions=(exception("CVE-2026-0001", days=-3),))
        page = await read(play.cloud.world, "scan", version=version)
        assert "expired 2026-02-27 08:00 3 d ago" in page.rows("Applied to this verdict")[0]
        assert "blocking expired exception of platform@example.com, until 2026-02-27" in page.rows(FINDINGS)[0]

    async def test_a_source_on_the_web_is_a_link(self) -> None:
        url = "https://vex.example.com/openssl.json"
        play, version = judged([finding()], exceptions=(exception("CVE-2026-0001", source=url),))
        page = await read(play.cloud.world, "scan", version=version)
        assert page.links()[url] == url


class TestPackages:
    async def test_a_package_says_what_its_upgrade_removes(self) -> None:
        found = [finding(f"CVE-2026-{1000 + at}", FixedVersion=f"1.{at}") for at in range(14)]
        play, version = judged([*found, finding("CVE-2026-2000", FixedVersion="")])
        page = await read(play.cloud.world, "scan", version=version)
        (row,) = page.rows(PACKAGES)
        assert row.startswith("openssl 1.0 upgrade to 1.13 or later: removes 14 findings, but not the other 1")

    async def test_its_findings_have_a_page_of_their_own(self) -> None:
        play, version = judged([finding(), finding("CVE-2026-0002", "zlib"), finding("CVE-2026-0003", "zlib")])
        first = await read(play.cloud.world, "scan", version=version)
        own = await read(play.cloud.world, "scan", **query(first.links()["zlib"]))
        assert [each.split()[1] for each in own.rows(FINDINGS)] == ["CVE-2026-0002", "CVE-2026-0003"]

    async def test_what_decided_comes_before_what_is_many(self) -> None:
        many = [finding(f"CVE-2026-{1000 + at}", "many", Severity="LOW") for at in range(9)]
        play, version = judged([*many, finding(package="decides")])
        page = await read(play.cloud.world, "scan", version=version)
        assert [each.split()[0] for each in page.rows(PACKAGES)] == ["decides", "many"]

    async def test_a_package_that_is_not_there_is_not_found(self) -> None:
        play, version = judged([finding()])
        page = await site.page("scan", {"version": str(version), "group": "1"}, play.cloud.world, now=BEGIN)
        assert page.status == 404


class TestFindings:
    async def test_what_decided_comes_first_whatever_its_severity(self) -> None:
        found = [finding("CVE-2026-0001", Severity="HIGH"), finding("CVE-2026-0002", "zlib", Severity="MEDIUM")]
        play, version = judged(found, limits={Severity.MEDIUM: 0})
        page = await read(play.cloud.world, "scan", version=version)
        assert [each.split()[:2] for each in page.rows(FINDINGS)] == [
            ["medium", "CVE-2026-0002"],
            ["high", "CVE-2026-0001"],
        ]

    @pytest.mark.parametrize(
        ("choice", "expected"),
        [
            ({"decided": "only"}, ["CVE-2026-0001"]),
            ({"standing": "decided"}, ["CVE-2026-0001"]),
            ({"standing": "no-fix"}, ["CVE-2026-0003"]),
            ({"severity": "low"}, ["CVE-2026-0002", "CVE-2026-0003"]),
            ({"severity": "low", "standing": "counted"}, ["CVE-2026-0002"]),
            ({"severity": "negligible"}, []),
        ],
        ids=str,
    )
    async def test_a_choice_shows_these_and_no_others(self, choice: dict[str, str], expected: list[str]) -> None:
        low = [finding("CVE-2026-0002", Severity="LOW"), finding("CVE-2026-0003", Severity="LOW", FixedVersion="")]
        play, version = judged([finding(), *low], only_fixable=True)
        page = await read(play.cloud.world, "scan", version=version, **choice)
        assert [each.split()[1] for each in page.rows(FINDINGS)] == expected

    async def test_every_finding_stands_on_exactly_one_page(self) -> None:
        found = [finding(f"CVE-2026-{10_000 + at}", f"package-{at % 70}") for at in range(2 * LINES + 7)]
        play, version = judged(found)
        pages = [await read(play.cloud.world, "scan", version=version, page=at) for at in (1, 2, 3)]
        shown = [row.split()[1] for page in pages for row in page.rows(FINDINGS)]
        assert [len(page.rows(FINDINGS)) for page in pages] == [LINES, LINES, 7]
        assert sorted(shown) == [each["VulnerabilityID"] for each in found]
        assert len(pages[0].rows(PACKAGES)) == GROUPS

    async def test_a_page_past_the_last_is_the_last(self) -> None:
        play, version = judged([finding()])
        page = await read(play.cloud.world, "scan", version=version, page=99)
        assert len(page.rows(FINDINGS)) == 1

    async def test_a_cve_links_to_its_record(self) -> None:
        play, version = judged([finding()])
        page = await read(play.cloud.world, "scan", version=version)
        assert page.links()["CVE-2026-0001"] == "https://www.cve.org/CVERecord?id=CVE-2026-0001"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"page": "0"},
            {"page": "x"},
            {"page": "1" * 30},
            {"page": "٣"},
            {"severity": "grim"},
            {"standing": "lying"},
            {"decided": "yes"},
            {"group": "-1"},
        ],
        ids=str,
    )
    async def test_a_choice_that_is_none_is_told(self, wrong: dict[str, str]) -> None:
        play, version = judged([finding()])
        page = await site.page("scan", {"version": str(version), **wrong}, play.cloud.world, now=BEGIN)
        assert page.status == 400
        assert f"{next(iter(wrong))} is" in page.body


class TestComparison:
    async def test_it_tells_what_is_new_what_is_gone_and_what_is_in_both(self) -> None:
        play = Rehearsal(ALERTING)
        version = play.publish(scan=None)
        before = [finding("CVE-2026-0001", Severity="LOW"), finding("CVE-2026-0002", Severity="LOW")]
        after = [finding("CVE-2026-0002", Severity="LOW"), finding("CVE-2026-0003", Severity="HIGH")]
        play.after(10, lambda: play.scan(version, body=report(play, version, before)))
        play.run()
        play.after(1, lambda: play.scan(version, body=report(play, version, after)))
        play.run()
        assert play.release(version).gates[-1].gate is Gate.RESCAN
        page = await read(play.cloud.world, "scan", version=version)
        assert "rejected in a re-scan" in page.text
        numbers = [(str(term), str(what)) for term, what in zip(page.all("dt"), page.all("dd"), strict=True)]
        assert numbers == [("new", "1"), ("resolved", "1"), ("in both", "1")]
        gone = await read(play.cloud.world, "scan", version=version, standing="gone")
        assert [each.split()[1] for each in gone.rows(FINDINGS)] == ["CVE-2026-0001"]

    async def test_earlier_verdicts_stay_where_they_can_be_read(self) -> None:
        play = Rehearsal(ALERTING)
        version = play.publish(scan=None)
        play.after(10, lambda: play.scan(version, body=report(play, version, [])))
        play.run()
        play.after(1, lambda: play.scan(version, body=report(play, version, [finding()])))
        play.run()
        page = await read(play.cloud.world, "scan", version=version)
        (earlier,) = [href for text, href in page.links().items() if text.endswith(", scan")]
        assert "passed" in (await read(play.cloud.world, "scan", **query(earlier))).text
