"""SARIF: packages and severities out of texts, and what does not prove a scan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.domain.findings import FixState, ScanReport
from shared.domain.policy import Severity
from shared.scanners import registry
from shared.scanners.report_refusal import Refusal, RefusalReason

MESSAGE = "Package: {}\nInstalled Version: 1.0\nVulnerability CVE-2026-1\nSeverity: {}\nFixed Version: {}\nLink: []()"


def result(severity: str = "HIGH", package: str = "openssl", fixed: str = "1.1", **changes: Any) -> dict[str, Any]:
    return {"ruleId": "CVE-2026-1", "message": {"text": MESSAGE.format(package, severity, fixed)}} | changes


def rule(**changes: Any) -> dict[str, Any]:
    return {"id": "CVE-2026-1", "name": "OsPackageVulnerability"} | changes


def document(*results: dict[str, Any], rules: list[Any] | None = None, version: Any = "2.1.0", **run: Any) -> bytes:
    driver = {"name": "Trivy", "version": "0.70", "rules": [rule()] if rules is None else rules}
    whole = {"version": version, "runs": [{"tool": {"driver": driver}, "results": list(results)} | run]}
    return json.dumps(whole).encode()


def read(*results: dict[str, Any], **changes: Any) -> ScanReport:
    return registry.read("sarif", document(*results, **changes))


def test_packages_of_the_system_among_the_results_are_a_scan() -> None:
    report = read(result())
    (found,) = report.findings
    assert (report.scanned, report.scanner) == (True, "Trivy")
    assert (found.id, found.package, found.installed, found.fixed) == ("CVE-2026-1", "openssl", "1.0", "1.1")


def test_an_empty_fixed_version_is_a_word_that_there_is_none() -> None:
    (found,) = read(result(fixed="")).findings
    assert (found.fixed, found.fix) == (None, FixState.NOT_FIXED)


def test_no_results_prove_nothing() -> None:
    assert "does not say what was examined" in read().not_scanned


def test_packages_of_applications_alone_are_no_scan_of_a_machine() -> None:
    report = read(result(), rules=[rule(name="LanguageSpecificPackageVulnerability")])
    assert "only application packages" in report.not_scanned


def test_results_of_a_checker_of_code_are_no_scan(real_data: Path) -> None:
    body = (real_data / "scanner/defectdojo-scans/sarif/flawfinder.sarif").read_bytes()
    assert "not of a scan for vulnerable packages" in registry.read("sarif", body).not_scanned


def test_a_run_that_failed_is_refused() -> None:
    with pytest.raises(Refusal, match="did not run successfully") as caught:
        read(result(), invocations=[{"executionSuccessful": False}])
    assert caught.value.reason is RefusalReason.NOT_SCANNED


def test_the_end_of_the_run_is_the_time_of_the_scan() -> None:
    calls = [{"executionSuccessful": True, "endTimeUtc": "2026-05-10T12:00:00Z"}]
    assert read(result(), invocations=calls).created_at is not None
    assert read(result()).created_at is None


@pytest.mark.parametrize("version", ["2.0.0", "1.0.0", 2.1, None, ""])
def test_another_version_is_refused(version: object) -> None:
    with pytest.raises(Refusal) as caught:
        read(result(), version=version)
    assert caught.value.reason in {RefusalReason.WRONG_SCHEMA, RefusalReason.WRONG_SHAPE}


@pytest.mark.parametrize(
    ("changes", "properties", "level", "expected"),
    [
        ({}, {"security-severity": "9.9"}, "note", Severity.HIGH),
        ({"message": {"text": "x"}}, {"tags": ["security", "LOW"], "security-severity": "9.9"}, "error", Severity.LOW),
        ({"message": {"text": "x"}}, {"security-severity": "9.1"}, "note", Severity.CRITICAL),
        ({"message": {"text": "x"}}, {"security-severity": "0.0"}, "error", Severity.NEGLIGIBLE),
        ({"message": {"text": "x"}}, {"security-severity": "many"}, "error", Severity.HIGH),
        ({"message": {"text": "x"}}, {}, "note", Severity.LOW),
        ({"message": {"text": "x"}}, {}, None, Severity.MEDIUM),
        ({}, {"security-severity": "2.0"}, "note", Severity.HIGH),
        ({"message": {"text": MESSAGE.format("a", "UNKNOWN", "")}}, {"security-severity": "9"}, "x", Severity.UNKNOWN),
    ],
)
def test_the_tools_word_counts_then_the_score_then_the_level(
    changes: dict[str, Any], properties: dict[str, Any], level: str | None, expected: Severity
) -> None:
    report = read(result(level=level, **changes), rules=[rule(properties=properties)])
    assert list(report.counts) == [expected]


def test_a_rules_default_level_stands_for_one_that_is_missing() -> None:
    report = read(result(message={"text": "x"}), rules=[rule(defaultConfiguration={"level": "error"})])
    assert report.findings[0].severity is Severity.HIGH


def test_rules_are_found_by_index_too() -> None:
    reference = {"ruleId": "", "ruleIndex": 1, "message": {"text": "x"}}
    rules = [rule(id="a"), rule(id="CVE-2026-2", properties={"security-severity": "7.5"})]
    (found,) = read(reference, rules=rules).findings
    assert (found.id, found.severity) == ("CVE-2026-2", Severity.HIGH)


def test_what_a_result_says_of_its_package_counts_more_than_its_rules_help() -> None:
    helped = rule(help={"text": "Package: libssl\nFixed Version: 9.9\nSeverity: CRITICAL"})
    (found,) = read(result(fixed="", severity="LOW"), rules=[helped]).findings
    assert (found.package, found.fixed, found.severity) == ("openssl", None, Severity.LOW)


@pytest.mark.parametrize(
    ("suppressions", "held"),
    [([{"kind": "external"}], True), ([{"kind": "inSource", "status": "accepted"}], True),
     ([{"kind": "external", "status": "rejected"}], False), ([{"kind": "x", "status": "underReview"}], False),
     ([], False)],
)  # fmt: skip
def test_a_suppression_that_holds_keeps_a_finding_apart(suppressions: list[Any], held: bool) -> None:
    report = read(result(suppressions=suppressions))
    assert (len(report.suppressed), len(report.findings)) == ((1, 0) if held else (0, 1))
    assert report.counts == {Severity.HIGH: 1}


@pytest.mark.parametrize("kind", ["pass", "notApplicable", "informational"])
def test_what_passed_is_no_finding(kind: str) -> None:
    assert read(result(kind=kind)).findings == ()


def test_grypes_rules_carry_package_type_and_distribution(real_data: Path) -> None:
    body = (real_data / "scanner/openvex-vexctl/examples/sarif/nginx-grype.sarif.json").read_bytes()
    report = registry.read("sarif", body)
    found = report.findings[0]
    assert (str(report.os), report.scanned) == ("debian 12", True)
    assert (found.id, found.package, found.installed) == ("CVE-2005-2541", "tar", "1.34+dfsg-1.2")


def snyk(remedy: str, severity: str = "critical", tag: str = "deb") -> ScanReport:
    text = f"This file introduces a vulnerable openssl package with a {severity} severity vulnerability."
    described = {
        "id": "SNYK-DEBIAN12-OPENSSL-1",
        "shortDescription": {"text": "Critical severity - Use After Free vulnerability in openssl"},
        "fullDescription": {"text": "(CVE-2026-7) openssl/libssl3@3.0.9-1"},
        "help": {"text": "", "markdown": f"## Remediation\n{remedy}\n"},
        "properties": {"tags": ["security", ["odd"], tag]},
    }
    return read({"ruleId": described["id"], "level": "error", "message": {"text": text}}, rules=[described])


def test_packages_of_snyk_stand_in_the_rules_full_description() -> None:
    report = snyk("Upgrade `Debian:12` `openssl` to version 3.0.11-1 or higher.")
    (found,) = report.findings
    assert (report.scanned, found.severity, found.aliases) == (True, Severity.CRITICAL, ("CVE-2026-7",))
    assert (found.package, found.installed, found.fixed) == ("libssl3", "3.0.9-1", "3.0.11-1")


def test_snyk_says_where_there_is_no_fix_and_which_packages_are_applications() -> None:
    report = snyk("There is no fixed version for `Debian:12` `openssl`.", severity="low", tag="npm")
    (found,) = report.findings
    assert (report.scanned, found.fix, found.severity) == (False, FixState.NOT_FIXED, Severity.LOW)
    assert found.package == "openssl/libssl3"
