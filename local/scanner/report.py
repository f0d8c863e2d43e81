"""Trivy's JSON report about an Ubuntu 22.04 image, as `trivy vm --format json` writes it (schema version 2).

The findings depend only on the image's behavior profile:

* `critical-cve`: log4j with CVE-2021-44228, in addition to the usual findings;
* `exploited-cve`: Tomcat with a critical vulnerability that is known to be exploited (CVE-2025-24813);
* `high-cves`: a system without updates, with fixable findings of severity high;
* `fewer-high-cves`: the same with some updates;
* `scan-without-system`: the scanner did not detect the operating system, so it scanned nothing;
* anything else: the low and medium findings of every Ubuntu of this age.

With the suffix `-later` (`high-cves-later`), the findings appear only in later scans: the vulnerabilities were not
known at the first scan.
"""

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from local.scanner.inventory import HIGH, JAVA, KNOWN, SOURCES, UPDATED, JavaKnown, Known

OS = {"Family": "ubuntu", "Name": "22.04"}
_LEVELS = {"LOW": 1, "MEDIUM": 2, "HIGH": 3, "CRITICAL": 4}
_LATER = "-later"


def words_of(character: str) -> frozenset[str]:
    """The parts of a profile: `critical-cve,slow` has two."""
    return frozenset(word.strip() for word in character.split(",") if word.strip())


def known_words(character: str, *, later: bool) -> frozenset[str]:
    """The parts that affect a scan: at the first scan, or (`later`) at a later one."""
    words = words_of(character)
    first = frozenset(word for word in words if not word.endswith(_LATER))
    return first | {word.removesuffix(_LATER) for word in words} if later else first


def system_findings(words: Iterable[str]) -> tuple[Known, ...]:
    """The findings in system packages for these profile parts."""
    if "high-cves" in words:
        return (*KNOWN, *HIGH)
    if "fewer-high-cves" in words:
        return (*KNOWN, *(one for one in HIGH if one.source not in UPDATED))
    return KNOWN


def java_findings(words: Iterable[str]) -> tuple[JavaKnown, ...]:
    """The findings in jars for these profile parts."""
    return tuple(one for one in JAVA if one.word in words)


def version_of(source: str, words: Iterable[str]) -> str:
    """The version of a source package for these profile parts."""
    updated = UPDATED.get(source) if "fewer-high-cves" in words else None
    return updated or SOURCES[source].version


def report_for(character: str, image_id: str, created_at: datetime, *, later: bool = False) -> dict[str, Any]:
    """The report about an image with this behavior profile, created at `created_at`.

    `later` adds findings that are not known at the first scan.
    """
    words = known_words(character, later=later)
    name = f"{image_id.rstrip('/').split('/')[-1]}.vmdk"
    results = [] if "scan-without-system" in words else [_system(name, words)]
    if jars := java_findings(words):
        results.append(_java(jars))
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


def _system(name: str, words: frozenset[str]) -> dict[str, Any]:
    return {
        "Target": f"{name} ({OS['Family']} {OS['Name']})",
        "Class": "os-pkgs",
        "Type": "ubuntu",
        "Packages": [
            _package(package, source, version_of(source, words))
            for source in SOURCES
            for package in SOURCES[source].packages
        ],
        "Vulnerabilities": [
            _finding(one, package, version_of(one.source, words))
            for one in system_findings(words)
            for package in SOURCES[one.source].packages
        ],
    }


def _package(package: str, source: str, version: str) -> dict[str, Any]:
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
    return {
        "PURL": purl_of(package, version),
        "UID": hashlib.sha256(f"{package}@{version}".encode()).hexdigest()[:16],
    }


def purl_of(package: str, version: str) -> str:
    """The package URL of a system package."""
    epoch, _, plain = version.rpartition(":")
    purl = f"pkg:deb/ubuntu/{quote(package, safe='')}@{quote(plain, safe='')}?arch=amd64&distro=ubuntu-22.04"
    return purl + (f"&epoch={epoch}" if epoch else "")


def _finding(known: Known, package: str, version: str) -> dict[str, Any]:
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


def _java(jars: Iterable[JavaKnown]) -> dict[str, Any]:
    listed = list(jars)
    return {
        "Target": "Java",
        "Class": "lang-pkgs",
        "Type": "jar",
        "Packages": [
            {"Name": one.package, "Identifier": _jar(one), "Version": one.installed, "FilePath": one.path}
            for one in listed
        ],
        "Vulnerabilities": [_java_finding(one) for one in listed],
    }


def _jar(known: JavaKnown) -> dict[str, str]:
    return {"PURL": known.purl, "UID": hashlib.sha256(known.path.encode()).hexdigest()[:16]}


def _java_finding(known: JavaKnown) -> dict[str, Any]:
    finding: dict[str, Any] = {
        "VulnerabilityID": known.id,
        "VendorIDs": [known.advisory],
        "PkgName": known.package,
        "PkgPath": known.path,
        "PkgIdentifier": _jar(known),
        "InstalledVersion": known.installed,
        "FixedVersion": known.fixed,
        "Status": "fixed",
        "SeveritySource": "ghsa",
        "DataSource": {
            "ID": "ghsa",
            "Name": "GitHub Security Advisory Maven",
            "URL": "https://github.com/advisories?query=type%3Areviewed+ecosystem%3Amaven",
        },
        "CVSS": {"nvd": {"V3Vector": known.vector, "V3Score": known.score}},
    }
    return finding | _common(known.id, known.title, "CRITICAL", {"ghsa": 4, "nvd": 4})


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
