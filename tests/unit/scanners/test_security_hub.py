"""Amazon Inspector's findings as AWS Security Hub passes them on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.domain.findings import FixState, ScanReport
from shared.domain.policy import Severity
from shared.scanners import registry
from shared.scanners.report_refusal import Refusal, RefusalReason

PLATFORM = "aws/inspector/resources/1/resourceDetails/awsEc2InstanceDetails/platform"


def passed_on(number: int = 1, **changes: Any) -> dict[str, Any]:
    package = {"Name": "kernel", "Version": "5.10", "Release": "2.el9", "PackageManager": "OS",
               "FixedInVersion": "0:5.11"}  # fmt: skip
    vulnerability = {
        "Id": f"CVE-2026-{number}", "VulnerablePackages": [package], "FixAvailable": "YES", "EpssScore": "0.25",
        "Cvss": [{"Version": "3.1", "BaseScore": "8.1", "BaseVector": "CVSS:3.1/x", "Source": "NVD"}],
        "Vendor": {"Name": "NVD", "VendorSeverity": "HIGH", "VendorCreatedAt": "2026-01-01T00:00:00Z"},
    }  # fmt: skip
    return {
        "SchemaVersion": "2018-10-08", "Id": f"arn:aws:inspector2:eu-west-1:1:finding/{number}",
        "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/inspector", "Title": f"CVE-2026-{number} - kernel",
        "Severity": {"Label": "HIGH", "Normalized": 70}, "RecordState": "ACTIVE", "Workflow": {"Status": "NEW"},
        "LastObservedAt": "2026-05-10T12:00:00Z", "ProductFields": {PLATFORM: "UBUNTU_22_04", "other": None},
        "Resources": [{"Type": "AwsEc2Instance", "Id": "i-1"}], "Vulnerabilities": [vulnerability],
    } | changes  # fmt: skip


def read(value: Any) -> ScanReport:
    return registry.read(None, json.dumps(value).encode())


@pytest.mark.parametrize(
    "wrap",
    [lambda row: {"Findings": [row]}, lambda row: [row], lambda row: row, lambda row: {"findings": [row]}],
    ids=["answer", "list", "alone", "small letters"],
)
def test_findings_of_inspector_are_read_however_security_hub_wraps_them(wrap: Any) -> None:
    report = read(wrap(passed_on()))
    (found,) = report.findings
    assert (report.format, report.scanned, report.target, str(report.os)) == ("inspector", True, "i-1", "ubuntu 22.04")
    assert (found.id, found.package, found.installed, found.fixed) == ("CVE-2026-1", "kernel", "5.10-2.el9", "0:5.11")
    assert (found.cvss_score, found.epss, found.fix) == (8.1, 0.25, FixState.FIXED)
    assert report.counts == {Severity.HIGH: 1}


def test_findings_of_other_products_are_passed_over() -> None:
    other = passed_on(9, ProductArn="arn:aws:securityhub:eu-west-1::product/aws/guardduty", Vulnerabilities=None)
    report = read({"Findings": [other, passed_on()]})
    assert ([found.id for found in report.findings], report.counts) == (["CVE-2026-1"], {Severity.HIGH: 1})


def test_what_has_no_finding_of_inspector_is_refused_by_its_products() -> None:
    arn = "arn:aws:securityhub:eu-west-1::product/aquasecurity/aquasecurity"
    with pytest.raises(Refusal) as caught:
        read([passed_on(ProductArn=arn)])
    assert caught.value.reason is RefusalReason.UNKNOWN_FORMAT
    assert "aquasecurity" in caught.value.text
    assert "Trivy's own report" in caught.value.text


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [({"RecordState": "ARCHIVED"}, ["closed"]), ({"Workflow": {"Status": "SUPPRESSED"}}, ["suppressed"]),
     ({"Workflow": {"Status": "RESOLVED"}}, [])],
)  # fmt: skip
def test_what_is_gone_or_put_aside_is_kept_apart(changes: dict[str, Any], left_out: list[str]) -> None:
    assert [left.status for left in read([passed_on(**changes)]).suppressed] == left_out


def test_without_vulnerabilities_the_title_names_the_cve_and_proves_nothing() -> None:
    report = read([passed_on(Vulnerabilities=[])])
    assert ([found.id for found in report.findings], report.scanned) == (["CVE-2026-1"], False)


def test_a_page_of_security_hubs_answer_is_not_the_whole() -> None:
    assert "one page" in read({"Findings": [passed_on()], "NextToken": "t"}).not_scanned


def test_severities_of_before_the_labels_are_numbers() -> None:
    assert read([passed_on(Severity={"Normalized": 90})]).counts == {Severity.CRITICAL: 1}


@pytest.mark.parametrize("place", ["finding", "vulnerability"])
def test_a_finding_without_an_id_is_refused(place: str) -> None:
    row = passed_on()
    (row if place == "finding" else row["Vulnerabilities"][0])["Id"] = ""
    with pytest.raises(Refusal, match="length >= 1"):
        read([row])
