"""Reports as they arrive: in other encodings, in lists, with nulls, cut by other delimiters. What they say stays."""

from __future__ import annotations

import codecs
import json
from typing import Any

import pytest

from shared.domain.findings import ScanReport
from shared.domain.policy import Severity
from shared.scanners import registry
from shared.scanners.report_refusal import Refusal, RefusalReason

TRIVY: dict[str, Any] = {
    "SchemaVersion": 2,
    "ArtifactName": "disk.img – Ü",
    "ArtifactType": "vm",
    "Metadata": {"OS": {"Family": "ubuntu", "Name": "22.04"}},
    "Results": [
        {
            "Target": "disk.img",
            "Class": "os-pkgs",
            "Type": "ubuntu",
            "Vulnerabilities": [{"VulnerabilityID": "CVE-2026-1", "PkgName": "openssl", "Severity": "HIGH"}],
        }
    ],
}
TEXT = json.dumps(TRIVY, ensure_ascii=False, indent=1)
XML = (
    '<?xml version="1.0" encoding="UTF-16"?>\n<NessusClientData_v2><Report><ReportHost name="h"><HostProperties>'
    '<tag name="host-fqdn">h</tag><tag name="Credentialed_Scan">true</tag></HostProperties><ReportItem port="0" '
    'severity="2" pluginID="1" pluginName="Ü"/></ReportHost></Report></NessusClientData_v2>'
)


def refused(body: bytes, named: str | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        registry.read(named, body)
    return caught.value


def seen(report: ScanReport) -> tuple[object, ...]:
    return report.format, report.target, report.scanned, report.findings, dict(report.counts)


@pytest.mark.parametrize(
    "body",
    [
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        b"\r\n \n" + TEXT.encode() + b"\r\n\r\n",
        TEXT.replace("\n", "\r\n").encode(),
        json.dumps([TRIVY]).encode(),
    ],
    ids=[
        "BOM",
        "UTF-16",
        "UTF-16 BE",
        "UTF-16 LE without BOM",
        "UTF-16 BE without BOM",
        "space around",
        "CRLF",
        "list",
    ],
)
def test_the_same_report_says_the_same_however_it_is_wrapped(body: bytes) -> None:
    assert seen(registry.read(None, body)) == seen(registry.read("trivy", TEXT.encode()))


@pytest.mark.parametrize("body", [XML.encode("utf-16"), b"\n\n" + XML.replace("UTF-16", "UTF-8").encode()])
def test_xml_is_read_in_utf_16_and_after_empty_lines(body: bytes) -> None:
    assert registry.read(None, body).findings[0].package == "Ü"


def test_utf_16_that_was_cut_is_truncated() -> None:
    assert refused(TEXT.encode("utf-16")[:-1]).reason is RefusalReason.TRUNCATED


@pytest.mark.parametrize("named", [None, "trivy"])
def test_a_list_of_several_reports_is_refused_since_only_one_can_be_meant(named: str | None) -> None:
    refusal = refused(json.dumps([TRIVY, TRIVY]).encode(), named)
    assert "a list of 2 reports" in refusal.text


def test_two_documents_one_after_the_other_are_not_one() -> None:
    refusal = refused((json.dumps(TRIVY) + "\n" + json.dumps(TRIVY)).encode())
    assert "not a single JSON document" in refusal.text


def test_null_is_the_same_as_nothing() -> None:
    void = json.loads(TEXT)
    void["Results"][0]["Vulnerabilities"][0] |= {"PublishedDate": None, "CVSS": {"nvd": None}, "PkgIdentifier": None}
    void |= {"CreatedAt": None, "Trivy": {"Version": None}}
    assert seen(registry.read(None, json.dumps(void).encode())) == seen(registry.read(None, TEXT.encode()))


@pytest.mark.parametrize("key", ["VulnerabilityID", "PkgName"])
def test_null_for_a_name_that_must_be_there_is_refused(key: str) -> None:
    void = json.loads(TEXT)
    void["Results"][0]["Vulnerabilities"][0][key] = None
    assert refused(json.dumps(void).encode()).reason is RefusalReason.WRONG_SHAPE


def test_a_null_among_the_entries_is_refused_since_an_entry_would_be_lost() -> None:
    void = json.loads(TEXT)
    void["Results"][0]["Vulnerabilities"].append(None)
    assert refused(json.dumps(void).encode()).reason is RefusalReason.WRONG_SHAPE


@pytest.mark.parametrize(
    "body",
    [{"findings": [], "project": {}}, {"data": [], "links": {}}, {"value": [], "kind": 1}, {"findings": [{"id": 1}]}],
)
def test_an_empty_list_beside_other_things_is_of_nobody(body: dict[str, Any]) -> None:
    assert refused(json.dumps(body).encode()).reason is RefusalReason.UNKNOWN_FORMAT


EXPLORED = "age_in_days{0}asset.name{0}asset.operating_system{0}definition.cve{0}definition.cvss3.base_score{0}" + (
    "definition.family{0}definition.id{0}definition.name{0}definition.type{0}definition.vpr.score{0}last_seen{0}"
    "output{0}severity{0}state\n"
)
EXPLORED_ROW = "3{0}vm1{0}Ubuntu 22.04{0}CVE-2026-1, CVE-2026-2{0}8.1{0}Misc.{0}77{0}openssl{0}LOCAL{0}{0}" + (
    "2026-05-10T12:00:00.000Z{0}'x'{0}High{0}{1}\n"
)


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_findings_of_tenables_explore_are_read_by_any_delimiter(between: str) -> None:
    quoted = EXPLORED_ROW.replace("CVE-2026-1, CVE-2026-2", '"CVE-2026-1, CVE-2026-2"')
    body = EXPLORED.format(between) + quoted.format(between, "ACTIVE") + quoted.format(between, "FIXED")
    report = registry.read(None, body.encode())
    assert (report.format, report.scanned, report.target, str(report.os)) == ("nessus", True, "vm1", "Ubuntu 22.04")
    assert [found.id for found in report.findings] == ["CVE-2026-1", "CVE-2026-2"]
    assert [left.status for left in report.suppressed] == ["fixed", "fixed"]
    assert (report.counts, report.findings[0].cvss_score) == ({Severity.HIGH: 2}, 8.1)
    assert report.created_at is not None


def test_csv_of_somebody_else_is_called_so() -> None:
    assert "CSV, but not an export of Tenable" in refused(b"Name,Properties\nx,y\n").text
