"""The report of a second scanner: Grype's JSON report about the same images, as `grype --output json` writes it.

It has the same findings as the Trivy report (`local.scanner.report`), and also which vulnerabilities are known to be
exploited.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local.scanner.inventory import SOURCES, JavaKnown, Known
from local.scanner.report import OS, java_findings, known_words, purl_of, system_findings, version_of


def grype_report_for(character: str, image_id: str, created_at: datetime, *, later: bool = False) -> dict[str, Any]:
    """The report about an image with this behavior profile, created at `created_at`.

    `later` adds findings that are not known at the first scan.
    """
    words = known_words(character, later=later)
    system = [
        _system_match(one, package, version_of(one.source, words))
        for one in system_findings(words)
        for package in SOURCES[one.source].packages
    ]
    return {
        "matches": [*system, *(_java_match(one) for one in java_findings(words))],
        "source": {"type": "directory", "target": f"/mnt/{image_id.rstrip('/').split('/')[-1]}"},
        "distro": {"name": OS["Family"], "version": OS["Name"], "idLike": ["debian"]},
        "descriptor": {
            "name": "grype",
            "version": "0.104.0",
            "timestamp": created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        },
    }


def _system_match(known: Known, package: str, version: str) -> dict[str, Any]:
    vulnerability = {
        "id": known.id,
        "dataSource": f"https://ubuntu.com/security/{known.id}",
        "namespace": f"ubuntu:distro:{OS['Family']}:{OS['Name']}",
        "severity": known.severity.capitalize(),
        "urls": [],
        "cvss": [],
        "fix": _fix(known.fixed),
        "advisories": [],
        "risk": 0.1,
    }
    return _match(vulnerability, _artifact(package, version, "deb", purl_of(package, version), "/var/lib/dpkg/status"))


def _java_match(known: JavaKnown) -> dict[str, Any]:
    vulnerability = {
        "id": known.advisory,
        "dataSource": f"https://github.com/advisories/{known.advisory}",
        "namespace": "github:language:java",
        "severity": "Critical",
        "urls": [],
        "cvss": [_cvss(known)],
        "epss": [{"cve": known.id, "epss": 0.94, "percentile": 0.99, "date": known.exploited}],
        "knownExploited": [{"cve": known.id, "dateAdded": known.exploited, "knownRansomwareCampaignUse": "Unknown"}],
        "fix": _fix(known.fixed),
        "advisories": [],
        "risk": 90.0,
    }
    artifact = _artifact(
        known.package.rpartition(":")[2], known.installed, "java-archive", known.purl, f"/{known.path}"
    )
    return _match(vulnerability, artifact, related=[{"id": known.id, "namespace": "nvd:cpe", "severity": "Critical"}])


def _cvss(known: JavaKnown) -> dict[str, Any]:
    return {
        "type": "Secondary",
        "version": "3.1",
        "vector": known.vector,
        "metrics": {"baseScore": known.score},
        "vendorMetadata": {},
    }


def _fix(fixed: str) -> dict[str, Any]:
    return {"versions": fixed.split(", ") if fixed else [], "state": "fixed" if fixed else "not-fixed"}


def _artifact(name: str, version: str, kind: str, purl: str, path: str) -> dict[str, Any]:
    return {
        "id": hashlib.sha256(purl.encode()).hexdigest()[:16],
        "name": name,
        "version": version,
        "type": kind,
        "locations": [{"path": path}],
        "language": "java" if kind == "java-archive" else "",
        "licenses": [],
        "cpes": [],
        "purl": purl,
        "upstreams": [],
    }


def _match(
    vulnerability: Mapping[str, Any], artifact: Mapping[str, Any], related: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {
        "vulnerability": dict(vulnerability),
        "relatedVulnerabilities": related or [],
        "matchDetails": [],
        "artifact": dict(artifact),
    }
