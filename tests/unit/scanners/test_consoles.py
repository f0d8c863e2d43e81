"""Reports that cloud consoles export: of one machine, and whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.domain.findings import FixState, ScanReport
from shared.domain.policy import Severity
from shared.scanners import registry
from shared.scanners.report_refusal import Refusal, RefusalReason

VM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm1"
ASSESSMENT = "/providers/Microsoft.Security/assessments/1195afff-c881-495e-9bc5-1486211ae03f"


# --- Defender --------------------------------------------------------------------------------------------------------


def sub_assessment(number: int = 1, vm: str = VM, code: str = "Unhealthy", **data: Any) -> dict[str, Any]:
    additional = {"assessedResourceType": "ServerVulnerability", "cve": [{"title": f"CVE-2026-{number}"}]} | data
    return {
        "type": "Microsoft.Security/assessments/subAssessments",
        "id": f"{vm}{ASSESSMENT}/subassessments/{number}",
        "properties": {
            "id": str(number), "displayName": "OpenSSL", "status": {"code": code, "severity": "Medium"},
            "timeGenerated": "2026-05-10T12:00:00Z", "resourceDetails": {"source": "Azure", "id": vm},
            "additionalData": additional,
        },
    }  # fmt: skip


def assessment(code: str, cause: str = "") -> dict[str, Any]:
    status = {"code": code, "cause": cause, "description": "No agent"}
    return {"type": "Microsoft.Security/assessments", "id": f"{VM}{ASSESSMENT}", "properties": {"status": status}}


def defender(value: Any) -> ScanReport:
    return registry.read("defender", json.dumps(value).encode())


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"value": rows}, lambda rows: {"data": rows}])
def test_rows_of_defender_are_read_however_they_are_wrapped(wrap: Any) -> None:
    body = json.dumps(wrap([sub_assessment()])).encode()
    report = registry.read(None, body)
    (found,) = report.findings
    assert (report.format, report.scanned, report.target) == ("defender", True, VM.casefold())
    assert (found.id, found.severity, found.check) == ("CVE-2026-1", Severity.MEDIUM, "1")


def test_one_sub_assessment_alone_is_read(real_data: Path) -> None:
    folder = (
        "specification/security/resource-manager/Microsoft.Security/preview/2019-01-01-preview/examples/SubAssessments"
    )
    example = json.loads((real_data / "arm/openapi" / folder / "GetSubAssessment_example.json").read_text())
    report = registry.read(None, json.dumps(example["responses"]["200"]["body"]).encode())
    (found,) = report.findings
    assert (report.scanned, found.id, found.cvss_score) == (True, "CVE-2017-6542", 9.8)
    assert found.fix is FixState.FIXED


def test_details_of_defenders_own_scanner_name_package_and_fix() -> None:
    row = sub_assessment(
        vulnerabilityDetails={"cveId": "CVE-2026-5", "severity": "Critical", "cvss": {"3.0": {"base": 9.1}}},
        softwareDetails={"packageName": "openssl", "version": "3.0", "fixedVersion": "3.1", "fixStatus": "FixAvailable",
                         "osDetails": {"osPlatform": "Windows", "osVersion": "2022"}},
        cve=None,
    )  # fmt: skip
    report = defender([row])
    (found,) = report.findings
    assert (found.id, found.package, found.fixed) == ("CVE-2026-5", "openssl", "3.1")
    assert (found.severity, found.cvss_score, str(report.os)) == (Severity.CRITICAL, 9.1, "Windows 2022")


@pytest.mark.parametrize("value", [[], {"value": []}, {"data": []}])
def test_an_empty_answer_of_defender_is_no_clean_machine(value: Any) -> None:
    with pytest.raises(Refusal) as caught:
        defender(value)
    assert caught.value.reason is RefusalReason.NOT_SCANNED


def test_a_healthy_machine_is_proven_by_its_assessment() -> None:
    report = defender([assessment("Healthy")])
    assert (report.scanned, report.findings) == (True, ())


def test_a_machine_that_defender_could_not_assess_is_not_scanned() -> None:
    assert (
        "no check of packages ran on the machine (OffByPolicy: No agent)"
        in defender([assessment("NotApplicable", "OffByPolicy")]).not_scanned
    )


def test_checks_that_passed_are_no_findings_and_prove_the_scan() -> None:
    report = defender([sub_assessment(code="Healthy")])
    assert (report.scanned, report.findings) == (True, ())
    assert not defender([sub_assessment(code="NotApplicable")]).scanned


def test_findings_of_two_machines_are_no_scan_of_one() -> None:
    assert "2 machines" in defender([sub_assessment(1), sub_assessment(2, vm=VM + "2")]).not_scanned
    assert defender([sub_assessment(1), sub_assessment(2, vm=VM.upper())]).scanned


@pytest.mark.parametrize("more", [{"nextLink": "https://x"}, {"$skipToken": "t"}, {"resultTruncated": "true"}])
def test_a_page_of_an_answer_is_not_the_whole(more: dict[str, str]) -> None:
    assert "one page" in defender({"value": [sub_assessment()], **more}).not_scanned


def test_an_assessment_of_something_else_is_no_scan_of_a_machine() -> None:
    row = sub_assessment(vm="/subscriptions/s/resourceGroups/g/providers/Microsoft.Sql/servers/db",
                         assessedResourceType="SqlServerVulnerability")  # fmt: skip
    assert "only: SqlServerVulnerability" in defender([row]).not_scanned


# --- Inspector -------------------------------------------------------------------------------------------------------


def inspected(number: int = 1, resource: str = "i-1", **changes: Any) -> dict[str, Any]:
    package = {"name": "openssl", "version": "3.0", "packageManager": "OS", "fixedInVersion": "3.1"}
    return {
        "findingArn": f"arn:aws:inspector2:eu-west-1:1:finding/{number}",
        "type": "PACKAGE_VULNERABILITY", "severity": "HIGH", "status": "ACTIVE", "fixAvailable": "YES",
        "lastObservedAt": "2026-05-10T12:00:00Z", "epss": {"score": 0.25},
        "resources": [{"id": resource, "type": "AWS_EC2_INSTANCE",
                       "details": {"awsEc2Instance": {"platform": "UBUNTU_22_04"}}}],
        "packageVulnerabilityDetails": {"vulnerabilityId": f"CVE-2026-{number}", "vulnerablePackages": [package]},
    } | changes  # fmt: skip


def inspector(*findings: Any, **changes: Any) -> ScanReport:
    return registry.read("inspector", json.dumps({"findings": list(findings)} | changes).encode())


def test_inspectors_finding_is_read() -> None:
    report = inspector(inspected())
    (found,) = report.findings
    assert (report.scanned, str(report.os), report.target) == (True, "ubuntu 22.04", "i-1")
    assert (found.id, found.package, found.fixed, found.epss) == ("CVE-2026-1", "openssl", "3.1", 0.25)


@pytest.mark.parametrize(
    ("platform", "system"),
    [("AMAZON_LINUX_2", "amazon 2"), ("WINDOWS_SERVER_2022", "windows server 2022"), ("BOTTLEROCKET", "bottlerocket")],
)
def test_platforms_of_inspector(platform: str, system: str) -> None:
    resource = {"id": "i-1", "details": {"awsEc2Instance": {"platform": platform}}}
    assert str(inspector(inspected(resources=[resource])).os) == system


def test_only_active_findings_of_inspector_are_found_now() -> None:
    report = inspector(inspected(1), inspected(2, status="SUPPRESSED"), inspected(3, status="CLOSED"))
    assert [found.id for found in report.findings] == ["CVE-2026-1"]
    assert [left.status for left in report.suppressed] == ["suppressed", "closed"]
    assert report.counts == {Severity.HIGH: 3}


@pytest.mark.parametrize(
    ("findings", "changes", "told"),
    [
        ([inspected(1), inspected(2, resource="i-2")], {}, "2 machines"),
        ([inspected()], {"nextToken": "t"}, "one page"),
        ([inspected(packageVulnerabilityDetails=None, type="NETWORK_REACHABILITY")], {}, "not of vulnerable packages"),
        ([inspected(packageVulnerabilityDetails={"vulnerabilityId": "CVE-2026-1", "vulnerablePackages": [
            {"name": "x", "packageManager": "PYTHON"}]})], {}, "no packages of an operating system"),
    ],
)  # fmt: skip
def test_what_of_inspector_is_no_scan_of_one_machine(findings: list[Any], changes: dict[str, Any], told: str) -> None:
    assert told in inspector(*findings, **changes).not_scanned


def test_an_empty_list_of_inspector_is_no_clean_machine() -> None:
    with pytest.raises(Refusal) as caught:
        inspector()
    assert caught.value.reason is RefusalReason.NOT_SCANNED


def test_what_nobody_rated_yet_is_unknown() -> None:
    assert inspector(inspected(severity="UNTRIAGED")).findings[0].severity is Severity.UNKNOWN
