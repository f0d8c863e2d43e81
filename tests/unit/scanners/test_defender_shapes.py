"""Shapes that answers of Microsoft Defender have had: individual recommendations, tables, rows of Endpoint."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from shared.domain.findings import FixState, ScanReport
from shared.domain.policy import Severity
from shared.scanners import registry
from shared.scanners.report_refusal import Refusal, RefusalReason

VM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm1"
GROUPED = "1195afff-c881-495e-9bc5-1486211ae03f"
CVES = [{"CveId": "CVE-2026-1", "FixStatus": "FixAvailable"}, {"CveId": "CVE-2026-2", "Severity": "Critical"}]


def recommended(code: str = "Unhealthy", category: str = "SoftwareUpdate", **data: Any) -> dict[str, Any]:
    additional = {
        "CvesDetails": json.dumps(CVES), "DetectedSoftwareVersions": '["3.0.2"]', "FixedVersion": "3.0.9",
        "SoftwareName": "openssl",
    } | data  # fmt: skip
    return {
        "id": f"{VM}/providers/Microsoft.Security/assessments/0aa0f0a5-0000-4000-8000-000000000001",
        "type": "microsoft.security/assessments",
        "properties": {
            "displayName": "Update openssl", "status": {"code": code, "statusChangeDate": "2026-09-10T12:00:00Z"},
            "metadata": {"severity": "High", "recommendationCategory": category},
            "resourceDetails": {"Source": "Azure", "Id": VM, "ResourceType": "microsoft.compute/virtualmachines"},
            "additionalData": additional,
        },
    }  # fmt: skip


def grouped(code: str, id_: str = GROUPED) -> dict[str, Any]:
    return {
        "id": f"{VM}/providers/Microsoft.Security/assessments/{id_}",
        "type": "microsoft.security/assessments",
        "properties": {"status": {"code": code}, "resourceDetails": {"Id": VM}},
    }


def read(value: Any) -> ScanReport:
    return registry.read(None, json.dumps(value).encode())


@pytest.mark.parametrize("cves", [json.dumps(CVES), CVES], ids=["string", "list"])
def test_an_individual_recommendation_is_a_finding_for_every_cve(cves: Any) -> None:
    report = read({"data": [recommended(CvesDetails=cves)]})
    assert (report.format, report.scanned, report.target) == ("defender", True, VM.casefold())
    assert [(found.id, found.severity) for found in report.findings] == [
        ("CVE-2026-1", Severity.HIGH),
        ("CVE-2026-2", Severity.CRITICAL),
    ]
    found = report.findings[0]
    assert (found.package, found.installed, found.fixed) == ("openssl", "3.0.2", "3.0.9")
    assert report.counts == {Severity.HIGH: 1}
    assert report.created_at is not None


def test_a_recommendation_without_cves_counts_by_its_name() -> None:
    report = read([recommended(CvesDetails="", FixedVersion="")])
    assert [(found.id, found.fix) for found in report.findings] == [("Update openssl", FixState.UNKNOWN)]


def test_cves_that_are_no_json_are_refused() -> None:
    with pytest.raises(Refusal) as caught:
        read([recommended(CvesDetails="[{")])
    assert caught.value.reason is RefusalReason.WRONG_SHAPE


def test_a_recommendation_that_was_followed_proves_a_scan() -> None:
    assert (read([recommended("Healthy")]).scanned, read([recommended("NotApplicable")]).scanned) == (True, False)


def test_an_unhealthy_machine_without_its_findings_is_not_clean() -> None:
    assert "the report contains none" in read([grouped("Unhealthy")]).not_scanned
    assert read([grouped("Unhealthy"), recommended()]).scanned


def test_a_recommendation_of_something_else_says_nothing_of_packages() -> None:
    other = grouped("Healthy", "11111111-0000-4000-8000-000000000001")
    assert "no check of packages" in read([other]).not_scanned
    assert read([recommended(category="SystemUpdate", CvesDetails=None)]).findings == ()


def test_a_passed_check_of_a_baseline_is_no_look_at_packages() -> None:
    row = grouped("Healthy", "1f655fb7-63ca-4980-91a3-56dbc2b715c6")
    row["id"] += "/subassessments/1"
    row["properties"]["additionalData"] = {"assessedResourceType": "GeneralVulnerability"}
    assert "no check of packages" in read([row]).not_scanned


def test_grouped_findings_name_software_and_the_version_to_take() -> None:
    row = grouped("Unhealthy")
    row["id"] += "/subassessments/1"
    row["properties"]["additionalData"] = {
        "assessedResourceType": "ServerVulnerabilityTvm", "cve": [{"title": "CVE-2026-3"}, {"title": "CVE-2026-4"}],
        "softwareName": "git", "softwareVersion": "2.1", "recommendedVersion": "2.2",
    }  # fmt: skip
    report = read([row])
    assert [(found.id, found.package, found.installed, found.fixed) for found in report.findings] == [
        ("CVE-2026-3", "git", "2.1", "2.2"),
        ("CVE-2026-4", "git", "2.1", "2.2"),
    ]


def test_properties_may_be_json_in_a_string() -> None:
    row = recommended()
    row["properties"] = json.dumps(row["properties"])
    assert read({"data": [row]}).findings == read([recommended()]).findings


def test_a_table_of_resource_graph_is_read() -> None:
    text = io.StringIO()
    table = csv.writer(text)
    row = recommended()
    table.writerows([["ID", "TYPE", "PROPERTIES"], [row["id"], row["type"], json.dumps(row["properties"])]])
    assert registry.read(None, text.getvalue().encode()).findings == read([row]).findings


# --- Defender for Endpoint -------------------------------------------------------------------------------------------


def of_device(**changes: Any) -> dict[str, Any]:
    return {
        "deviceId": "d1", "deviceName": "vm1", "osPlatform": "Linux", "osVersion": "22.04",
        "softwareVendor": "openssl", "softwareName": "openssl", "softwareVersion": "3.0.2", "cveId": "CVE-2026-1",
        "vulnerabilitySeverityLevel": "High", "recommendedSecurityUpdateId": "KB1", "diskPaths": ["/usr/lib/libssl.so"],
        "lastSeenTimestamp": "2026-05-10 12:00:00.1234567", "cvssScore": 8.1,
    } | changes  # fmt: skip


def hunted() -> dict[str, Any]:
    return {key[:1].upper() + key[1:]: value for key, value in of_device(OSPlatform="Linux").items()}


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"@odata.context": "x", "value": [of_device()]}),
        json.dumps([of_device()]),
        json.dumps(of_device()),
        json.dumps(of_device()) + "\n" + json.dumps(of_device(cveId=None, softwareName="bash")) + "\n",
        json.dumps({"Stats": {}, "Schema": [], "Results": [hunted()]}),
    ],
    ids=["answer", "list", "alone", "lines", "hunting"],
)
def test_rows_of_devices_are_read_however_they_are_wrapped(body: str) -> None:
    report = registry.read(None, body.encode())
    (found,) = report.findings
    assert (report.format, report.scanned, report.target) == ("defender", True, "d1")
    assert (found.id, found.package, found.installed, found.fixed) == ("CVE-2026-1", "openssl", "3.0.2", "KB1")
    assert (found.cvss_score, found.where) == (8.1, ("openssl", "/usr/lib/libssl.so"))
    assert (report.counts, report.os is not None) == ({Severity.HIGH: 1}, True)


def test_the_time_of_an_export_is_when_devices_were_last_seen() -> None:
    created = read([of_device(), of_device(lastSeenTimestamp="2026-05-01 00:00:00")]).created_at
    assert created is not None
    assert created.isoformat() == "2026-05-10T12:00:00.123456+00:00"


def test_a_table_of_advanced_hunting_is_read() -> None:
    body = b"DeviceId,DeviceName,OSPlatform,SoftwareName,SoftwareVersion,CveId,VulnerabilitySeverityLevel\n" + (
        b"d1,vm1,WindowsServer2022,edge,120,CVE-2026-1,Critical\n"
    )
    report = registry.read(None, body)
    assert (report.scanned, report.counts, str(report.os)) == (True, {Severity.CRITICAL: 1}, "WindowsServer2022")


def test_lines_that_were_cut_are_truncated() -> None:
    body = json.dumps(of_device()) + "\n" + json.dumps(of_device())[:-20]
    with pytest.raises(Refusal) as caught:
        registry.read(None, body.encode())
    assert caught.value.reason is RefusalReason.TRUNCATED


def test_what_changed_is_not_all_that_there_is() -> None:
    assert "delta export" in read([of_device(eventTimestamp="2026-05-10T12:00:00Z")]).not_scanned


def test_devices_are_not_mixed() -> None:
    assert "2 machines" in read([of_device(), of_device(deviceId="d2")]).not_scanned
