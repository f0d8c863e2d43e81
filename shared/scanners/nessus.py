"""Nessus: its CSV, those of Tenable Vulnerability Management and Security Center, and the ``.nessus`` XML.

Facts of the formats (exports of Nessus 5 to 10, tenable.io and Tenable.sc; docs.tenable.com "Nessus file format"):

* A row or ``ReportItem`` is one plugin on one port; in CSV once for every CVE, in XML with all of them. Here every CVE
  of every plugin is a finding; ``counts`` counts rows and items. Plugins without a CVE go by ``nessus:`` and number.
* ``Risk`` (or ``severity`` 0 to 4) is None, Low, Medium, High, Critical. None is information about the host.
* Nessus looks from outside unless it has credentials or an agent. Only a login sees packages, so only that is a scan of
  a machine here: ``Credentialed_Scan`` true, ``Credentialed checks : yes`` of plugin 19506, a date of authenticated
  results, an agent's id, or findings of a family of local checks.
* The fixed version stands in the plugin's output ("Fixed version : …", "Should be : …").
* ``CISA-KNOWN-EXPLOITED`` among the cross references is CISA's catalogue.
* Web application scans (``type="was"``, HTTP as protocol) look at no machine.
* Nessus's CSV names no time; ``HOST_END`` (XML) and ``Host End`` or ``Last Observed`` (the others) do.
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
"""Any of them names the column of plugin numbers."""
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
"""Columns of the findings that Tenable Vulnerability Management's Explore exports, by the older exports' names."""
ROOT: Final = "NessusClientData_v2"
_NAME: Final = "a report of Tenable"
_GRADES: Final = {"0": "none", "1": "low", "2": "medium", "3": "high", "4": "critical"}
_INFORMATION: Final = "19506"
_OS_FOUND: Final = "11936"
_KNOWN_EXPLOITED: Final = "CISA-KNOWN-EXPLOITED"
_REMOTE_OS: Final = re.compile(r"Remote operating system : (.+)")
_INSTALLED: Final = re.compile(r"(Remote package installed|Installed version|Installed package)\s*: *(\S+)")
_FIXED: Final = re.compile(r"(?:Should be|Fixed version|Fixed package)\s*: *(\S+)")
_RPM: Final = re.compile(r"(.+)-([^-]+-[^-]+)")
_DEB: Final = re.compile(r"([^_]+)_(.+)")
_LOCAL: Final = re.compile(r"local security checks|windows : microsoft bulletins", re.IGNORECASE)
_SCORES: Final = (
    (("cvss v4.0 base score",), ("cvss v4.0 vector",)),
    (("cvss v3.0 base score", "cvss3 base score", "cvss v3 base score", "cvssv3"), ("cvss3 vector", "cvss v3 vector")),
    (("cvss v2.0 base score", "cvss base score", "cvss v2 base score", "cvss"), ("cvss vector", "cvss v2 vector")),
)
"""Names of columns, the newest CVSS version first."""
_DATES: Final = ("%a %b %d %H:%M:%S %Y", "%b %d, %Y %H:%M:%S UTC", "%b %d, %Y %H:%M:%S %Z")


class _Package(NamedTuple):
    name: str
    installed: str = ""
    fixed: str = ""


@dataclass(slots=True)
class _Seen(HostCollector):
    web: bool = False
    version: str = ""


def read(body: bytes) -> ScanReport:
    """Read a report of Tenable's. Raises Refusal when it isn't one, isn't whole, or is of no host."""
    seen = _Seen()
    if body.lstrip()[:1] == b"<":
        _read_xml(body, seen)
    else:
        for row in csv_body.read_rows(body, COLUMNS, _NAME, aliases=_COLUMN_ALIASES):
            _take_row(row, seen)
    return seen.report(NESSUS, "Nessus", seen.version, _not_scanned(seen))


def _not_scanned(seen: _Seen) -> str:
    if seen.web and not seen.authenticated:
        return "this is a scan of a web application, which looks at no packages"
    if seen.authenticated and not seen.login_failed:
        return ""
    told = "the scanner did not log in" if seen.login_failed else "nothing shows that the scanner logged in"
    return f"{told} (credentialed checks): from outside it sees no packages"


# --- XML -------------------------------------------------------------------------------------------------------------


def _read_xml(body: bytes, seen: _Seen) -> None:
    root = xml_body.read_root(body)
    wanted = frozenset({"HostProperties", "ReportItem"})
    known = root is not None and root.name == ROOT
    host = ""
    for _, element in xml_body.iterate_elements(body, wanted if known else frozenset(), _NAME):
        if element.name == "HostProperties":
            host = _take_host(element, seen)
        else:
            seen.hosts.setdefault(host)
            _take_row(_as_row(element, host), seen)
    if not known:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {_NAME}: its root is not {ROOT}")


def _take_host(element: xml_body.Element, seen: _Seen) -> str:
    tags = {tag.attributes.get("name", ""): tag.text.strip() for tag in element.all("tag")}
    host = tags.get("host-fqdn") or tags.get("host-ip") or tags.get("hostname") or "unnamed"
    seen.hosts.setdefault(host)
    seen.web |= tags.get("system-type") == "web_application"
    credentialed = (tags.get("Credentialed_Scan") or "").casefold()
    seen.authenticated |= credentialed == "true" or bool(tags.get("agent-id") or tags.get("LastAuthenticatedResults"))
    seen.login_failed |= credentialed == "false"
    if tags.get("operating-system"):
        seen.systems.setdefault(tags["operating-system"])
    _take_time(tags.get("HOST_END", ""), seen)
    return host


def _as_row(item: xml_body.Element, host: str) -> csv_body.Row:
    """An item of the XML by the names that the CSV has for the same things."""
    values = {
        "plugin id": item.attributes.get("pluginID", ""),
        "host": host,
        "name": item.attributes.get("pluginName", ""),
        "plugin family": item.attributes.get("pluginFamily", ""),
        "port": item.attributes.get("port", ""),
        "protocol": item.attributes.get("protocol", ""),
        "risk": _GRADES.get(item.attributes.get("severity", ""), item.value("risk_factor")),
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


def _take_row(row: csv_body.Row, seen: _Seen) -> None:
    plugin = row.get("plugin id") or row.get("plugin") or ""
    host = _first(row, "host", "dns name", "fqdn", "ip address", "netbios name", "asset name")
    if not plugin.isdigit() or not host:
        return  # Consoles leave lines without a plugin between the others.
    seen.hosts.setdefault(host)
    severity = parse_severity(_risk(row))
    seen.entries[severity] += 1
    _take_proof(plugin, row, seen)
    cves = find_cves(row.get("cve"))
    state = _first(row, "vulnerability state", "state").casefold()
    packages = list(_packages(row)) or [_Package(_first(row, "name", "plugin name") or f"plugin {plugin}")]
    for id_, package in product(cves or (f"nessus:{plugin}",), packages):
        finding = _finding(id_, plugin, row, severity, package)
        seen.add(finding, suppressed_as=state if state == "fixed" else "", source="Tenable")


def _risk(row: csv_body.Row) -> str:
    """The word for the severity: Security Center and tenable.io call it Severity, and keep Risk Factor for CVSS 2's."""
    risk = _first(row, "risk", "severity", "risk factor")
    return _GRADES.get(risk, risk)


def _take_proof(plugin: str, row: csv_body.Row, seen: _Seen) -> None:
    output = row.get("plugin output", "")
    if plugin == _INFORMATION:
        said = output.casefold()
        seen.authenticated |= "credentialed checks : yes" in said or "agent" in _line(said, "scan type")
        seen.login_failed |= "credentialed checks : no" in said and "agent" not in _line(said, "scan type")
        seen.version = seen.version or _line(output, "Nessus version").split(" ")[0]
    elif plugin == _OS_FOUND and (found := _REMOTE_OS.search(output)):
        seen.systems.setdefault(found.group(1).strip())
    family = _first(row, "plugin family", "family")
    local = _LOCAL.search(family) or row.get("definition.type", "").casefold() == "local"
    seen.authenticated |= bool(local or _first(row, "last authenticated results date", "agent id"))
    seen.web |= row.get("protocol", "").casefold() in {"http", "https"} and plugin.startswith(("98", "11"))
    if row.get("os"):
        seen.systems.setdefault(row["os"])
    _take_time(_first(row, "host end", "last observed", "last found", "last seen"), seen)


def _line(text: str, name: str) -> str:
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            return value.strip()
    return ""


def _take_time(text: str, seen: _Seen) -> None:
    found = parse_timestamp(text)
    for form in _DATES if found is None and text else ():
        try:
            # Nessus writes the scanner's local time without its zone; UTC is as near as one comes.
            found = to_utc(datetime.strptime(text.strip(), form).replace(tzinfo=UTC))
            break
        except ValueError:
            continue
    if found is not None:
        seen.times.append(found)


def _packages(row: csv_body.Row) -> Iterator[_Package]:
    """The packages that a local check found: ``Remote package installed : kernel-4.14.314-237.533.amzn2``."""
    output = row.get("plugin output", "")
    installed = _INSTALLED.findall(output)
    fixed = _FIXED.findall(output)
    title = _first(row, "name", "plugin name")
    for index, (label, text) in enumerate(installed):
        fix = fixed[index] if index < len(fixed) else ""
        named = _RPM.fullmatch(text) if label.startswith("Remote") else _DEB.fullmatch(text)
        if label == "Installed version" or named is None:
            yield _Package(title, text, fix)
            continue
        name, version = named.groups()
        yield _Package(name, version, fix.removeprefix(f"{name}-").removeprefix(f"{name}_"))


def _finding(id_: str, plugin: str, row: csv_body.Row, severity: Severity, package: _Package) -> Finding:
    rated, vector = _score(row)
    patched = parse_date(_first(row, "patch publication date"))
    return Finding(
        id=id_,
        package=package.name,
        installed=package.installed,
        severity=severity,
        fixed=package.fixed or None,
        severity_source="Tenable",
        cvss_score=rated,
        where=unique((f"{row.get('protocol', '').lower()}/{row.get('port')}" if row.get("port") else None,)),
        status=_first(row, "vulnerability state"),
        cvss_vector=vector,
        epss=parse_probability(row.get("epss score")),
        known_exploited=_KNOWN_EXPLOITED in _first(row, "xref", "cross references").upper(),
        fix_state=FixState.FIXED if package.fixed or patched else FixState.UNKNOWN,
        fix_published=patched,
        published=parse_date(_first(row, "vuln publication date")),
        check=f"nessus:{plugin}",
    )


def _score(row: csv_body.Row) -> tuple[float | None, str]:
    for scores, vectors in _SCORES:
        vector = _first(row, *vectors)
        rated = cvss_score(_first(row, *scores), vector)
        if rated is not None:
            return rated, vector
    return None, ""


def _first(row: csv_body.Row, *names: str) -> str:
    """The first of the columns that has a value; consoles write N/A and null for none."""
    found = (row.get(name, "") for name in names)
    return next((value for value in found if value and value.casefold() not in {"n/a", "null"}), "")
