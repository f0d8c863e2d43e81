"""Qualys: CSV of reports and VMDR, XML of a scan (``SCAN``), a report (``ASSET_DATA_REPORT``) and of the detection API.

Facts of the formats (exports of Qualys VM and VMDR; docs.qualys.com, ``scan-1.dtd``, ``asset_data_report.dtd``,
``host_list_vm_detection_output.dtd``):

* A row, ``VULN`` or ``VULN_INFO`` is one check (a QID) on one host, with any number of CVEs. Here every CVE of a check
  is a finding, and ``counts`` counts checks. A check without a CVE is the finding ``qid:`` and its number.
* Severity is 1 (minimal) to 5 (urgent). Information gathered (``Ig``, ``INFO``, ``SERVICE``) is not a vulnerability.
* Checks that are fixed, ignored or disabled are listed too, with that status.
* Qualys scans from the network unless it logs in or runs an agent; only these see packages. They show in the tracking
  method (an agent), in the QIDs of authentication (38307 on Unix, 70028 on Windows, or of its failure, 105053 and
  105015), and in checks of local categories. A category alone proves little: Windows has checks of its remote desktop.
* ``PRACTICE`` and type ``Potential`` are vulnerabilities that Qualys could not confirm. They count like the others.
* The host list detection API (XML and CSV) identifies checks by number, without titles and CVEs (those are in Qualys'
  knowledge base). ``LAST_VM_AUTH_SCANNED_DATE`` is the time of the last authenticated scan, and a ``WARNING`` says that
  there are more hosts than the response contains.
* A report is newer than its contents; the checks have the time at which they were last found.
* CSV exports begin with a title and an address. The format of dates depends on the user's settings. PCI reports are of
  scans from the network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.domain.findings import Finding, FixState, ScanReport
from shared.domain.policy import Severity
from shared.domain.scan_formats import QUALYS
from shared.scanners import csv_body, xml_body
from shared.scanners.collector import HostCollector
from shared.scanners.report_refusal import Refusal, RefusalReason, truncated
from shared.scanners.values import find_cves, parse_date, parse_score, parse_severity, parse_timestamp, to_utc, unique

COLUMNS: Final = frozenset({"qid"})
_DETECTIONS: Final = "HOST_LIST_VM_DETECTION_OUTPUT"
ROOTS: Final = frozenset({"SCAN", "ASSET_DATA_REPORT", _DETECTIONS})
_NAME: Final = "a report of Qualys"
_SEVERITY_LEVELS: Final = {
    "1": Severity.NEGLIGIBLE,
    "2": Severity.LOW,
    "3": Severity.MEDIUM,
    "4": Severity.HIGH,
    "5": Severity.CRITICAL,
}
_AUTHENTICATED: Final = frozenset({"38307", "70028"})
_LOGIN_FAILED: Final = frozenset({"105053", "105015"})
_LOCAL_CATEGORIES: Final = re.compile(
    r"local|ubuntu|debian|red ?hat|centos|oracle linux|amazon linux|suse|fedora|alma|rocky|internet explorer|"
    r"office application|security policy|aix|solaris|hp-ux|oel|mariner",
    re.IGNORECASE,
)
"""Categories whose checks mostly need a login: see ``_Check.requires_login``."""
_WINDOWS_CATEGORIES: Final = re.compile(r"windows|microsoft", re.IGNORECASE)
_PATCH_TITLES: Final = re.compile(r"security update|cumulative update|security patch|\bKB[0-9]{6,}", re.IGNORECASE)
_SCORE_COLUMNS: Final = (
    "cvss3.1 base",
    "cvssv3.1 base (nvd)",
    "cvss3 base",
    "cvss3",
    "cvss_base",
    "cvssv2 base (nvd)",
    "cvss base",
)
_INACTIVE: Final = frozenset({"fixed", "ignored", "disabled", "false positive"})
_TIME_COLUMNS: Final = (
    "last detected",
    "last scan",
    "last scanned",
    "last vm scanned date",
    "last scan datetime",
    "last test",
)
_BEGIN_OF_TABLE: Final = "----BEGIN_RESPONSE_BODY_CSV"
_END_OF_TABLE: Final = "----END_RESPONSE_BODY_CSV"
"""The rows of the detection API are between these lines. Warnings follow, for example that there is another page."""
_PREAMBLE_BYTES: Final = 4096
_COLUMN_ALIASES: Final = {
    name.replace(" ", between): to
    for between in (" ", "_")
    for name, to in {
        "dns name": "dns", "netbios name": "netbios", "ip address": "ip", "host id": "asset id",
        "operating system": "operating system", "tracking method": "tracking method",
        "last vm auth scanned date": "last vm auth scanned date", "last vm scanned date": "last vm scanned date",
        "last scan datetime": "last scan datetime",
    }.items()
}  # fmt: skip
"""Columns of the detection API, by the column names of reports."""
_TIME_FORMATS: Final = (
    "%b %d, %Y %I:%M %p", "%d %b %Y %I:%M%p GMT%z", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%m/%d/%Y at %H:%M:%S (GMT)",
)  # fmt: skip


@dataclass(slots=True)
class _Check:
    """One check on one host, from any of the formats."""

    qid: str
    host: str
    title: str = ""
    level: str = ""
    kind: str = ""
    status: str = ""
    category: str = ""
    cves: tuple[str, ...] = ()
    score: float | None = None
    port: str = ""
    threats: str = ""
    patchable: str = ""
    patch_date: str = ""

    @property
    def requires_login(self) -> bool:
        """Whether Qualys must have logged in to find this; not for findings on a port or that it could not confirm."""
        if self.port not in {"", "0"} or self.kind.casefold() in {"potential", "practice"}:
            return False
        patch = bool(_WINDOWS_CATEGORIES.search(self.category) and _PATCH_TITLES.search(self.title))
        return patch or bool(_LOCAL_CATEGORIES.search(self.category))

    @property
    def severity(self) -> Severity:
        """The severity of the check's level, or the lowest for information gathered."""
        if self.kind.casefold() in {"ig", "info", "information gathered"}:
            return Severity.NEGLIGIBLE
        return _SEVERITY_LEVELS.get(self.level) or parse_severity(self.level)


@dataclass(slots=True)
class _Collector(HostCollector):
    scan_status: str = ""
    """The status of a scan that did not finish."""
    is_page: bool = False
    """The report is one page of several."""


def read(body: bytes) -> ScanReport:
    """Read a report of Qualys. Raises Refusal when the body is not one, is incomplete, or names no host."""
    collector = _Collector()
    if body.lstrip()[:1] == b"<":
        _read_xml(body, collector)
    else:
        _read_csv(body, collector)
    return collector.report(QUALYS, "Qualys", "", _not_scanned(collector))


def _not_scanned(collector: _Collector) -> str:
    if collector.scan_status:
        return f"the scan did not finish: its status is {collector.scan_status}"
    if collector.is_page:
        return "the report is one page of several. Request only the machine of this version (ids or ips)"
    if collector.authenticated and not collector.login_failed:
        return "" if collector.systems else "the scanner found no operating system"
    login = (
        "Qualys could not log in" if collector.login_failed else "nothing shows that Qualys logged in or ran an agent"
    )
    return f"{login}. Without a login it cannot see installed packages"


def _collect(check: _Check, collector: _Collector) -> None:
    collector.hosts.setdefault(check.host)
    collector.entries[check.severity] += 1
    collector.authenticated |= check.qid in _AUTHENTICATED or check.requires_login
    collector.login_failed |= check.qid in _LOGIN_FAILED
    for id_ in check.cves or (f"qid:{check.qid}",):
        status = check.status.casefold()
        collector.add(_finding(id_, check), suppressed_as=status if status in _INACTIVE else "", source="Qualys")


def _finding(id_: str, check: _Check) -> Finding:
    patch_date = parse_date(check.patch_date) or _time(check.patch_date)
    patchable = {"yes": FixState.FIXED, "1": FixState.FIXED, "no": FixState.NOT_FIXED, "0": FixState.NOT_FIXED}
    return Finding(
        id=id_,
        package=check.title or f"QID {check.qid}",
        installed="",
        severity=check.severity,
        severity_source="Qualys",
        cvss_score=check.score,
        where=unique((f"port {check.port}" if check.port not in {"", "0"} else None,)),
        status=check.status,
        known_exploited="known exploited" in check.threats.casefold(),
        fix_state=FixState.FIXED if patch_date else patchable.get(check.patchable.casefold(), FixState.UNKNOWN),
        fix_published=patch_date,
        check=f"qid:{check.qid}",
    )


def _time(text: str) -> datetime | None:
    timestamp = parse_timestamp(text)
    for form in _TIME_FORMATS if timestamp is None and text else ():
        try:
            found = datetime.strptime(text.strip(), form)  # noqa: DTZ007 - the zone is set below where there is none
        except ValueError:
            continue
        return to_utc(found if found.tzinfo else found.replace(tzinfo=UTC))
    return timestamp


# --- CSV -------------------------------------------------------------------------------------------------------------


def _read_csv(body: bytes, collector: _Collector) -> None:
    closed = body.rfind(_END_OF_TABLE.encode())
    if closed < 0 and _BEGIN_OF_TABLE.encode() in body[:_PREAMBLE_BYTES]:
        raise truncated(len(body))
    collector.is_page = closed >= 0 and b"WARNING" in body[closed:]
    for row in csv_body.read_rows(body, COLUMNS, _NAME, aliases=_COLUMN_ALIASES, end_marker=_END_OF_TABLE):
        _collect_row(row, collector)


def _collect_row(row: csv_body.Row, collector: _Collector) -> None:
    host = _first(row, "asset name", "hostname", "dns", "netbios", "ip", "asset ipv4", "asset id")
    qid = row.get("qid", "").removeprefix("QID-")
    if not qid.isdigit() or not host:
        return  # a host without findings, or a line of totals
    system = _first(row, "operating system", "os")
    if system:
        collector.systems.setdefault(system)
    tracked = f"{row.get('tracking method', '')} {row.get('detection source', '')}".casefold()
    authenticated_at = _first(row, "last vm auth scanned date")
    collector.authenticated |= "agent" in tracked or bool(authenticated_at)
    found = _time(authenticated_at or _first(row, *_TIME_COLUMNS))
    if found:
        collector.times.append(found)
    inactive = "ignored" if _first(row, "ignored").casefold() in {"yes", "1"} else ""
    inactive = inactive or ("disabled" if _first(row, "disabled").casefold() in {"yes", "1"} else "")
    _collect(
        _Check(
            qid=qid,
            host=host,
            title=_first(row, "title", "vuln title"),
            level=_first(row, "q_severity", "severity", "kb severity"),
            kind=_first(row, "type", "type detected"),
            status=inactive or _first(row, "vuln status", "status"),
            # PCI reports are of scans from the network, whatever the categories of their checks.
            category="" if "is_pci" in row else row.get("category", ""),
            cves=find_cves(_first(row, "cve id", "cve", "cveid")),
            score=_score(row),
            port=_first(row, "port"),
            threats=_first(row, "rti", "threat intelligence"),
            patchable=_first(row, "vuln patchable", "patchable"),
            patch_date=_first(row, "patch released"),
        ),
        collector,
    )


def _score(row: csv_body.Row) -> float | None:
    given = (row.get(name, "").split(" ")[0] for name in _SCORE_COLUMNS)  # "7.5 (AV:N/…)"
    return next((found for text in given if text and (found := parse_score(text)) is not None), None)


def _first(row: csv_body.Row, *names: str) -> str:
    """The first of the columns that has a value. Exports for Excel write an apostrophe and a dash for no value."""
    found = (row.get(name, "").lstrip("'") for name in names)
    return next((value for value in found if value and value not in {"-", "N/A"}), "")


# --- XML -------------------------------------------------------------------------------------------------------------


def _read_xml(body: bytes, collector: _Collector) -> None:
    root = xml_body.read_root(body)
    kind = root.name if root is not None and root.name in ROOTS else ""
    if kind == "ASSET_DATA_REPORT":
        _read_report(body, collector)
        return
    if kind == _DETECTIONS:
        _read_detections(body, collector)
        return
    for path, element in xml_body.iterate_elements(body, frozenset({"KEY", "IP"}) if kind else frozenset(), _NAME):
        if element.name == "KEY":
            _collect_key(element, collector)
        elif len(path) == 1:
            _collect_scanned_host(element, collector)
    if not kind:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {_NAME}: its root element is none of {', '.join(sorted(ROOTS))}")


def _collect_key(element: xml_body.Element, collector: _Collector) -> None:
    name, text = element.attributes.get("value", ""), element.text.strip()
    if name == "STATUS" and text.casefold() not in {"finished", ""}:
        collector.scan_status = text
    if name == "DATE" and (found := parse_timestamp(text)):
        collector.times.append(found)


def _collect_scanned_host(element: xml_body.Element, collector: _Collector) -> None:
    host = element.attributes.get("name") or element.attributes.get("value", "")
    collector.hosts.setdefault(host)
    if element.value("OS"):
        collector.systems.setdefault(element.value("OS"))
    for section, one in (("VULNS", "VULN"), ("PRACTICES", "PRACTICE")):
        for category in element.all(section, "CAT"):
            for found in category.all(one):
                _collect(_scanned_check(found, host, category, one), collector)
    for info in (*element.all("INFOS", "CAT", "INFO"), *element.all("SERVICES", "CAT", "SERVICE")):
        collector.authenticated |= info.attributes.get("number") in _AUTHENTICATED
        collector.login_failed |= info.attributes.get("number") in _LOGIN_FAILED


def _scanned_check(found: xml_body.Element, host: str, category: xml_body.Element, kind: str) -> _Check:
    cves = [one.text for one in found.all("CVE_ID_LIST", "CVE_ID", "ID")]
    return _Check(
        qid=found.attributes.get("number", ""),
        host=host,
        title=found.value("TITLE"),
        level=found.attributes.get("severity", ""),
        kind=kind,
        category=category.attributes.get("value", ""),
        cves=find_cves(found.attributes.get("cveid"), *cves),
        score=parse_score(found.value("CVSS3_BASE") or found.value("CVSS_BASE") or None),
        port=category.attributes.get("port", ""),
    )


def _read_report(body: bytes, collector: _Collector) -> None:
    """Read an asset data report. Its glossary with the details of the checks follows the hosts, so the checks wait."""
    wanted = frozenset({"HOST", "VULN_DETAILS", "GENERATION_DATETIME"})
    waiting: list[_Check] = []
    details: dict[str, xml_body.Element] = {}
    made = None
    for _, element in xml_body.iterate_elements(body, wanted, _NAME):
        if element.name == "HOST":
            waiting.extend(_reported_checks(element, collector))
        elif element.name == "VULN_DETAILS":
            details[element.value("QID")] = element
        else:
            made = parse_timestamp(element.text)
    if made and not collector.times:
        collector.times.append(made)
    for check in waiting:
        _add_details(check, details.get(check.qid))
        _collect(check, collector)


def _reported_checks(host: xml_body.Element, collector: _Collector) -> list[_Check]:
    name = host.value("DNS") or host.value("NETBIOS") or host.value("IP")
    collector.hosts.setdefault(name)
    if host.value("OPERATING_SYSTEM"):
        collector.systems.setdefault(host.value("OPERATING_SYSTEM"))
    collector.authenticated |= "agent" in host.value("TRACKING_METHOD").casefold()
    found = list(host.all("VULN_INFO_LIST", "VULN_INFO"))
    collector.times.extend(at for one in found if (at := parse_timestamp(one.value("LAST_FOUND"))))
    return [
        _Check(
            qid=one.value("QID"),
            host=name,
            kind=one.value("TYPE"),
            status=one.value("VULN_STATUS"),
            port=one.value("PORT"),
        )
        for one in found
    ]


def _add_details(check: _Check, details: xml_body.Element | None) -> None:
    if details is None:
        return
    check.title = details.value("TITLE")
    check.level = details.value("SEVERITY")
    check.category = details.value("CATEGORY")
    check.cves = find_cves(*(one.text for one in details.all("CVE_ID_LIST", "CVE_ID", "ID")))
    base = details.value("CVSS3_SCORE", "CVSS3_BASE") or details.value("CVSS_SCORE", "CVSS_BASE")
    check.score = parse_score(base or None)


def _read_detections(body: bytes, collector: _Collector) -> None:
    for _, element in xml_body.iterate_elements(body, frozenset({"HOST", "WARNING"}), _NAME):
        if element.name == "WARNING":
            collector.is_page = True
        else:
            _collect_detected(element, collector)


def _collect_detected(host: xml_body.Element, collector: _Collector) -> None:
    name = host.value("DNS") or host.value("NETBIOS") or host.value("IP") or host.value("ID")
    collector.hosts.setdefault(name)
    if host.value("OS"):
        collector.systems.setdefault(host.value("OS"))
    authenticated_at = host.value("LAST_VM_AUTH_SCANNED_DATE")
    collector.authenticated |= bool(authenticated_at) or "agent" in host.value("TRACKING_METHOD").casefold()
    # The last scan of any kind may be newer, and must not make the authenticated scan look newer.
    at = parse_timestamp(authenticated_at or host.value("LAST_VM_SCANNED_DATE") or host.value("LAST_SCAN_DATETIME"))
    collector.times.extend([at] if at else [])
    for one in host.all("DETECTION_LIST", "DETECTION"):
        inactive = next((word for word in ("ignored", "disabled") if one.value(f"IS_{word.upper()}") == "1"), "")
        check = _Check(
            qid=one.value("QID"),
            host=name,
            level=one.value("SEVERITY"),
            kind=one.value("TYPE"),
            status=inactive or one.value("STATUS"),
            port=one.value("PORT"),
        )
        _collect(check, collector)
