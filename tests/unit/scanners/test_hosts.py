"""Reports of network scanners, Nessus and Qualys: of one host, whole, and of a look from within."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.domain.findings import ScanReport
from shared.domain.policy import Severity
from shared.scanners import registry
from shared.scanners.report_refusal import Refusal, RefusalReason

# --- Nessus ----------------------------------------------------------------------------------------------------------


def nessus_xml(properties: str = "", items: str = "", host: str = "web01") -> bytes:
    return f"""<?xml version="1.0"?><NessusClientData_v2><Report name="r"><ReportHost name="{host}"><HostProperties>
      <tag name="host-fqdn">{host}</tag><tag name="operating-system">Ubuntu 22.04</tag>
      <tag name="HOST_END">Sun May 10 12:00:00 2026</tag>{properties}</HostProperties>{items}
      </ReportHost></Report></NessusClientData_v2>""".encode()


ITEM = """<ReportItem port="0" protocol="tcp" severity="3" pluginID="1234" pluginName="Ubuntu : openssl"
  pluginFamily="Ubuntu Local Security Checks"><cve>CVE-2026-1</cve><cve>CVE-2026-2</cve>
  <cvss3_base_score>8.1</cvss3_base_score><cvss3_vector>CVSS:3.0/AV:N</cvss3_vector><epss_score>0.3</epss_score>
  <xref>CISA-KNOWN-EXPLOITED:2026/05/01</xref><patch_publication_date>2026/04/30</patch_publication_date>
  <plugin_output>  - Installed package : openssl_3.0.2-0ubuntu1.9
  - Fixed package     : openssl_3.0.2-0ubuntu1.10</plugin_output></ReportItem>"""
LOGGED_IN = '<tag name="Credentialed_Scan">true</tag>'


def test_an_item_of_nessus_is_a_finding_for_every_cve() -> None:
    report = registry.read(None, nessus_xml(LOGGED_IN, ITEM))
    assert (report.format, report.scanned, str(report.os)) == ("nessus", True, "Ubuntu 22.04")
    assert [found.id for found in report.findings] == ["CVE-2026-1", "CVE-2026-2"]
    assert report.counts == {Severity.HIGH: 1}
    found = report.findings[0]
    assert (found.package, found.installed, found.fixed) == ("openssl", "3.0.2-0ubuntu1.9", "3.0.2-0ubuntu1.10")
    assert (found.known_exploited, found.epss, found.cvss_score) == (True, 0.3, 8.1)
    assert found.fix_published is not None
    assert report.created_at is not None


def test_a_machine_that_nessus_logged_into_may_have_no_findings() -> None:
    assert registry.read("nessus", nessus_xml(LOGGED_IN)).scanned


@pytest.mark.parametrize("properties", ["", '<tag name="Credentialed_Scan">false</tag>'])
def test_a_look_from_outside_is_no_scan(properties: str) -> None:
    assert "credentialed checks" in registry.read("nessus", nessus_xml(properties)).not_scanned


def test_a_failed_login_is_no_scan_whatever_else_is_there() -> None:
    assert not registry.read("nessus", nessus_xml('<tag name="Credentialed_Scan">false</tag>', ITEM)).scanned


@pytest.mark.parametrize("column", ["Host End", "Last Observed", "Last Found", "Last Seen", "last_seen"])
def test_a_csv_of_tenable_names_its_time_in_any_of_its_columns(column: str) -> None:
    body = f"Plugin ID,Host,Name,{column}\r\n1234,web01,openssl,2026-05-10T12:00:00Z\r\n".encode()
    assert registry.read("nessus", body).created_at == datetime(2026, 5, 10, 12, tzinfo=UTC)


def test_rows_of_a_csv_of_one_host_are_read() -> None:
    body = (
        b"Plugin ID,CVE,CVSS,Risk,Host,Protocol,Port,Name,Plugin Output\r\n"
        b'19506,,,None,h1,tcp,0,Nessus Scan Information,"Nessus version : 10.7\nCredentialed checks : yes"\r\n'
        b'7,CVE-2026-1,5.0,Critical,h1,tcp,0,"a, b","Remote package installed : kernel-tools-4.14-2.el7\n'
        b'Should be                : kernel-tools-4.14-3.el7"\r\n'
    )
    report = registry.read(None, body)
    found = report.findings[-1]
    assert (report.scanned, report.scanner_version) == (True, "10.7")
    assert (found.package, found.installed, found.fixed) == ("kernel-tools", "4.14-2.el7", "4.14-3.el7")
    assert report.counts == {Severity.NEGLIGIBLE: 1, Severity.CRITICAL: 1}


@pytest.mark.parametrize("tail", ["7,CVE-2026-1,5", '7,CVE-2026-1,5.0,High,h1,tcp,0,x,"cut'])
def test_a_csv_that_was_cut_is_refused(tail: str) -> None:
    body = f"Plugin ID,CVE,CVSS,Risk,Host,Protocol,Port,Name,Plugin Output\n{tail}".encode()
    with pytest.raises(Refusal) as caught:
        registry.read("nessus", body)
    assert caught.value.reason is RefusalReason.TRUNCATED


# --- Qualys ----------------------------------------------------------------------------------------------------------

QUALYS = '"IP","DNS","Tracking Method","OS","QID","Title","Vuln Status","Type","Severity","CVE ID","Category"\n'


def qualys_row(
    method: str = "AGENT",
    status: str = "Active",
    kind: str = "Vuln",
    grade: str = "4",
    category: str = "X",
    title: str = "T",
) -> str:
    cves = "CVE-2026-1,CVE-2026-2"
    cells = ("10.0.0.1", "h1", method, "Ubuntu 22.04", "123", title, status, kind, grade, cves, category)
    return ",".join(f'"{cell}"' for cell in cells) + "\n"


def qualys(*rows: str) -> ScanReport:
    return registry.read(None, ("Title\n\n" + QUALYS + "".join(rows)).encode())


def test_a_check_of_an_agent_is_a_finding_for_every_cve() -> None:
    report = qualys(qualys_row())
    assert (report.format, report.scanned) == ("qualys", True)
    assert [(found.id, found.check) for found in report.findings] == [
        ("CVE-2026-1", "qid:123"),
        ("CVE-2026-2", "qid:123"),
    ]
    assert report.counts == {Severity.HIGH: 1}


def test_a_look_of_qualys_from_outside_is_no_scan() -> None:
    assert "nothing shows that Qualys logged in" in qualys(qualys_row("IP")).not_scanned


@pytest.mark.parametrize(
    ("category", "title", "kind", "within"),
    [("Windows", "Microsoft Windows Security Update for May 2026", "Vuln", True),
     ("Windows", "Remote Desktop Protocol Weak Encryption Method Allowed", "Vuln", False),
     ("Ubuntu", "Ubuntu Security Notification", "Vuln", True), ("Local", "Processors", "Potential", False),
     ("Web server", "Old server", "Vuln", False)],
)  # fmt: skip
def test_what_shows_that_qualys_looked_from_within(category: str, title: str, kind: str, within: bool) -> None:
    assert qualys(qualys_row("IP", category=category, title=title, kind=kind)).scanned is within


def test_a_dash_behind_an_apostrophe_is_no_port() -> None:
    head = "QID,Title,Severity,Asset Name,Operating System,Port,Category\n"
    report = registry.read("qualys", (head + "7,T,5,h1,Ubuntu 22.04,'-,Ubuntu\n").encode())
    assert (report.scanned, report.findings[0].where) == (True, ())


@pytest.mark.parametrize(
    ("grade", "kind", "expected"),
    [("1", "Vuln", Severity.NEGLIGIBLE), ("2", "Vuln", Severity.LOW), ("3", "Practice", Severity.MEDIUM),
     ("5", "Vuln", Severity.CRITICAL), ("5", "Ig", Severity.NEGLIGIBLE), ("9", "Vuln", Severity.UNKNOWN)],
)  # fmt: skip
def test_grades_of_qualys(grade: str, kind: str, expected: Severity) -> None:
    assert list(qualys(qualys_row(kind=kind, grade=grade)).counts) == [expected]


@pytest.mark.parametrize("status", ["Fixed", "Ignored", "Disabled"])
def test_what_is_fixed_or_ignored_is_kept_apart(status: str) -> None:
    report = qualys(qualys_row(status=status))
    assert (report.findings, len(report.suppressed)) == ((), 2)


def test_the_glossary_of_a_report_explains_its_checks() -> None:
    body = b"""<?xml version="1.0"?><!DOCTYPE ASSET_DATA_REPORT SYSTEM "https://q.example/asset_data_report.dtd">
    <ASSET_DATA_REPORT><HEADER><GENERATION_DATETIME>2026-05-10T12:00:00Z</GENERATION_DATETIME></HEADER><HOST_LIST><HOST>
    <IP>10.0.0.1</IP><TRACKING_METHOD>QAGENT</TRACKING_METHOD><OPERATING_SYSTEM>Windows 2022</OPERATING_SYSTEM>
    <VULN_INFO_LIST><VULN_INFO><QID id="qid_7">7</QID><TYPE>Vuln</TYPE><VULN_STATUS>Active</VULN_STATUS></VULN_INFO>
    </VULN_INFO_LIST></HOST></HOST_LIST><GLOSSARY><VULN_DETAILS_LIST><VULN_DETAILS id="qid_7"><QID id="qid_7">7</QID>
    <TITLE>KB5</TITLE><SEVERITY>5</SEVERITY><CVE_ID_LIST><CVE_ID><ID>CVE-2026-1</ID></CVE_ID></CVE_ID_LIST>
    <CVSS3_SCORE><CVSS3_BASE>9.8</CVSS3_BASE></CVSS3_SCORE></VULN_DETAILS></VULN_DETAILS_LIST></GLOSSARY>
    </ASSET_DATA_REPORT>"""
    report = registry.read(None, body)
    (found,) = report.findings
    assert (report.format, report.scanned, report.target) == ("qualys", True, "10.0.0.1")
    assert (found.id, found.package, found.severity, found.cvss_score) == ("CVE-2026-1", "KB5", Severity.CRITICAL, 9.8)


def test_a_scan_that_did_not_finish_says_so(real_data: Path) -> None:
    path = real_data / "scanner/defectdojo-scans/qualys_infrascan_webgui/qualys_infrascan_webgui_1.xml"
    body = path.read_bytes().replace(b">FINISHED<", b">CANCELED<")
    assert "its status is CANCELED" in registry.read("qualys", body).not_scanned


def test_a_report_is_as_old_as_what_it_found_last() -> None:
    host = """<HOST><IP>10.0.0.1</IP><TRACKING_METHOD>QAGENT</TRACKING_METHOD><VULN_INFO_LIST><VULN_INFO><QID>7</QID>
    <LAST_FOUND>2026-01-02T03:04:05Z</LAST_FOUND></VULN_INFO></VULN_INFO_LIST></HOST>"""
    made = "<GENERATION_DATETIME>2026-05-10T12:00:00Z</GENERATION_DATETIME>"
    body = f"<ASSET_DATA_REPORT><HEADER>{made}</HEADER><HOST_LIST>{host}</HOST_LIST></ASSET_DATA_REPORT>"
    created = registry.read("qualys", body.encode()).created_at
    assert created is not None
    assert created.isoformat() == "2026-01-02T03:04:05+00:00"


def detected(host: str, more: str = "") -> ScanReport:
    return registry.read(
        None,
        f"""<?xml version="1.0" encoding="UTF-8" ?>
    <!DOCTYPE HOST_LIST_VM_DETECTION_OUTPUT SYSTEM "https://q.example/host_list_vm_detection_output.dtd">
    <HOST_LIST_VM_DETECTION_OUTPUT><RESPONSE><DATETIME>2026-05-11T12:00:00Z</DATETIME><HOST_LIST><HOST><ID>1</ID>
    <IP>10.0.0.1</IP><TRACKING_METHOD>IP</TRACKING_METHOD><OS><![CDATA[Windows 2022]]></OS><DNS><![CDATA[h1]]></DNS>
    <LAST_SCAN_DATETIME>2026-05-10T12:00:00Z</LAST_SCAN_DATETIME>{host}<DETECTION_LIST>
    <DETECTION><QID>6</QID><TYPE>Info</TYPE><RESULTS>x</RESULTS></DETECTION>
    <DETECTION><QID>7</QID><TYPE>Confirmed</TYPE><SEVERITY>5</SEVERITY><PORT>443</PORT><STATUS>Active</STATUS></DETECTION>
    <DETECTION><QID>8</QID><TYPE>Potential</TYPE><SEVERITY>3</SEVERITY><STATUS>Fixed</STATUS></DETECTION>
    <DETECTION><QID>9</QID><TYPE>Confirmed</TYPE><SEVERITY>4</SEVERITY><STATUS>New</STATUS><IS_IGNORED>1</IS_IGNORED>
    </DETECTION></DETECTION_LIST></HOST></HOST_LIST>{more}</RESPONSE></HOST_LIST_VM_DETECTION_OUTPUT>""".encode(),
    )


WITHIN = "<LAST_VM_AUTH_SCANNED_DATE>2026-05-10T11:00:00Z</LAST_VM_AUTH_SCANNED_DATE>"


def test_detections_of_qualys_api_are_read() -> None:
    report = detected(WITHIN)
    assert (report.format, report.scanned, report.target, str(report.os)) == ("qualys", True, "h1", "Windows 2022")
    assert [(found.id, found.severity) for found in report.findings] == [
        ("qid:6", Severity.NEGLIGIBLE),
        ("qid:7", Severity.CRITICAL),
    ]
    assert [left.status for left in report.suppressed] == ["fixed", "ignored"]
    assert report.created_at is not None
    assert report.created_at.day == 10


def test_detections_without_a_login_or_of_one_page_are_no_scan() -> None:
    assert "nothing shows that Qualys logged in" in detected("").not_scanned
    page = "<WARNING><CODE>1980</CODE><TEXT>1000 record limit exceeded</TEXT><URL>https://q.example</URL></WARNING>"
    assert "one page" in detected(WITHIN, page).not_scanned


def detected_rows(footer: str = "", last: str = "----END_RESPONSE_BODY_CSV\n") -> bytes:
    head = '"Host ID","IP Address","DNS Name","Operating System","Last VM Auth Scanned Date","QID","Type","Severity"'
    row = '"1","10.0.0.1","h1","Windows 2022","2026-05-10T11:00:00Z","7","Confirmed","5"'
    return f"----BEGIN_RESPONSE_BODY_CSV\n{head}\n{row}\n{last}{footer}".encode()


def test_detections_of_qualys_api_are_read_as_csv_too() -> None:
    report = registry.read(None, detected_rows("----BEGIN_RESPONSE_FOOTER_CSV\n----END_RESPONSE_FOOTER_CSV\n"))
    assert (report.format, report.scanned, report.target, str(report.os)) == ("qualys", True, "h1", "Windows 2022")
    assert ([found.id for found in report.findings], report.counts) == (["qid:7"], {Severity.CRITICAL: 1})


def test_detections_as_csv_tell_of_further_pages_and_of_their_end() -> None:
    page = '----BEGIN_RESPONSE_FOOTER_CSV\nWARNING\n"CODE","TEXT","URL"\n"1980","limit","https://q.example"\n'
    assert "one page" in registry.read("qualys", detected_rows(page)).not_scanned
    with pytest.raises(Refusal) as caught:
        registry.read("qualys", detected_rows(last=""))
    assert caught.value.reason is RefusalReason.TRUNCATED


def test_an_old_look_from_within_is_not_made_young_by_one_from_outside() -> None:
    created = detected("<LAST_VM_AUTH_SCANNED_DATE>2026-01-01T00:00:00Z</LAST_VM_AUTH_SCANNED_DATE>").created_at
    assert created is not None
    assert created.month == 1
