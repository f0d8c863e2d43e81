"""CycloneDX: which rating counts, whom a vulnerability affects, and why an SBOM is no scan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.domain.findings import FixState, ScanReport, VexState
from shared.domain.policy import Severity
from shared.scanners import registry
from shared.scanners.report_refusal import Refusal, RefusalReason

OS = {"type": "operating-system", "name": "ubuntu", "version": "22.04", "bom-ref": "os"}
LIB = {"type": "library", "name": "openssl", "version": "3.0", "purl": "pkg:deb/ubuntu/openssl@3.0", "bom-ref": "lib"}


def entry(**changes: Any) -> dict[str, Any]:
    rated = [{"source": {"name": "ubuntu"}, "severity": "medium"}]
    return {"id": "CVE-2026-1", "source": {"name": "ubuntu"}, "ratings": rated, "affects": [{"ref": "lib"}]} | changes


def read(*entries: dict[str, Any], **changes: Any) -> ScanReport:
    whole = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"timestamp": "2026-05-10T12:00:00Z", "tools": {"components": [{"name": "trivy"}]},
                     "component": {"type": "device", "name": "disk", "bom-ref": "root"}},
        "components": [OS, LIB],
        "vulnerabilities": list(entries),
    } | changes  # fmt: skip
    return registry.read("cyclonedx", json.dumps(whole).encode())


def test_system_packages_and_a_vulnerability_are_a_scan() -> None:
    report = read(entry())
    (found,) = report.findings
    assert (report.scanned, str(report.os), report.target, report.packages_seen) == (True, "ubuntu 22.04", "disk", 1)
    assert (found.package, found.installed, found.purl) == ("openssl", "3.0", "pkg:deb/ubuntu/openssl@3.0")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"vulnerabilities": []}, "nothing shows that a scanner looked for any"),
        ({"vulnerabilities": None}, "nothing shows that a scanner looked for any"),
        ({"components": [LIB | {"purl": "pkg:npm/x@1"}]}, "no operating system"),
        ({"components": [OS]}, "none of its packages"),
        ({"components": []}, "it is a VEX document"),
    ],
)
def test_what_proves_no_scan_says_so(changes: dict[str, Any], told: str) -> None:
    assert told in read(entry(), **changes).not_scanned


@pytest.mark.parametrize(
    ("purl", "system"),
    [
        ("pkg:deb/debian/openssl@3?distro=debian-12.5", "debian 12.5"),
        ("pkg:rpm/opensuse/openssl@3?distro=opensuse-leap-15.1", "opensuse-leap 15.1"),
        ("pkg:deb/debian/openssl@3?arch=amd64&distro=bookworm", "debian bookworm"),
        ("pkg:apk/alpine/openssl@3?distro=3.22.0", "alpine 3.22.0"),
    ],
)
def test_without_a_component_of_the_system_package_urls_name_it(purl: str, system: str) -> None:
    report = read(entry(), components=[LIB | {"purl": purl}])
    assert (report.scanned, str(report.os)) == (True, system)


def test_system_packages_of_nobody_knows_which_system_are_called_so() -> None:
    assert "does not say which one" in read(entry(), components=[LIB | {"purl": "pkg:deb/openssl@3"}]).not_scanned


def test_a_maker_that_writes_no_plain_sboms_may_find_nothing() -> None:
    assert read(metadata={"tools": [{"vendor": "anchore", "name": "grype", "version": "0.94"}]}).scanned


def test_neither_components_nor_vulnerabilities_are_refused() -> None:
    with pytest.raises(Refusal) as caught:
        read(components=[])
    assert caught.value.reason is RefusalReason.NOT_SCANNED


@pytest.mark.parametrize("version", ["1.3", "2.0", "1.10", 1.6, None])
def test_a_version_without_vulnerabilities_or_unknown_is_refused(version: object) -> None:
    with pytest.raises(Refusal) as caught:
        read(entry(), specVersion=version)
    assert caught.value.reason is RefusalReason.WRONG_SCHEMA


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        ([("nvd", "critical"), ("ubuntu", "low")], Severity.LOW),
        ([("redhat", "low"), ("nvd", "high")], Severity.HIGH),
        ([("redhat", "low"), ("suse", "high")], Severity.HIGH),
        ([("ubuntu", "unknown"), ("nvd", "high")], Severity.HIGH),
        ([("ubuntu", "info")], Severity.NEGLIGIBLE),
        ([], Severity.UNKNOWN),
    ],
)
def test_the_entrys_own_source_counts_then_nvd_then_the_worst(
    ratings: list[tuple[str, str]], expected: Severity
) -> None:
    told = [{"source": {"name": source}, "severity": word} for source, word in ratings]
    assert read(entry(ratings=told)).findings[0].severity is expected


def test_of_one_source_the_newest_cvss_version_counts() -> None:
    told = [
        {"source": {"name": "nvd"}, "severity": "high", "score": 7.5, "method": "CVSSv2", "vector": "AV:N"},
        {"source": {"name": "nvd"}, "severity": "critical", "score": 9.8, "method": "CVSSv31", "vector": "CVSS:3.1"},
    ]
    (found,) = read(entry(ratings=told)).findings
    assert (found.severity, found.cvss_score, found.cvss_vector) == (Severity.CRITICAL, 9.8, "CVSS:3.1")


def test_a_rating_by_score_or_vector_alone_has_a_severity() -> None:
    assert read(entry(ratings=[{"score": 7.0, "method": "CVSSv3"}])).findings[0].severity is Severity.HIGH
    vector = {"vector": "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "method": "CVSSv31"}
    assert read(entry(ratings=[vector])).findings[0].severity is Severity.CRITICAL
    assert read(entry(ratings=[{"score": 9.0, "method": "OWASP"}])).findings[0].severity is Severity.UNKNOWN


def test_one_entry_of_two_packages_is_two_findings_and_counts_once() -> None:
    report = read(entry(affects=[{"ref": "lib"}, {"ref": "pkg:deb/ubuntu/libssl3@3.0?arch=amd64"}]))
    assert [found.package for found in report.findings] == ["openssl", "libssl3"]
    assert report.counts == {Severity.MEDIUM: 1}


def test_components_within_components_are_found() -> None:
    inner = LIB | {"bom-ref": "inner", "name": "zlib"}
    report = read(entry(affects=[{"ref": "inner"}]), components=[OS, LIB | {"components": [inner]}])
    assert report.findings[0].package == "zlib"


def test_a_reference_into_another_document_is_resolved_by_its_last_part() -> None:
    assert read(entry(affects=[{"ref": "urn:cdx:abc/1#lib"}])).findings[0].package == "openssl"


def test_trivys_recommendation_names_the_fix() -> None:
    (found,) = read(entry(recommendation="Upgrade openssl to version 3.1; Upgrade libssl3 to version 3.1")).findings
    assert (found.fixed, found.fix) == ("3.1", FixState.FIXED)
    assert read(entry()).findings[0].fix is FixState.NOT_FIXED


def test_silence_of_other_makers_on_fixes_is_no_word_that_there_is_none() -> None:
    assert read(entry(), metadata={}).findings[0].fix is FixState.UNKNOWN


@pytest.mark.parametrize(
    ("state", "vex", "kept"),
    [
        ("not_affected", VexState.NOT_AFFECTED, False),
        ("false_positive", VexState.NOT_AFFECTED, False),
        ("resolved", VexState.FIXED, False),
        ("exploitable", VexState.AFFECTED, True),
        ("in_triage", VexState.UNDER_INVESTIGATION, True),
    ],
)
def test_what_an_analysis_declares_harmless_is_kept_apart(state: str, vex: VexState, kept: bool) -> None:
    report = read(entry(analysis={"state": state, "justification": "code_not_present"}))
    assert len(report.findings) == (1 if kept else 0)
    told = report.findings[0] if kept else report.suppressed[0].finding
    assert told.vex is vex
    assert report.counts == {Severity.MEDIUM: 1}


def test_an_entry_without_an_id_goes_by_its_reference_or_place() -> None:
    named, unnamed = read(entry(id=None, references=[{"id": "CVE-2026-7"}]), entry(id="")).findings
    assert (named.id, unnamed.id) == ("CVE-2026-7", "unnamed-2")


@pytest.mark.parametrize("name", ["spec1_lowfirst.xml", "dd_1_15_0.xml", "multiple_cwes_fabricated.xml"])
def test_xml_is_read_with_packages_and_severities(name: str, real_data: Path) -> None:
    report = registry.read("cyclonedx", (real_data / "scanner/defectdojo-scans/cyclonedx" / name).read_bytes())
    assert all(found.package and found.id for found in report.findings)
    assert any(found.severity is Severity.CRITICAL for found in report.findings)


def test_xml_of_an_unknown_version_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        registry.read("cyclonedx", b'<bom xmlns="http://cyclonedx.org/schema/bom/9.9"/>')
    assert caught.value.reason is RefusalReason.WRONG_SCHEMA


def test_xml_of_a_system_is_a_scan() -> None:
    body = b"""<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.5">
      <metadata><timestamp>2026-05-10T12:00:00Z</timestamp>
        <tools><components><component type="application"><name>scanner</name></component></components></tools>
      </metadata>
      <components><component type="operating-system"><name>debian</name><version>12</version></component>
        <component type="library" bom-ref="a"><name>zlib</name><version>1</version><purl>pkg:deb/debian/zlib@1</purl>
        </component></components>
      <vulnerabilities><vulnerability><id>CVE-2026-1</id><ratings><rating><score>9.1</score><method>CVSSv31</method>
        </rating></ratings><affects><target><ref>a</ref></target></affects></vulnerability></vulnerabilities></bom>"""
    report = registry.read(None, body)
    assert (report.scanned, report.scanner, str(report.os)) == (True, "scanner", "debian 12")
    assert report.counts == {Severity.CRITICAL: 1}
