"""The envelope of our own: closed, published as a schema, and named for the version that it is of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.domain.findings import FixState, ScanReport, VexState
from shared.domain.image import VersionId
from shared.scanners import envelope, registry
from shared.scanners.report_refusal import Refusal, RefusalReason

IMAGE = (
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/g/providers/Microsoft.Compute"
    "/galleries/gal/images/win/versions/1.2.3"
)


def document(**changes: Any) -> dict[str, Any]:
    return {
        "schema": "ringmaster.scan/1",
        "scanner": {"name": "Cloud", "version": "1"},
        "target": {"name": "disk", "image": IMAGE, "os": {"family": "windows", "version": "2022"}},
        "createdAt": "2026-05-10T12:00:00Z",
        "packagesScanned": 12,
        "findings": [
            {"id": "CVE-2026-1", "package": "kb", "severity": "high", "knownExploited": True, "vex": "affected",
             "fixState": "wont-fix", "cvssVector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}
        ],
    } | changes  # fmt: skip


def read(**changes: Any) -> ScanReport:
    return registry.read(None, json.dumps(document(**changes)).encode())


def test_an_envelope_is_read() -> None:
    report = read()
    (found,) = report.findings
    assert (report.format, report.scanned, report.packages_seen, str(report.os)) == (
        "ringmaster",
        True,
        12,
        "windows 2022",
    )
    assert (found.cvss_score, found.known_exploited, found.fix) == (9.8, True, FixState.WONT_FIX)
    assert found.vex is VexState.AFFECTED


def test_a_report_that_names_another_image_is_of_another_image() -> None:
    report = read()
    assert report.image_mismatch(VersionId.parse(IMAGE.upper())) == ""
    assert "another image version" in report.image_mismatch(VersionId.parse(IMAGE.replace("1.2.3", "1.2.4")))


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"packagesScanned": 0}, "no packages"), ({"target": {"name": "disk"}}, "no operating system")],
)
def test_an_envelope_without_system_or_packages_is_no_scan(changes: dict[str, Any], told: str) -> None:
    assert told in read(**changes).not_scanned


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": "ringmaster.scan/2"}, RefusalReason.WRONG_SCHEMA),
        ({"schema": "other"}, RefusalReason.UNKNOWN_FORMAT),
        ({"createdAt": "yesterday"}, RefusalReason.WRONG_SHAPE),
        ({"createdAt": "2026-05-10T12:00:00"}, RefusalReason.WRONG_SHAPE),
        ({"packagesScanned": -1}, RefusalReason.WRONG_SHAPE),
        ({"findngs": []}, RefusalReason.WRONG_SHAPE),
        ({"findings": [{"id": "", "package": "x", "severity": "high"}]}, RefusalReason.WRONG_SHAPE),
        ({"findings": [{"id": "a", "package": "x", "severity": "awful"}]}, RefusalReason.WRONG_SHAPE),
        ({"findings": [{"id": "a", "package": "x", "severity": "low", "epss": 7}]}, RefusalReason.WRONG_SHAPE),
        ({"target": {"name": "x", "image": "/nowhere"}}, RefusalReason.WRONG_SHAPE),
    ],
)
def test_what_an_envelope_must_not_say_is_refused(changes: dict[str, Any], reason: RefusalReason) -> None:
    with pytest.raises(Refusal) as caught:
        read(**changes)
    assert caught.value.reason is reason


def test_the_published_schema_is_that_of_the_reader(project_root: Path) -> None:
    published = json.loads((project_root / "docs/scan-envelope.schema.json").read_text(encoding="utf-8"))
    assert published == envelope.schema(), "write it anew: python -m shared.scanners.envelope --write"


def test_the_example_of_the_documentation_is_read(project_root: Path) -> None:
    text = (project_root / "docs/scanners.md").read_text(encoding="utf-8")
    example = text.split("```json\n", 1)[1].split("```", 1)[0]
    report = registry.read(None, example.encode())
    assert (report.format, report.scanned, len(report.findings)) == ("ringmaster", True, 1)


def test_the_documentation_names_every_format(project_root: Path) -> None:
    text = (project_root / "docs/scanners.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    assert rows >= set(registry.READERS)
