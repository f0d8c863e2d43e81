"""Trivy's JSON report about an Ubuntu 22.04 image, as `trivy vm --format json` writes it (schema version 2).

What it finds depends on the image's character alone:

* `critical-cve`: a log4j that everybody on the Internet can take over (CVE-2021-44228), beside the usual findings;
* `high-cves`: a system built without its updates, with findings rated high that have fixes;
* `scan-without-system`: the scanner did not recognise the operating system, so it looked at nothing;
* anything else: the low and medium findings that every Ubuntu of its age has.
"""

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from local.scanner.inventory import HIGH, KNOWN, SOURCES, Known

OS = {"Family": "ubuntu", "Name": "22.04"}
_LEVELS = {"LOW": 1, "MEDIUM": 2, "HIGH": 3, "CRITICAL": 4}
_LOG4J = ("org.apache.logging.log4j:log4j-core", "2.14.1", "opt/telemetry/lib/log4j-core-2.14.1.jar")


def words_of(character: str) -> frozenset[str]:
    """The words of a character: `critical-cve,slow` has two."""
    return frozenset(word.strip() for word in character.split(",") if word.strip())


def report_for(character: str, image_id: str, created_at: datetime) -> dict[str, Any]:
    """The report about an image of this character, scanned at `created_at` (aware)."""
    words = words_of(character)
    name = f"{image_id.rstrip('/').split('/')[-1]}.vmdk"
    results = [] if "scan-without-system" in words else [_system(name, words)]
    if "critical-cve" in words:
        results.append(_java())
    document: dict[str, Any] = {
        "SchemaVersion": 2,
        "Trivy": {"Version": "0.67.2"},
        "ReportID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{image_id.lower()}@{_time(created_at)}")),
        "CreatedAt": _time(created_at),
        "ArtifactName": name,
        "ArtifactType": "vm",
        "Metadata": {"OS": dict(OS)} if results and results[0]["Class"] == "os-pkgs" else {},
    }
    return document | {"Results": results} if results else document


def _system(name: str, words: Iterable[str]) -> dict[str, Any]:
    known = (*KNOWN, *HIGH) if "high-cves" in words else KNOWN
    return {
        "Target": f"{name} ({OS['Family']} {OS['Name']})",
        "Class": "os-pkgs",
        "Type": "ubuntu",
        "Packages": [_package(package, source) for source in SOURCES for package in SOURCES[source].packages],
        "Vulnerabilities": [_finding(one, package) for one in known for package in SOURCES[one.source].packages],
    }


def _package(package: str, source: str) -> dict[str, Any]:
    version = SOURCES[source].version
    return {
        "ID": f"{package}@{version}",
        "Name": package,
        "Identifier": _identifier(package, version),
        "Version": version,
        "Arch": "amd64",
        "SrcName": source,
        "SrcVersion": version,
    }


def _identifier(package: str, version: str) -> dict[str, str]:
    epoch, _, plain = version.rpartition(":")
    purl = f"pkg:deb/ubuntu/{quote(package, safe='')}@{quote(plain, safe='')}?arch=amd64&distro=ubuntu-22.04"
    return {
        "PURL": purl + (f"&epoch={epoch}" if epoch else ""),
        "UID": hashlib.sha256(f"{package}@{version}".encode()).hexdigest()[:16],
    }


def _finding(known: Known, package: str) -> dict[str, Any]:
    version = SOURCES[known.source].version
    finding: dict[str, Any] = {
        "VulnerabilityID": known.id,
        "PkgID": f"{package}@{version}",
        "PkgName": package,
        "PkgIdentifier": _identifier(package, version),
        "InstalledVersion": version,
        **({"FixedVersion": known.fixed} if known.fixed else {}),
        "Status": "fixed" if known.fixed else "affected",
        "SeveritySource": "ubuntu",
        "DataSource": {
            "ID": "ubuntu",
            "Name": "Ubuntu CVE Tracker",
            "URL": "https://git.launchpad.net/ubuntu-cve-tracker",
        },
    }
    return finding | _common(known.id, known.title, known.severity, {"ubuntu": _LEVELS[known.severity]})


def _java() -> dict[str, Any]:
    name, version, path = _LOG4J
    identifier = {"PURL": f"pkg:maven/{name.replace(':', '/')}@{version}", "UID": "5b1f1f0a9c1d2e37"}
    finding: dict[str, Any] = {
        "VulnerabilityID": "CVE-2021-44228",
        "VendorIDs": ["GHSA-jfh8-c2jp-5v3q"],
        "PkgName": name,
        "PkgPath": path,
        "PkgIdentifier": identifier,
        "InstalledVersion": version,
        "FixedVersion": "2.15.0, 2.3.1, 2.12.2",
        "Status": "fixed",
        "SeveritySource": "ghsa",
        "DataSource": {
            "ID": "ghsa",
            "Name": "GitHub Security Advisory Maven",
            "URL": "https://github.com/advisories?query=type%3Areviewed+ecosystem%3Amaven",
        },
        "CVSS": {"nvd": {"V3Vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", "V3Score": 10}},
    }
    title = "log4j-core: Remote code execution in Log4j 2.x when logs contain an attacker-controlled string value"
    return {
        "Target": "Java",
        "Class": "lang-pkgs",
        "Type": "jar",
        "Packages": [{"Name": name, "Identifier": identifier, "Version": version, "FilePath": path}],
        "Vulnerabilities": [finding | _common("CVE-2021-44228", title, "CRITICAL", {"ghsa": 4, "nvd": 4})],
    }


def _common(cve: str, title: str, severity: str, vendors: Mapping[str, int]) -> dict[str, Any]:
    return {
        "PrimaryURL": f"https://avd.aquasec.com/nvd/{cve.lower()}",
        "Title": title,
        "Severity": severity,
        "VendorSeverity": dict(vendors),
        "References": [f"https://nvd.nist.gov/vuln/detail/{cve}"],
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
