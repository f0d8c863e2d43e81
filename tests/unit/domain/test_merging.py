"""The same vulnerability from two scanners is one finding; two vulnerabilities never are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.domain.findings import Finding, FixState, OsInfo, ScanReport, SuppressedFinding
from shared.domain.merging import merge_findings, merge_reports, package_key
from shared.domain.policy import Severity
from shared.scanners import registry

NOW = datetime(2026, 5, 10, tzinfo=UTC)


def finding(
    id_: str = "CVE-2026-1", package: str = "openssl", severity: Severity = Severity.HIGH, **changes: Any
) -> Finding:
    return replace(Finding(id_, package, "1.0", severity), **changes)


def report(scanner: str, *findings: Finding, suppressed: tuple[SuppressedFinding, ...] = ()) -> ScanReport:
    return ScanReport(scanner.lower(), scanner, "1", "", "disk", OsInfo("ubuntu"), NOW, None, findings, suppressed)


def test_a_ghsa_and_its_cve_are_one_finding_under_the_cve() -> None:
    (one,) = merge_findings([finding("GHSA-a", aliases=("CVE-2026-1",)), finding("CVE-2026-1")])
    assert (one.id, one.aliases) == ("CVE-2026-1", ("GHSA-a",))


def test_a_ghsa_that_names_its_cve_goes_under_the_cve_also_alone() -> None:
    (one,) = merge_findings([finding("GHSA-a", aliases=("GO-1", "CVE-2026-1"))])
    assert (one.id, one.aliases) == ("CVE-2026-1", ("GHSA-a", "GO-1"))


def test_what_one_report_knows_of_names_serves_for_another() -> None:
    (one,) = merge_findings(
        [finding("GHSA-a"), finding("GO-1", aliases=("GHSA-a",)), finding("CVE-2026-1", aliases=("GO-1",))]
    )
    assert (one.id, set(one.aliases)) == ("CVE-2026-1", {"GO-1", "GHSA-a"})


def test_names_without_a_cve_are_one_too() -> None:
    (one,) = merge_findings([finding("GO-1", aliases=("GHSA-a",)), finding("GHSA-a")])
    assert {one.id, *one.aliases} == {"GO-1", "GHSA-a"}


@pytest.mark.parametrize("bundle", ["RHSA-2026:1", "USN-1-1", "DSA-1-1", "ALAS-2026-1", "KB5000001", "qid:1"])
def test_a_bundle_that_fixes_two_vulnerabilities_does_not_make_them_one(bundle: str) -> None:
    found = [finding("CVE-2026-1", aliases=(bundle,)), finding("CVE-2026-2", aliases=(bundle,))]
    assert len(merge_findings(found)) == 2


def test_a_name_that_is_tied_to_two_cves_stays_by_itself() -> None:
    found = [finding("CVE-2026-1", aliases=("GHSA-a",)), finding("CVE-2026-2", aliases=("GHSA-a",)), finding("GHSA-a")]
    assert len(merge_findings(found)) == 3


@pytest.mark.parametrize(
    ("purl", "other", "same"),
    [
        ("pkg:deb/debian/openssl@1?arch=amd64", "pkg:deb/ubuntu/openssl@2", True),
        ("pkg:pypi/django@1", "pkg:pypi/django@2", True),
        ("pkg:pypi/protobuf@1", "pkg:gem/protobuf@1", False),
        ("pkg:npm/%40a/core@1", "pkg:npm/%40b/core@1", False),
        ("pkg:maven/org.a/core@1", "pkg:maven/org.b/core@1", False),
    ],
)
def test_packages_are_the_same_by_type_and_name(purl: str, other: str, same: bool) -> None:
    assert len(merge_findings([finding(purl=purl), finding(purl=other)])) == (1 if same else 2)


@pytest.mark.parametrize("name", ["org.a:core", "core", "org.a/core", "CORE"])
def test_a_package_without_a_url_joins_one_of_that_name(name: str) -> None:
    (one,) = merge_findings([finding(package=name), finding(package="core", purl="pkg:maven/org.a/core@1")])
    assert one.purl == "pkg:maven/org.a/core@1"


def test_of_two_the_worst_severity_and_everything_else_that_is_known_stays() -> None:
    (one,) = merge_findings([
        finding(severity=Severity.LOW, fixed="2", epss=0.1, known_exploited=True, where=("a",), cvss_score=5.0,
                severity_source="debian", cvss_vector="V"),
        finding(severity=Severity.CRITICAL, epss=0.7, where=("b",), severity_source="nvd"),
    ])  # fmt: skip
    assert (one.severity, one.fixed, one.epss, one.known_exploited) == (Severity.CRITICAL, "2", 0.7, True)
    assert (one.where, one.cvss_score, one.cvss_vector) == (("b", "a"), 5.0, "V")
    assert dict(one.severities) == {"nvd": Severity.CRITICAL, "debian": Severity.LOW}


def test_a_word_that_there_is_no_fix_counts_for_more_than_silence() -> None:
    (one,) = merge_findings([finding(fix_state=FixState.UNKNOWN), finding(fix_state=FixState.WONT_FIX)])
    assert one.fix is FixState.WONT_FIX


def test_silence_on_fixes_may_be_fixable_and_a_word_that_there_is_none_is_not() -> None:
    assert finding(fix_state=FixState.UNKNOWN).fixable
    assert not finding().fixable
    assert finding(fixed="2").fixable


def test_two_scanners_reports_are_one_list_that_names_both() -> None:
    both = merge_reports([report("Trivy", finding()), report("Grype", finding(), finding("CVE-2026-2"))])
    assert [(found.id, found.scanners) for found in both.findings] == [
        ("CVE-2026-1", ("Trivy", "Grype")),
        ("CVE-2026-2", ("Grype",)),
    ]


def test_what_one_scanner_leaves_out_and_another_reports_is_a_finding() -> None:
    left = (SuppressedFinding(finding("GHSA-a", aliases=("CVE-2026-1",)), "ignored"),)
    gone = (SuppressedFinding(finding("CVE-2026-9"), "ignored"),)
    both = merge_reports([report("Trivy", suppressed=left + gone), report("Grype", finding("CVE-2026-1"))])
    assert [found.id for found in both.findings] == ["CVE-2026-1"]
    assert [one.finding.id for one in both.suppressed] == ["CVE-2026-9"]


def test_a_real_report_and_its_own_sarif_tell_of_the_same_findings(real_data: Path) -> None:
    sarif = registry.read("sarif", (real_data / "scanner/trivy/alpine-310.sarif.golden").read_bytes())
    assert len(merge_reports([sarif, replace(sarif, scanner="Other")]).findings) == len(merge_findings(sarif.findings))


def test_trivy_and_grype_of_one_image_agree_on_its_packages(real_data: Path) -> None:
    folder = real_data / "scanner/openvex-vexctl"
    reports = [
        registry.read("sarif", (folder / "pkg/ctl/testdata/sarif/nginx-trivy.sarif.json").read_bytes()),
        registry.read("sarif", (folder / "examples/sarif/nginx-grype.sarif.json").read_bytes()),
    ]
    alone = [{(found.id, package_key(found)) for found in one.findings} for one in reports]
    together = merge_reports(reports).findings
    assert len(together) == len(alone[0] | alone[1])
    assert sum(len(found.scanners) == 2 for found in together) == len(alone[0] & alone[1]) > 50
