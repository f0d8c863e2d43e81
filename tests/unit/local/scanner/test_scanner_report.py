"""The scanner's reports are Trivy's and say what the character says; its signatures are what the app verifies."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.scanner import grype_report_for, headers_for, report_for, sign
from shared.domain.signature import verify
from shared.scanners.registry import read
from shared.scanners.report_refusal import Refusal

IMAGE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/galleries/g/images/d/versions/1.2.3"
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
KEY = b"a key of sixteen bytes or more"


def _severities(character: str, *, later: bool = False) -> Counter[str]:
    report = report_for(character, IMAGE, NOW, later=later)
    return Counter(one["Severity"] for result in report["Results"] for one in result["Vulnerabilities"])


def _shape(value: Any, path: str = "") -> set[tuple[str, str]]:
    """Every path in a document with the type that stands there; list positions count as one."""
    if isinstance(value, dict):
        return {found for key, inner in value.items() for found in _shape(inner, f"{path}.{key}")}
    if isinstance(value, list):
        return {found for inner in value for found in _shape(inner, f"{path}[]")}
    return {(path, type(value).__name__)}


def _assert_fits(ours: set[tuple[str, str]], known: dict[str, set[str]]) -> None:
    for path, kind in ours:
        kinds = known.get(path)
        assert kinds is None or kind in kinds or {kind, *kinds} <= {"int", "float"}, path


def test_every_field_has_the_type_that_trivy_writes(real_data: Path) -> None:
    known: dict[str, set[str]] = {}
    for file in (real_data / "scanner" / "trivy").glob("*.json.golden"):
        document = json.loads(file.read_text())
        if isinstance(document, dict):
            for path, kind in _shape(document):
                known.setdefault(path, set()).add(kind)
    ours = _shape(report_for("critical-cve,high-cves", IMAGE, NOW))
    _assert_fits(ours, known)
    assert {".Results[].Vulnerabilities[].VulnerabilityID", ".Metadata.OS.Family"} <= {path for path, _ in ours}


def test_a_clean_image_has_what_every_ubuntu_has_and_nothing_worse() -> None:
    found = _severities("clean")
    assert set(found) == {"LOW", "MEDIUM"}
    assert sum(found.values()) > 200


def test_one_critical_finding_makes_the_difference() -> None:
    found = _severities("critical-cve")
    assert found - _severities("clean") == Counter({"CRITICAL": 1})


def test_an_image_without_updates_has_high_findings_with_fixes() -> None:
    report = report_for("high-cves", IMAGE, NOW)
    high = [one for result in report["Results"] for one in result["Vulnerabilities"] if one["Severity"] == "HIGH"]
    assert len(high) > 5
    assert all(one["FixedVersion"] and one["Status"] == "fixed" for one in high)


def test_characters_that_concern_the_machine_alone_do_not_change_the_report() -> None:
    assert report_for("panics-at-boot,slow", IMAGE, NOW) == report_for("clean", IMAGE, NOW)


def test_the_app_reads_the_report_as_a_whole_scan() -> None:
    report = read("trivy", json.dumps(report_for("critical-cve", IMAGE, NOW)).encode())
    assert Counter(finding.severity.value.upper() for finding in report.findings) == _severities("critical-cve")


def test_the_app_refuses_a_scan_that_saw_no_system() -> None:
    with pytest.raises(Refusal):
        read("trivy", json.dumps(report_for("scan-without-system", IMAGE, NOW)).encode())


def test_the_app_believes_the_signature_and_no_other() -> None:
    body, timestamp = b'{"SchemaVersion": 2}', int(NOW.timestamp())
    headers = headers_for(KEY, timestamp, body)
    given = headers["x-ringmaster-timestamp"], headers["x-ringmaster-signature"]
    rest = {"now": NOW, "tolerance": timedelta(minutes=5)}
    assert verify(*given, body, [KEY], **rest).ok
    assert not verify(*given, body + b" ", [KEY], **rest).ok
    assert not verify(*given, body, [b"another key, as long as the first"], **rest).ok
    assert sign(KEY, timestamp, body) == given[1]


def test_what_is_known_only_later_is_found_only_by_a_later_scan() -> None:
    assert _severities("high-cves-later") == _severities("clean")
    assert _severities("high-cves-later", later=True) == _severities("high-cves")
    assert _severities("clean", later=True) == _severities("clean")


def test_some_updates_leave_some_of_the_findings_and_bring_none() -> None:
    before, after = (
        {
            (one["VulnerabilityID"], one["PkgName"])
            for one in report_for(words, IMAGE, NOW)["Results"][0]["Vulnerabilities"]
        }
        for words in ("high-cves", "fewer-high-cves")
    )
    assert after < before
    assert {name for name, _ in before - after} == {"CVE-2024-12084", "CVE-2024-32002"}


def test_what_is_updated_stands_in_its_fixed_version() -> None:
    packages = {
        one["Name"]: one["Version"] for one in report_for("fewer-high-cves", IMAGE, NOW)["Results"][0]["Packages"]
    }
    assert packages["git"] == "1:2.34.1-1ubuntu1.13"
    assert packages["sudo"] == "1.9.9-1ubuntu2.4"


def test_every_field_of_grype_has_the_type_that_grype_writes(real_data: Path) -> None:
    known: dict[str, set[str]] = {}
    real = [
        *(real_data / "scanner" / "grype" / "presenter" / "json").rglob("TestJson*.golden"),
        *(real_data / "scanner").rglob("anchore_grype/*.json"),
    ]
    for file in real:
        for path, kind in _shape(json.loads(file.read_text())):
            known.setdefault(path, set()).add(kind)
    ours = _shape(grype_report_for("critical-cve,high-cves", IMAGE, NOW))
    _assert_fits(ours, known)
    assert {".matches[].vulnerability.id", ".distro.name", ".descriptor.timestamp"} <= set(known)


def test_the_app_reads_the_same_from_grype_and_that_something_is_exploited() -> None:
    ours = read("grype", json.dumps(grype_report_for("exploited-cve-later", IMAGE, NOW, later=True)).encode())
    theirs = read("trivy", json.dumps(report_for("exploited-cve-later", IMAGE, NOW, later=True)).encode())
    assert ours.scanned
    assert ours.created_at == NOW
    assert [str(one.severity) for one in ours.findings] == [str(one.severity) for one in theirs.findings]
    (exploited,) = [one for one in ours.findings if one.known_exploited]
    assert (exploited.package, exploited.aliases) == ("tomcat-embed-core", ("CVE-2025-24813",))
    first = read("grype", json.dumps(grype_report_for("exploited-cve-later", IMAGE, NOW)).encode())
    assert not any(one.known_exploited for one in first.findings)
