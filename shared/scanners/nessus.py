"""Nessus: its CSV, the CSV of Tenable Vulnerability Management and Security Center, and the ``.nessus`` XML.

Facts of the formats (exports of Nessus 5 to 10, tenable.io and Tenable.sc; docs.tenable.com, "Nessus file format"):

* A row or ``ReportItem`` is one plugin on one port; in CSV one row for each CVE, in XML one item for all of them. Here
  every CVE of a plugin is a finding, and ``counts`` counts rows and items. A plugin without a CVE is the finding
  ``nessus:`` and its number.
* ``Risk`` (or ``severity`` 0 to 4) is None, Low, Medium, High or Critical. None is information about the host.
* Nessus scans from the network unless it has credentials or an agent. Only an authenticated scan sees packages, so only
  that is a scan of a machine here. It shows in ``Credentialed_Scan`` true, in ``Credentialed checks : yes`` of plugin
  19506, in a date of authenticated results, in an agent id, or in findings of a family of local checks.
* The fixed version is in the output of the plugin ("Fixed version : …", "Should be : …").
* ``CISA-KNOWN-EXPLOITED`` among the cross references refers to CISA's KEV catalog.
* Web application scans (``type="was"``, HTTP as protocol) do not examine machines.
* The CSV of Nessus has no time. ``HOST_END`` (XML) and ``Host End`` or ``Last Observed`` (the other CSV) are the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import Final, NamedTuple

from shared.domain.findings import Finding, FixState, ScanReport
from shared.domain.policy import Severity
from shared.domain.scan_formats import NESSUS
from shared.scanners import csv_body, xml_body
from shared.scanners.collector import HostCollector
from shared.scanners.report_refusal import Refusal, RefusalReason
from shared.scanners.values import (
    cvss_score,
    find_cves,
    parse_date,
    parse_probability,
    parse_severity,
    parse_timestamp,
    to_utc,
    unique,
)

COLUMNS: Final = frozenset({"plugin id", "plugin", "definition.id"})
"""Names, in lowercase, of the column with the plugin number."""
_COLUMN_ALIASES: Final = {
    "definition.id": "plugin id",
    "definition.name": "name",
    "definition.family": "plugin family",
    "definition.cve": "cve",
    "definition.cvss4.base_score": "cvss v4.0 base score",
    "definition.cvss4.base_vector": "cvss v4.0 vector",
    "definition.cvss3.base_score": "cvss v3.0 base score",
    "definition.cvss3.base_vector": "cvss3 vector",
    "definition.cvss2.base_score": "cvss v2.0 base score",
    "definition.cvss2.base_vector": "cvss vector",
    "definition.epss.score": "epss score",
    "definition.references": "xref",
    "definition.patch_published": "patch publication date",
    "definition.vulnerability_published": "vuln publication date",
    "asset.display_fqdn": "fqdn",
    "asset.name": "asset name",
    "asset.display_ipv4_address": "ip address",
    "asset.operating_system": "os",
    "last_seen": "last seen",
    "output": "plugin output",
}
"""Columns of exports from Explore in Tenable Vulnerability Management, by the names in older exports."""
ROOT: Final = "NessusClientData_v2"
_NAME: Final = "a report of Tenable"
_SEVERITY_WORDS: Final = {"0": "none", "1": "low", "2": "medium", "3": "high", "4": "critical"}
_SCAN_INFORMATION: Final = "19506"
_OS_IDENTIFICATION: Final = "11936"
_KNOWN_EXPLOITED: Final = "CISA-KNOWN-EXPLOITED"
_REMOTE_OS: Final = re.compile(r"Remote operating system : (.+)")
_INSTALLED: Final = re.compile(r"(Remote package installed|Installed version|Installed package)\s*: *(\S+)")
_FIXED: Final = re.compile(r"(?:Should be|Fixed version|Fixed package)\s*: *(\S+)")
_RPM_VERSION: Final = re.compile(r"(.+)-([^-]+-[^-]+)")
_DEB_VERSION: Final = re.compile(r"([^_]+)_(.+)")
_LOCAL_CHECKS: Final = re.compile(r"local security checks|windows : microsoft bulletins", re.IGNORECASE)
_SCORE_COLUMNS: Final = (
    (("cvss v4.0 base score",), ("cvss v4.0 vector",)),
    (("cvss v3.0 base score", "cvss3 base score", "cvss v3 base score", "cvssv3"), ("cvss3 vector", "cvss v3 vector")),
    (("cvss v2.0 base score", "cvss base score", "cvss v2 base score", "cvss"), ("cvss vector", "cvss v2 vector")),
)
"""Columns with the score and columns with the vector, the newest CVSS version first."""
_TIME_FORMATS: Final = ("%a %b %d %H:%M:%S %Y", "%b %d, %Y %H:%M:%S UTC", "%b %d, %Y %H:%M:%S %Z")


class _Package(NamedTuple):
    name: str
    installed: str = ""
    fixed: str = ""


@dataclass(slots=True)
class _Collector(HostCollector):
    is_web_scan: bool = False
    version: str = ""


def read(body: bytes) -> ScanReport:
    """Read a report of Tenable. Raises Refusal when the body is not one, is incomplete, or names no host."""
    collector = _Collector()
    if body.lstrip()[:1] == b"<":
        _read_xml(body, collector)
    else:
        for row in csv_body.read_rows(body, COLUMNS, _NAME, aliases=_COLUMN_ALIASES):
            _collect_row(row, collector)
    return collector.report(NESSUS, "Nessus", collector.version, _not_scanned(collector))


def _not_scanned(collector: _Collector) -> str:
    if collector.is_web_scan and not collector.authenticated:
        return "the report is of a web application scan, which does not examine packages"
    if collector.authenticated and not collector.login_failed:
        return ""
    login = "the scanner did not log in" if collector.login_failed else "nothing shows that the scanner logged in"
    return f"{login} (credentialed checks). Without a login it cannot see installed packages"


# --- XML -------------------------------------------------------------------------------------------------------------


def _read_xml(body: bytes, collector: _Collector) -> None:
    root = xml_body.read_root(body)
    wanted = frozenset({"HostProperties", "ReportItem"})
    known = root is not None and root.name == ROOT
    host = ""
    for _, element in xml_body.iterate_elements(body, wanted if known else frozenset(), _NAME):
        if element.name == "HostProperties":
            host = _collect_host(element, collector)
        else:
            collector.hosts.setdefault(host)
            _collect_row(_as_row(element, host), collector)
    if not known:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {_NAME}: its root element is not {ROOT}")


def _collect_host(element: xml_body.Element, collector: _Collector) -> str:
    tags = {tag.attributes.get("name", ""): tag.text.strip() for tag in element.all("tag")}
    host = tags.get("host-fqdn") or tags.get("host-ip") or tags.get("hostname") or "unnamed"
    collector.hosts.setdefault(host)
    collector.is_web_scan |= tags.get("system-type") == "web_application"
    credentialed = (tags.get("Credentialed_Scan") or "").casefold()
    collector.authenticated |= credentialed == "true" or bool(
        tags.get("agent-id") or tags.get("LastAuthenticatedResults")
    )
    collector.login_failed |= credentialed == "false"
    if tags.get("operating-system"):
        collector.systems.setdefault(tags["operating-system"])
    _collect_time(tags.get("HOST_END", ""), collector)
    return host


def _as_row(item: xml_body.Element, host: str) -> csv_body.Row:
    """An item of the XML as a row, by the column names of the CSV."""
    values = {
        "plugin id": item.attributes.get("pluginID", ""),
        "host": host,
        "name": item.attributes.get("pluginName", ""),
        "plugin family": item.attributes.get("pluginFamily", ""),
        "port": item.attributes.get("port", ""),
        "protocol": item.attributes.get("protocol", ""),
        "risk": _SEVERITY_WORDS.get(item.attributes.get("severity", ""), item.value("risk_factor")),
        "cve": " ".join(one.text for one in item.all("cve")),
        "plugin output": item.value("plugin_output"),
        "solution": item.value("solution"),
        "cvss v4.0 base score": item.value("cvss4_base_score"),
        "cvss v3.0 base score": item.value("cvss3_base_score"),
        "cvss": item.value("cvss_base_score"),
        "cvss v4.0 vector": item.value("cvss4_vector"),
        "cvss3 vector": item.value("cvss3_vector"),
        "cvss vector": item.value("cvss_vector"),
        "epss score": item.value("epss_score"),
        "xref": " ".join(one.text for one in item.all("xref")),
        "vuln publication date": item.value("vuln_publication_date"),
        "patch publication date": item.value("patch_publication_date"),
    }
    if item.find("cisa-known-exploited") is not None:
        values["xref"] += f" {_KNOWN_EXPLOITED}"
    return values


# --- rows ------------------------------------------------------------------------------------------------------------


def _collect_row(row: csv_body.Row, collector: _Collector) -> None:
    plugin = _plugin(row)
    host = _first(row, "host", "dns name", "fqdn", "ip address", "netbios name", "asset name")
    if not plugin.isdigit() or not host:
        return  # Exports contain lines without a plugin between the others.
    collector.hosts.setdefault(host)
    severity = parse_severity(_severity_word(row))
    collector.entries[severity] += 1
    _collect_proof(plugin, row, collector)
    cves = find_cves(row.get("cve"))
    state = _first(row, "vulnerability state", "state").casefold()
    packages = list(_packages(row)) or [_Package(_first(row, "name", "plugin name") or f"plugin {plugin}")]
    for id_, package in product(cves or (f"nessus:{plugin}",), packages):
        finding = _finding(id_, row, severity, package)
        collector.add(finding, suppressed_as=state if state == "fixed" else "", source="Tenable")


def _plugin(row: csv_body.Row) -> str:
    return row.get("plugin id") or row.get("plugin") or ""


def _severity_word(row: csv_body.Row) -> str:
    """The word for the severity. In Security Center and tenable.io, Risk Factor is the rating of CVSS 2 only."""
    risk = _first(row, "risk", "severity", "risk factor")
    return _SEVERITY_WORDS.get(risk, risk)


def _collect_proof(plugin: str, row: csv_body.Row, collector: _Collector) -> None:
    output = row.get("plugin output", "")
    if plugin == _SCAN_INFORMATION:
        text = output.casefold()
        by_agent = "agent" in _value_of_line(text, "scan type")
        collector.authenticated |= "credentialed checks : yes" in text or by_agent
        collector.login_failed |= "credentialed checks : no" in text and not by_agent
        collector.version = collector.version or _value_of_line(output, "Nessus version").split(" ")[0]
    elif plugin == _OS_IDENTIFICATION and (found := _REMOTE_OS.search(output)):
        collector.systems.setdefault(found.group(1).strip())
    family = _first(row, "plugin family", "family")
    local = _LOCAL_CHECKS.search(family) or row.get("definition.type", "").casefold() == "local"
    collector.authenticated |= bool(local or _first(row, "last authenticated results date", "agent id"))
    collector.is_web_scan |= row.get("protocol", "").casefold() in {"http", "https"} and plugin.startswith(("98", "11"))
    if row.get("os"):
        collector.systems.setdefault(row["os"])
    _collect_time(_first(row, "host end", "last observed", "last found", "last seen"), collector)


def _value_of_line(text: str, name: str) -> str:
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            return value.strip()
    return ""


def _collect_time(text: str, collector: _Collector) -> None:
    found = parse_timestamp(text)
    for form in _TIME_FORMATS if found is None and text else ():
        try:
            # Nessus writes the local time of the scanner without its offset. It is taken for UTC, since it is unknown.
            found = to_utc(datetime.strptime(text.strip(), form).replace(tzinfo=UTC))
            break
        except ValueError:
            continue
    if found is not None:
        collector.times.append(found)


def _packages(row: csv_body.Row) -> Iterator[_Package]:
    """The packages in the output of a local check: ``Remote package installed : kernel-4.14.314-237.533.amzn2``."""
    output = row.get("plugin output", "")
    installed = _INSTALLED.findall(output)
    fixed = _FIXED.findall(output)
    title = _first(row, "name", "plugin name")
    for index, (label, text) in enumerate(installed):
        fix = fixed[index] if index < len(fixed) else ""
        named = _RPM_VERSION.fullmatch(text) if label.startswith("Remote") else _DEB_VERSION.fullmatch(text)
        if label == "Installed version" or named is None:
            yield _Package(title, text, fix)
            continue
        name, version = named.groups()
        yield _Package(name, version, fix.removeprefix(f"{name}-").removeprefix(f"{name}_"))


def _finding(id_: str, row: csv_body.Row, severity: Severity, package: _Package) -> Finding:
    score, vector = _best_score(row)
    patch_date = parse_date(_first(row, "patch publication date"))
    return Finding(
        id=id_,
        package=package.name,
        installed=package.installed,
        severity=severity,
        fixed=package.fixed or None,
        severity_source="Tenable",
        cvss_score=score,
        where=unique((f"{row.get('protocol', '').lower()}/{row.get('port')}" if row.get("port") else None,)),
        status=_first(row, "vulnerability state"),
        cvss_vector=vector,
        epss=parse_probability(row.get("epss score")),
        known_exploited=_KNOWN_EXPLOITED in _first(row, "xref", "cross references").upper(),
        fix_state=FixState.FIXED if package.fixed or patch_date else FixState.UNKNOWN,
        fix_published=patch_date,
        published=parse_date(_first(row, "vuln publication date")),
        check=f"nessus:{_plugin(row)}",
    )


def _best_score(row: csv_body.Row) -> tuple[float | None, str]:
    for scores, vectors in _SCORE_COLUMNS:
        vector = _first(row, *vectors)
        score = cvss_score(_first(row, *scores), vector)
        if score is not None:
            return score, vector
    return None, ""


def _first(row: csv_body.Row, *names: str) -> str:
    """The first of the columns that has a value. Exports write N/A and null for no value."""
    found = (row.get(name, "") for name in names)
    return next((value for value in found if value and value.casefold() not in {"n/a", "null"}), "")
