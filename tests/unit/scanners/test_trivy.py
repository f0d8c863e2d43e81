"""Trivy reports: real ones read to the counts of an independent reading, and bodies that are no scan refused."""

from __future__ import annotations

import io
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.domain.findings import ScanReport
from shared.domain.policy import Severity
from shared.scanners import registry
from shared.scanners.report_refusal import Refusal, RefusalReason

PACKAGES = {"os-pkgs", "lang-pkgs"}


def read(document: object) -> ScanReport:
    return registry.read("trivy", document if isinstance(document, bytes) else json.dumps(document).encode())


def refused(document: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(document)
    return caught.value


def attempt(body: bytes) -> ScanReport | Refusal:
    try:
        return registry.read("trivy", body)
    except Refusal as refusal:
        return refusal


def document(**changes: Any) -> dict[str, Any]:
    return {
        "SchemaVersion": 2,
        "Trivy": {"Version": "0.70.0"},
        "CreatedAt": "2026-05-10T12:00:00.123456789Z",
        "ArtifactName": "/mnt/disk",
        "ArtifactType": "filesystem",
        "Metadata": {"OS": {"Family": "ubuntu", "Name": "22.04"}},
        "Results": [result()],
    } | changes


def result(*vulnerabilities: dict[str, Any], **changes: Any) -> dict[str, Any]:
    whole = {"Target": "/mnt/disk (ubuntu 22.04)", "Class": "os-pkgs", "Type": "ubuntu"} | changes
    return whole | ({"Vulnerabilities": list(vulnerabilities)} if vulnerabilities else {})


def vulnerability(**changes: Any) -> dict[str, Any]:
    return {
        "VulnerabilityID": "CVE-2026-1",
        "PkgName": "openssl",
        "InstalledVersion": "1.0",
        "Severity": "HIGH",
    } | changes


# --- real reports ----------------------------------------------------------------------------------------------------


def real_reports(data: Path) -> list[Path]:
    scanner = data / "scanner"
    found = sorted({*scanner.glob("trivy/**/*.json.golden"), *scanner.glob("defectdojo-scans/trivy/*.json")})
    assert len(found) > 50
    return found


def independent(path: Path) -> tuple[str, Counter[str]]:
    """A second reading, with nothing of the reader's: what should become of a report, and its severities."""
    loaded = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(loaded, dict) or loaded.get("SchemaVersion") != 2:
        return "wrong-shape", Counter()
    results = loaded.get("Results") or []
    family = ((loaded.get("Metadata") or {}).get("OS") or {}).get("Family", "none")
    if family == "none" and not any(part.get("Class") in PACKAGES for part in results):
        return "not-scanned", Counter()
    found = (entry for part in results for entry in part.get("Vulnerabilities") or [])
    return "read", Counter(entry.get("Severity", "UNKNOWN") for entry in found)


def test_every_real_report_is_read_or_refused_as_an_independent_reading_says(real_data: Path) -> None:
    seen: Counter[str] = Counter()
    for path in real_reports(real_data):
        expected, counts = independent(path)
        report = attempt(path.read_bytes())
        if isinstance(report, Refusal):
            became = report.reason.value
        else:
            became = "read"
            assert {key.name: value for key, value in report.counts.items()} == counts, path
        assert became == expected, path
        seen[became] += 1
    assert seen["read"] >= 35
    assert seen["not-scanned"] >= 5
    assert seen["wrong-shape"] >= 5


def test_every_count_of_the_data_set_is_met(real_data: Path) -> None:
    compared = 0
    refusals: list[tuple[RefusalReason, int]] = []
    for entry in json.loads((real_data / "scanner/counts.json").read_text(encoding="utf-8")):
        body = (real_data / "scanner" / entry["file"]).read_bytes()
        if entry["kind"] == "trivy-legacy":
            assert refused(body).reason is RefusalReason.WRONG_SHAPE
        if entry["kind"] != "trivy":
            continue
        report = attempt(body)
        if isinstance(report, Refusal):
            refusals.append((report.reason, entry["total"]))
            continue
        assert {key.name: value for key, value in report.counts.items()} == entry["by"], entry["file"]
        compared += 1
    assert compared >= 30
    # Refused are scans for other things; none that has findings may be among them.
    assert set(refusals) == {(RefusalReason.NOT_SCANNED, 0)}


def test_reports_of_other_scanners_are_refused(real_data: Path) -> None:
    folders = {"trivy", "trivy_operator", "harbor_vulnerability"}
    others = [
        path for path in (real_data / "scanner/defectdojo-scans").glob("*/*.json") if path.parent.name not in folders
    ]
    assert len(others) > 20
    for path in others:
        with pytest.raises(Refusal):
            registry.read("trivy", path.read_bytes())


def test_the_real_scan_of_a_vm_is_a_scan(real_data: Path) -> None:
    report = registry.read("trivy", (real_data / "scanner/trivy/amazonlinux2-gp2-x86-vm.json.golden").read_bytes())
    assert (report.scanned, report.target_kind, str(report.os)) == (True, "vm", "amazon 2 (Karoo)")
    (found,) = report.findings
    assert (found.id, found.package, found.severity) == ("CVE-2022-38177", "bind-export-libs", Severity.MEDIUM)
    assert (found.fixed, found.cvss_score, found.severity_source) == ("99:9.11.4-26.P2.amzn2.13", 7.5, "nvd")
    assert found.purl.startswith("pkg:rpm/amazon/bind-export-libs@")


def test_what_a_real_scan_left_out_is_kept_apart(real_data: Path) -> None:
    body = (real_data / "scanner/trivy/fixtures/convert/npm-with-suppressed.json.golden").read_bytes()
    (left_out,) = registry.read("trivy", body).suppressed
    assert (left_out.finding.id, left_out.status, left_out.source) == ("CVE-2017-16137", "not_affected", "./vex.json")


def test_a_real_report_cut_anywhere_is_refused(real_data: Path) -> None:
    body = (real_data / "scanner/trivy/ubuntu-1804.json.golden").read_bytes().rstrip()
    for length in (*range(1, 200), *range(200, len(body) - 1, 97), len(body) - 1):
        assert refused(body[:length]).reason in {RefusalReason.TRUNCATED, RefusalReason.NOT_JSON}


# --- what is read ----------------------------------------------------------------------------------------------------


def test_the_head_of_a_report_is_read() -> None:
    report = read(document())
    assert (report.scanner_version, report.schema_version, report.target) == ("0.70.0", "2", "/mnt/disk")
    assert report.created_at == datetime(2026, 5, 10, 12, 0, 0, 123456, tzinfo=UTC)


def test_a_time_with_an_offset_is_the_same_moment_in_utc() -> None:
    assert read(document(CreatedAt="2026-05-10T14:00:00+02:00")).created_at == datetime(2026, 5, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "0001-01-01T00:00:00Z", "2026-05-10T12:00:00", "today"])
def test_a_time_that_was_never_set_or_has_no_zone_is_no_time(text: str) -> None:
    assert read(document(CreatedAt=text)).created_at is None


@pytest.mark.parametrize(
    ("word", "expected"),
    [("CRITICAL", Severity.CRITICAL), ("low", Severity.LOW), ("UNKNOWN", Severity.UNKNOWN), ("", Severity.UNKNOWN),
     ("IMPORTANT", Severity.UNKNOWN)],
)  # fmt: skip
def test_a_severity_that_is_not_known_is_unknown_and_not_the_least(word: str, expected: Severity) -> None:
    (found,) = read(document(Results=[result(vulnerability(Severity=word))])).findings
    assert found.severity is expected


def test_the_score_is_that_of_the_source_of_the_severity() -> None:
    scores = {
        "nvd": {"V3Score": 9.8},
        "ubuntu": {"V2Score": 1.0, "V3Score": 5.5},
        "ghsa": {"V40Score": 8.1, "V3Score": 7},
    }
    for source, expected in (("ubuntu", 5.5), ("ghsa", 8.1), ("redhat", 9.8), ("", 9.8)):
        entry = vulnerability(SeveritySource=source, CVSS=scores)
        assert read(document(Results=[result(entry)])).findings[0].cvss_score == expected


def test_vendor_ids_are_aliases_and_places_are_kept() -> None:
    entry = vulnerability(VendorIDs=["DSA-1-1"], PkgPath="usr/lib/x.jar", Status="affected")
    (found,) = read(document(Results=[result(entry)])).findings
    assert (found.aliases, found.fixed, found.status) == (("DSA-1-1",), None, "affected")
    assert found.where == ("/mnt/disk (ubuntu 22.04)", "usr/lib/x.jar")


def test_an_end_of_life_system_is_called_so() -> None:
    report = read(document(Metadata={"OS": {"Family": "ubuntu", "Name": "16.04", "EOSL": True}}))
    assert report.os is not None
    assert report.os.end_of_life


def test_keys_that_are_not_known_are_overlooked() -> None:
    assert read(document(NewThing={"a": [1]})).scanned


# --- not scanned is never clean --------------------------------------------------------------------------------------


def test_an_os_whose_packages_were_looked_at_is_a_scan_even_without_findings() -> None:
    report = read(document())
    assert (report.scanned, report.findings, report.packages_seen) == (True, (), None)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"Results": []}, "did not examine its packages"),
        ({"Results": None}, "did not examine its packages"),
        ({"Results": [result(Class="lang-pkgs")]}, "did not examine its packages"),
        ({"Results": [result(Class="license")]}, "did not examine its packages"),
        ({"Metadata": {}, "Results": [result(Class="lang-pkgs")]}, "found no operating system"),
        ({"Metadata": {"OS": {"Family": "none"}}, "Results": [result(Class="lang-pkgs")]}, "no operating system"),
        ({"Results": [result(), result(Class="lang-pkgs", Packages=[{"Name": "x"}])]}, "but none of its packages"),
    ],
)  # fmt: skip
def test_what_is_no_scan_of_a_machine_says_so(changes: dict[str, Any], told: str) -> None:
    report = read(document(**changes))
    assert not report.scanned
    assert told in report.not_scanned


def test_before_results_had_a_class_their_type_told_which_are_of_the_system() -> None:
    def old(kind: str) -> ScanReport:
        return read(document(Results=[{"Target": "x", "Type": kind, "Vulnerabilities": [vulnerability()]}]))

    assert (old("ubuntu").scanned, old("npm").scanned) == (True, False)


def test_a_list_of_packages_that_names_a_system_must_show_packages_of_it() -> None:
    listed = document(ArtifactType="cyclonedx", Results=[{"Target": "x", "Class": "os-pkgs", "Type": "alpine"}])
    assert "none of its packages" in read(listed).not_scanned
    assert read(listed | {"Results": [result(vulnerability())]}).scanned


def test_packages_are_counted_where_they_are_listed() -> None:
    assert read(document(Results=[result(Packages=[{"Name": "a"}, {"Name": "b"}])])).packages_seen == 2


@pytest.mark.parametrize(
    "results", [None, [], [result(Class="config")], [result(Class="secret"), result(Class="license")]]
)
def test_neither_system_nor_packages_is_refused(results: object) -> None:
    assert refused(document(Metadata=None, Results=results)).reason is RefusalReason.NOT_SCANNED


# --- what isn't a report ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", RefusalReason.EMPTY),
        (b" \n\t", RefusalReason.EMPTY),
        (b"\xef\xbb\xbf", RefusalReason.EMPTY),
        (b"null", RefusalReason.WRONG_SHAPE),
        (b"[]", RefusalReason.WRONG_SHAPE),
        (b'"text"', RefusalReason.WRONG_SHAPE),
        (b"{}", RefusalReason.WRONG_SHAPE),
        (b"<html>", RefusalReason.NOT_JSON),
        (b"\x00" * 100, RefusalReason.NOT_JSON),
        (b'{"SchemaVersion": 2} trailing', RefusalReason.NOT_JSON),
        (b'{"SchemaVersion": 2, "ArtifactName": "\xff\xfe"}', RefusalReason.NOT_JSON),
        ("{}".encode("utf-16"), RefusalReason.WRONG_SHAPE),
        ("{}".encode("utf-16")[:-1], RefusalReason.TRUNCATED),
        (b"[" * 200_000, RefusalReason.WRONG_SHAPE),
        (b'{"SchemaVersion": 2, "x": ' + b"[" * 200_000, RefusalReason.NOT_JSON),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_body_that_is_no_report_is_refused_with_a_reason(body: bytes, reason: RefusalReason) -> None:
    refusal = refused(body)
    assert refusal.text
    assert refusal.reason is reason


@pytest.mark.parametrize("version", [1, 3, "2", 2.0, True, [2]])
def test_another_schema_version_is_refused(version: object) -> None:
    assert refused(document(SchemaVersion=version)).reason is RefusalReason.WRONG_SCHEMA


@pytest.mark.parametrize(
    "changes",
    [
        {"Results": {}},
        {"Results": ["x"]},
        {"Results": [result(vulnerability(VulnerabilityID=7))]},
        {"Results": [result(vulnerability(VulnerabilityID=""))]},
        {"Results": [result(vulnerability(PkgName=""))]},
        {"Results": [result({"PkgName": "x"})]},
        {"Results": [result(ExperimentalModifiedFindings=[{"Type": "vulnerability", "Finding": {"PkgName": 1}}])]},
        {"Metadata": []},
        {"CreatedAt": 5},
    ],
    ids=lambda changes: json.dumps(changes)[-60:],
)  # fmt: skip
def test_a_value_of_the_wrong_type_is_refused_and_not_overlooked(changes: dict[str, Any]) -> None:
    refusal = refused(document(**changes))
    assert (refusal.reason, refusal.text.startswith("not a Trivy report")) == (RefusalReason.WRONG_SHAPE, True)


def test_a_byte_order_mark_is_no_fault() -> None:
    assert read(b"\xef\xbb\xbf" + json.dumps(document()).encode()).scanned


# --- the registry ----------------------------------------------------------------------------------------------------


def test_a_format_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(Refusal, match=r"Known formats: cyclonedx, .*trivy") as caught:
        registry.read("snoopy", b"{}")
    assert caught.value.reason is RefusalReason.UNKNOWN_FORMAT


def test_a_file_is_read_like_its_bytes() -> None:
    body = json.dumps(document()).encode()
    assert registry.read("trivy", io.BytesIO(body)) == registry.read("trivy", body)


def test_a_body_over_the_bound_is_refused_without_being_read_to_its_end() -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size: int = -1) -> bytes:
            assert size >= 0
            Endless.taken += size
            return b" " * size

    with pytest.raises(Refusal) as caught:
        registry.read("trivy", Endless())  # pyright: ignore[reportArgumentType]
    assert caught.value.reason is RefusalReason.TOO_LARGE
    assert Endless.taken == registry.MAX_BODY_BYTES + 1


def test_every_format_of_the_registry_is_one_that_a_policy_may_name() -> None:
    from shared.policy_file.scan_models import ScanSection

    schema = ScanSection.model_json_schema(by_alias=True)["properties"]["formats"]["items"]
    assert sorted(schema.get("enum", [schema.get("const")])) == sorted(registry.READERS)
