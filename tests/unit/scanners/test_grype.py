"""Grype: what is read of a match, and what does not prove a scan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.domain.findings import FixState, ScanReport
from shared.domain.policy import Severity
from shared.scanners import registry
from shared.scanners.report_refusal import Refusal, RefusalReason


def match(**changes: Any) -> dict[str, Any]:
    vulnerability = {"id": "CVE-2026-1", "namespace": "debian:distro:debian:12", "severity": "High"} | changes
    return {"vulnerability": vulnerability, "artifact": {"name": "openssl", "version": "3.0", "type": "deb"}}


def document(*matches: dict[str, Any], **changes: Any) -> bytes:
    whole = {
        "matches": list(matches),
        "source": {"type": "directory", "target": "/mnt"},
        "distro": {"name": "debian", "version": "12"},
        "descriptor": {"name": "grype", "version": "0.94.0", "timestamp": "2026-05-10T12:00:00.123456789Z"},
    } | changes
    return json.dumps(whole).encode()


def read(*matches: dict[str, Any], **changes: Any) -> ScanReport:
    return registry.read("grype", document(*matches, **changes))


def test_no_matches_on_a_distribution_with_data_are_a_clean_scan() -> None:
    report = read()
    assert (report.scanned, report.findings, str(report.os), report.target) == (True, (), "debian 12", "/mnt")
    assert report.created_at is not None


@pytest.mark.parametrize("distro", [None, {}, {"name": "", "version": ""}, {"name": " "}])
def test_without_a_distribution_nothing_of_a_machine_was_scanned(distro: object) -> None:
    assert "no operating system" in read(match(), distro=distro).not_scanned


def test_a_distribution_without_data_is_not_clean_for_want_of_matches() -> None:
    assert "nothing shows that Grype has" in read(distro={"name": "gentoo", "version": "2"}).not_scanned


def test_a_match_of_the_distribution_shows_that_there_are_data() -> None:
    report = read(match(namespace="gentoo:distro:gentoo:2"), distro={"name": "gentoo", "version": "2"})
    assert report.scanned
    by_cpe = read(match(namespace="nvd:cpe"), distro={"name": "gentoo", "version": "2"})
    assert not by_cpe.scanned


def test_without_source_and_distribution_the_report_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        read(source=None, distro=None)
    assert caught.value.reason is RefusalReason.NOT_SCANNED


def test_another_maker_of_the_same_frame_is_refused_by_name() -> None:
    with pytest.raises(Refusal, match="written by 'xeol'"):
        read(descriptor={"name": "xeol"})


@pytest.mark.parametrize(
    ("word", "severity"),
    [("Negligible", Severity.NEGLIGIBLE), ("Unknown", Severity.UNKNOWN), ("", Severity.UNKNOWN),
     ("CRITICAL", Severity.CRITICAL), ("low", Severity.LOW)],
)  # fmt: skip
def test_severities_in_any_casing(word: str, severity: Severity) -> None:
    assert read(match(severity=word)).findings[0].severity is severity


@pytest.mark.parametrize(
    ("fix", "fixed", "state"),
    [
        ({"versions": ["1.2", "2.0"], "state": "fixed"}, "1.2, 2.0", FixState.FIXED),
        ({"versions": [], "state": "not-fixed"}, None, FixState.NOT_FIXED),
        ({"versions": [], "state": "wont-fix"}, None, FixState.WONT_FIX),
        ({"versions": [], "state": ""}, None, FixState.UNKNOWN),
        ({"state": "unknown"}, None, FixState.UNKNOWN),
    ],
)
def test_what_is_known_of_a_fix(fix: dict[str, Any], fixed: str | None, state: FixState) -> None:
    (found,) = read(match(fix=fix)).findings
    assert (found.fixed, found.fix) == (fixed, state)


def test_silence_on_fixes_is_no_word_that_there_is_none() -> None:
    assert read(match()).findings[0].fixable


def test_exploitation_epss_and_the_day_of_the_fix_are_read() -> None:
    entry = match(
        epss=[{"cve": "CVE-2026-1", "epss": 0.42}],
        knownExploited=[{"cve": "CVE-2026-1"}],
        fix={"versions": ["3.1"], "state": "fixed", "available": [{"version": "3.1", "date": "2026-04-01T00:00:00Z"}]},
    )
    (found,) = read(entry).findings
    assert (found.epss, found.known_exploited) == (0.42, True)
    assert found.fix_published is not None


def test_related_vulnerabilities_are_aliases_and_other_severities() -> None:
    entry = match(id="GHSA-aaaa-bbbb-cccc", namespace="github:python", severity="Medium")
    entry["relatedVulnerabilities"] = [{"id": "CVE-2026-9", "namespace": "nvd:cpe", "severity": "Critical"}]
    (found,) = read(entry).findings
    assert (found.aliases, found.severity) == (("CVE-2026-9",), Severity.MEDIUM)
    assert dict(found.severities) == {"github:python": Severity.MEDIUM, "nvd:cpe": Severity.CRITICAL}


def test_a_score_is_computed_where_only_the_vector_is_there() -> None:
    entry = match(cvss=[{"version": "3.1", "vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}])
    (found,) = read(entry).findings
    assert (found.cvss_score, found.cvss_vector[:8]) == (9.8, "CVSS:3.1")


def test_the_newest_cvss_version_counts() -> None:
    scores = [
        {"version": "2.0", "vector": "AV:N/AC:L/Au:N/C:C/I:C/A:C", "metrics": {"baseScore": 10.0}},
        {"version": "3.1", "vector": "CVSS:3.1/x", "metrics": {"baseScore": 7.1}},
    ]
    assert read(match(cvss=scores)).findings[0].cvss_score == 7.1


def test_what_rules_and_vex_left_out_is_kept_apart() -> None:
    ignored = match() | {"appliedIgnoreRules": [{"namespace": "vex", "vex-status": "not_affected"}]}
    report = read(ignoredMatches=[ignored])
    assert report.findings == ()
    assert (report.suppressed[0].status, report.suppressed[0].source) == ("not_affected", "vex")


def test_the_oldest_form_of_the_format_is_read(real_data: Path) -> None:
    body = (real_data / "scanner/defectdojo-scans/anchore_grype/many_vulns3.json").read_bytes()
    found = registry.read("grype", body).findings[0]
    assert (found.id, found.cvss_score, found.cvss_vector) == ("CVE-2019-18276", 7.2, "AV:L/AC:L/Au:N/C:C/I:C/A:C")
