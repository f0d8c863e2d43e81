"""Qualys: CSV of reports and VMDR, XML of a scan (``SCAN``), a report (``ASSET_DATA_REPORT``) and of the detection API.

Facts of the formats (exports of Qualys VM and VMDR; docs.qualys.com, ``scan-1.dtd``, ``asset_data_report.dtd``,
``host_list_vm_detection_output.dtd``):

* A row, ``VULN`` or ``VULN_INFO`` is one check (a QID) on one host, of any number of CVEs. Here every CVE of it is a
  finding; ``counts`` counts checks. A check without a CVE goes by ``qid:`` and number.
* Severity is 1 (minimal) to 5 (urgent). Information gathered (``Ig``, ``INFO``, ``SERVICE``) is no vulnerability.
* Checks that are fixed, ignored or disabled are listed too, with a status that says so.
* Qualys looks from outside unless it logs in or has an agent; only those see packages. It shows in the way of tracking
  (an agent), in the QIDs of authentication (38307 on Unix, 70028 on Windows, or their failures 105053 and 105015), and
  in checks of local categories. Categories alone prove little: Windows has checks of its remote desktop.
* ``PRACTICE`` and type ``Potential`` are vulnerabilities that Qualys could not confirm. They count as the others do.
* The host list detection API (XML and CSV) names checks by number, without titles or CVEs (those are in its knowledge
  base), says with ``LAST_VM_AUTH_SCANNED_DATE`` when it looked from within, and in a ``WARNING`` that there are more
  hosts than it sent.
* A report is younger than what it tells of; the checks say when they were last found.
* CSV exports begin with a title and an address; dates follow the reader's settings. PCI reports are of the outside.
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
from shared.scanners.report_refusal import Refusal, RefusalReason
from shared.scanners.values import find_cves, parse_date, parse_score, parse_severity, parse_timestamp, to_utc, unique

COLUMNS: Final = frozenset({"qid"})
_DETECTIONS: Final = "HOST_LIST_VM_DETECTION_OUTPUT"
ROOTS: Final = frozenset({"SCAN", "ASSET_DATA_REPORT", _DETECTIONS})
_NAME: Final = "a report of Qualys"
_GRADES: Final = {
    "1": Severity.NEGLIGIBLE,
    "2": Severity.LOW,
    "3": Severity.MEDIUM,
    "4": Severity.HIGH,
    "5": Severity.CRITICAL,
}
_LOGGED_IN: Final = frozenset({"38307", "70028"})
_LOGIN_FAILED: Final = frozenset({"105053", "105015"})
_LOCAL: Final = re.compile(
    r"local|ubuntu|debian|red ?hat|centos|oracle linux|amazon linux|suse|fedora|alma|rocky|internet explorer|"
    r"office application|security policy|aix|solaris|hp-ux|oel|mariner",
    re.IGNORECASE,
)
"""Categories whose checks need a login, mostly: see ``_Check.from_within``."""
_WINDOWS: Final = re.compile(r"windows|microsoft", re.IGNORECASE)
_PATCHES: Final = re.compile(r"security update|cumulative update|security patch|\bKB[0-9]{6,}", re.IGNORECASE)
_SCORES: Final = (
    "cvss3.1 base",
    "cvssv3.1 base (nvd)",
    "cvss3 base",
    "cvss3",
    "cvss_base",
    "cvssv2 base (nvd)",
    "cvss base",
)
_GONE: Final = frozenset({"fixed", "ignored", "disabled", "false positive"})
_TIMES: Final = (
    "last detected",
    "last scan",
    "last scanned",
    "last vm scanned date",
    "last scan datetime",
    "last test",
)
_BEGIN_OF_TABLE: Final = "----BEGIN_RESPONSE_BODY_CSV"
_END_OF_TABLE: Final = "----END_RESPONSE_BODY_CSV"
"""Between these the detection API has its rows; what follows are warnings, such as that there is another page."""
_BEGIN: Final = 4096
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
"""Columns of the detection API by the names that reports have for the same."""
_DATES: Final = (
    "%b %d, %Y %I:%M %p", "%d %b %Y %I:%M%p GMT%z", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%m/%d/%Y at %H:%M:%S (GMT)",
)  # fmt: skip


@dataclass(slots=True)
class _Check:
    """One check on one host, wherever it was written."""

    qid: str
    host: str
    title: str = ""
    grade: str = ""
    kind: str = ""
    status: str = ""
    category: str = ""
    cves: tuple[str, ...] = ()
    score: float | None = None
    output: str = ""
    port: str = ""
    threats: str = ""
    patchable: str = ""
    patched: str = ""

    @property
    def from_within(self) -> bool:
        """Whether Qualys must have logged in to find this. What it finds on a port, or only suspects, needs none."""
        if self.port not in {"", "0"} or self.kind.casefold() in {"potential", "practice"}:
            return False
        patch = bool(_WINDOWS.search(self.category) and _PATCHES.search(self.title))
        return patch or bool(_LOCAL.search(self.category))

    @property
    def severity(self) -> Severity:
        if self.kind.casefold() in {"ig", "info", "information gathered"}:
            return Severity.NEGLIGIBLE
        return _GRADES.get(self.grade) or parse_severity(self.grade)


@dataclass(slots=True)
class _Seen(HostCollector):
    failed: str = ""
    more: bool = False


def read(body: bytes) -> ScanReport:
    """Read a report of Qualys's. Raises Refusal when it isn't one, isn't whole, or is of no host."""
    seen = _Seen()
    if body.lstrip()[:1] == b"<":
        _read_xml(body, seen)
    else:
        _read_table(body, seen)
    return seen.report(QUALYS, "Qualys", "", _not_scanned(seen))


def _not_scanned(seen: _Seen) -> str:
    if seen.failed:
        return f"the scan did not finish: its status is {seen.failed}"
    if seen.more:
        return "this is one page of an answer: there are more hosts. Ask for the one made of this version (ids or ips)"
    if seen.authenticated and not seen.login_failed:
        return "" if seen.systems else "no operating system was found"
    told = "Qualys could not log in" if seen.login_failed else "nothing shows that Qualys logged in or had an agent"
    return f"{told}: from outside it sees no packages"


def _take(check: _Check, seen: _Seen) -> None:
    seen.hosts.setdefault(check.host)
    seen.entries[check.severity] += 1
    seen.authenticated |= check.qid in _LOGGED_IN or check.from_within
    seen.login_failed |= check.qid in _LOGIN_FAILED
    for id_ in check.cves or (f"qid:{check.qid}",):
        status = check.status.casefold()
        seen.add(_finding(id_, check), suppressed_as=status if status in _GONE else "", source="Qualys")


def _finding(id_: str, check: _Check) -> Finding:
    patched = parse_date(check.patched) or _time(check.patched)
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
        fix_state=FixState.FIXED if patched else patchable.get(check.patchable.casefold(), FixState.UNKNOWN),
        fix_published=patched,
        check=f"qid:{check.qid}",
    )


def _time(text: str) -> datetime | None:
    whole = parse_timestamp(text)
    for form in _DATES if whole is None and text else ():
        try:
            found = datetime.strptime(text.strip(), form)  # noqa: DTZ007 - the zone is set below where there is none
        except ValueError:
            continue
        return to_utc(found if found.tzinfo else found.replace(tzinfo=UTC))
    return whole


# --- CSV -------------------------------------------------------------------------------------------------------------


def _read_table(body: bytes, seen: _Seen) -> None:
    closed = body.rfind(_END_OF_TABLE.encode())
    if closed < 0 and _BEGIN_OF_TABLE.encode() in body[:_BEGIN]:
        raise Refusal(RefusalReason.TRUNCATED, f"the report ends in the middle, after {len(body)} bytes")
    seen.more = closed >= 0 and b"WARNING" in body[closed:]
    for row in csv_body.read_rows(body, COLUMNS, _NAME, aliases=_COLUMN_ALIASES, end_marker=_END_OF_TABLE):
        _take_row(row, seen)


def _take_row(row: csv_body.Row, seen: _Seen) -> None:
    host = _first(row, "asset name", "hostname", "dns", "netbios", "ip", "asset ipv4", "asset id")
    qid = row.get("qid", "").removeprefix("QID-")
    if not qid.isdigit() or not host:
        return  # Hosts without findings, and lines of totals.
    system = _first(row, "operating system", "os")
    if system:
        seen.systems.setdefault(system)
    tracked = f"{row.get('tracking method', '')} {row.get('detection source', '')}".casefold()
    within = _first(row, "last vm auth scanned date")
    seen.authenticated |= "agent" in tracked or bool(within)
    found = _time(within or _first(row, *_TIMES))
    if found:
        seen.times.append(found)
    off = "ignored" if _first(row, "ignored").casefold() in {"yes", "1"} else ""
    off = off or ("disabled" if _first(row, "disabled").casefold() in {"yes", "1"} else "")
    _take(
        _Check(
            qid=qid,
            host=host,
            title=_first(row, "title", "vuln title"),
            grade=_first(row, "q_severity", "severity", "kb severity"),
            kind=_first(row, "type", "type detected"),
            status=off or _first(row, "vuln status", "status"),
            # A PCI report is made from outside, whatever its checks are called.
            category="" if "is_pci" in row else row.get("category", ""),
            cves=find_cves(_first(row, "cve id", "cve", "cveid")),
            score=_score(row),
            port=_first(row, "port"),
            threats=_first(row, "rti", "threat intelligence"),
            patchable=_first(row, "vuln patchable", "patchable"),
            patched=_first(row, "patch released"),
        ),
        seen,
    )


def _score(row: csv_body.Row) -> float | None:
    given = (row.get(name, "").split(" ")[0] for name in _SCORES)  # "7.5 (AV:N/…)"
    return next((found for text in given if text and (found := parse_score(text)) is not None), None)


def _first(row: csv_body.Row, *names: str) -> str:
    """The first of the columns that has a value; Excel's apostrophe before a dash stands for none."""
    found = (row.get(name, "").lstrip("'") for name in names)
    return next((value for value in found if value and value not in {"-", "N/A"}), "")


# --- XML -------------------------------------------------------------------------------------------------------------


def _read_xml(body: bytes, seen: _Seen) -> None:
    root = xml_body.read_root(body)
    kind = root.name if root is not None and root.name in ROOTS else ""
    if kind == "ASSET_DATA_REPORT":
        _read_report(body, seen)
        return
    if kind == _DETECTIONS:
        _read_detections(body, seen)
        return
    for path, element in xml_body.iterate_elements(body, frozenset({"KEY", "IP"}) if kind else frozenset(), _NAME):
        if element.name == "KEY":
            _take_key(element, seen)
        elif len(path) == 1:
            _take_scanned_host(element, seen)
    if not kind:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {_NAME}: its root is none of {', '.join(sorted(ROOTS))}")


def _take_key(element: xml_body.Element, seen: _Seen) -> None:
    name, text = element.attributes.get("value", ""), element.text.strip()
    if name == "STATUS" and text.casefold() not in {"finished", ""}:
        seen.failed = text
    if name == "DATE" and (found := parse_timestamp(text)):
        seen.times.append(found)


def _take_scanned_host(element: xml_body.Element, seen: _Seen) -> None:
    host = element.attributes.get("name") or element.attributes.get("value", "")
    seen.hosts.setdefault(host)
    if element.value("OS"):
        seen.systems.setdefault(element.value("OS"))
    for section, one in (("VULNS", "VULN"), ("PRACTICES", "PRACTICE")):
        for category in element.all(section, "CAT"):
            for found in category.all(one):
                _take(_scanned(found, host, category, one), seen)
    for info in (*element.all("INFOS", "CAT", "INFO"), *element.all("SERVICES", "CAT", "SERVICE")):
        seen.authenticated |= info.attributes.get("number") in _LOGGED_IN
        seen.login_failed |= info.attributes.get("number") in _LOGIN_FAILED


def _scanned(found: xml_body.Element, host: str, category: xml_body.Element, kind: str) -> _Check:
    cves = [one.text for one in found.all("CVE_ID_LIST", "CVE_ID", "ID")]
    return _Check(
        qid=found.attributes.get("number", ""),
        host=host,
        title=found.value("TITLE"),
        grade=found.attributes.get("severity", ""),
        kind=kind,
        category=category.attributes.get("value", ""),
        cves=find_cves(found.attributes.get("cveid"), *cves),
        score=parse_score(found.value("CVSS3_BASE") or found.value("CVSS_BASE") or None),
        port=category.attributes.get("port", ""),
    )


def _read_report(body: bytes, seen: _Seen) -> None:
    """Hosts come before the glossary that explains their checks, so the checks wait."""
    wanted = frozenset({"HOST", "VULN_DETAILS", "GENERATION_DATETIME"})
    waiting: list[_Check] = []
    details: dict[str, xml_body.Element] = {}
    made = None
    for _, element in xml_body.iterate_elements(body, wanted, _NAME):
        if element.name == "HOST":
            waiting.extend(_reported(element, seen))
        elif element.name == "VULN_DETAILS":
            details[element.value("QID")] = element
        else:
            made = parse_timestamp(element.text)
    if made and not seen.times:
        seen.times.append(made)
    for check in waiting:
        _explain(check, details.get(check.qid))
        _take(check, seen)


def _reported(host: xml_body.Element, seen: _Seen) -> list[_Check]:
    name = host.value("DNS") or host.value("NETBIOS") or host.value("IP")
    seen.hosts.setdefault(name)
    if host.value("OPERATING_SYSTEM"):
        seen.systems.setdefault(host.value("OPERATING_SYSTEM"))
    seen.authenticated |= "agent" in host.value("TRACKING_METHOD").casefold()
    found = list(host.all("VULN_INFO_LIST", "VULN_INFO"))
    seen.times.extend(at for one in found if (at := parse_timestamp(one.value("LAST_FOUND"))))
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


def _explain(check: _Check, details: xml_body.Element | None) -> None:
    if details is None:
        return
    check.title = details.value("TITLE")
    check.grade = details.value("SEVERITY")
    check.category = details.value("CATEGORY")
    check.cves = find_cves(*(one.text for one in details.all("CVE_ID_LIST", "CVE_ID", "ID")))
    base = details.value("CVSS3_SCORE", "CVSS3_BASE") or details.value("CVSS_SCORE", "CVSS_BASE")
    check.score = parse_score(base or None)


def _read_detections(body: bytes, seen: _Seen) -> None:
    for _, element in xml_body.iterate_elements(body, frozenset({"HOST", "WARNING"}), _NAME):
        if element.name == "WARNING":
            seen.more = True
        else:
            _take_detected(element, seen)


def _take_detected(host: xml_body.Element, seen: _Seen) -> None:
    name = host.value("DNS") or host.value("NETBIOS") or host.value("IP") or host.value("ID")
    seen.hosts.setdefault(name)
    if host.value("OS"):
        seen.systems.setdefault(host.value("OS"))
    within = host.value("LAST_VM_AUTH_SCANNED_DATE")
    seen.authenticated |= bool(within) or "agent" in host.value("TRACKING_METHOD").casefold()
    # A look from outside may be younger, and would make the one from within seem so.
    at = parse_timestamp(within or host.value("LAST_VM_SCANNED_DATE") or host.value("LAST_SCAN_DATETIME"))
    seen.times.extend([at] if at else [])
    for one in host.all("DETECTION_LIST", "DETECTION"):
        off = next((word for word in ("ignored", "disabled") if one.value(f"IS_{word.upper()}") == "1"), "")
        check = _Check(
            qid=one.value("QID"),
            host=name,
            grade=one.value("SEVERITY"),
            kind=one.value("TYPE"),
            status=off or one.value("STATUS"),
            port=one.value("PORT"),
        )
        _take(check, seen)
