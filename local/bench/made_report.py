"""Creates a Trivy report of any size, with findings that are as long as real ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

_PROSE: Final = (
    "A flaw was found in the way that the library parses attacker-controlled input; a remote attacker who can send a "
    "crafted request may read memory beyond the end of a buffer, and in some configurations run code of their choice. "
)
_SEVERITIES: Final = ("LOW", "MEDIUM", "MEDIUM", "HIGH")


def write_report(file: Path, *, findings: int, size: int, created_at: datetime) -> int:
    """Write a report with ``findings`` findings and at least ``size`` bytes. Returns its size in bytes."""
    stamp = f"{created_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"
    head = {
        "SchemaVersion": 2,
        "Trivy": {"Version": "0.67.2"},
        "CreatedAt": stamp,
        "ArtifactName": "disk.vmdk",
        "ArtifactType": "vm",
        "Metadata": {"OS": {"Family": "ubuntu", "Name": "22.04"}},
    }
    with file.open("w", encoding="ascii") as out:
        out.write(json.dumps(head)[:-1] + ', "Results": [{"Target": "disk.vmdk (ubuntu 22.04)", "Class": "os-pkgs",')
        out.write(' "Type": "ubuntu", "Vulnerabilities": [')
        for index, text in enumerate(_findings(findings, size // findings)):
            out.write(text if index == 0 else f",\n{text}")
        out.write("]}]}")
    return file.stat().st_size


def _findings(count: int, length: int) -> Iterator[str]:
    for index in range(count):
        found = _finding(index)
        room = length - len(json.dumps(found)) - 2
        found["Description"] = (_PROSE * (room // len(_PROSE) + 1))[: max(room, 0)]
        yield json.dumps(found)


def _finding(index: int) -> dict[str, Any]:
    name, cve = f"package-{index % 1500}", f"CVE-{2015 + index % 11}-{10_000 + index}"
    return {
        "VulnerabilityID": cve,
        "PkgID": f"{name}@1.{index % 7}.0-1ubuntu1",
        "PkgName": name,
        "PkgIdentifier": {"PURL": f"pkg:deb/ubuntu/{name}@1.{index % 7}.0-1ubuntu1?arch=amd64&distro=ubuntu-22.04"},
        "InstalledVersion": f"1.{index % 7}.0-1ubuntu1",
        "FixedVersion": f"1.{index % 7}.0-1ubuntu1.{index % 9 + 1}",
        "Status": "fixed",
        "Severity": _SEVERITIES[index % len(_SEVERITIES)],
        "SeveritySource": "ubuntu",
        "VendorSeverity": {"nvd": 3, "redhat": 2, "ubuntu": 2},
        "CVSS": {"nvd": {"V3Vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "V3Score": 7.5}},
        "References": [f"https://ubuntu.com/security/{cve}", f"https://nvd.nist.gov/vuln/detail/{cve}"],
        "PublishedDate": "2024-05-01T12:15:00Z",
        "LastModifiedDate": "2024-06-01T12:15:00Z",
        "Title": "library: out-of-bounds read in the parser",
        "Description": "",
    }
