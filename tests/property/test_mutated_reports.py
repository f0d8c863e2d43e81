"""Real reports, damaged in every way: read or refused in words, and never anything else."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.domain.findings import ScanReport
from shared.scanners import registry
from shared.scanners.report_refusal import Refusal

REAL: Final = {
    "trivy": ("trivy/ubuntu-1804.json.golden", "trivy/fixtures/convert/npm-with-suppressed.json.golden"),
    "grype": ("grype/presenter/json/testdata/snapshot/TestJsonDirsPresenter.golden",
              "defectdojo-scans/anchore_grype/check_all_fields_with_ids_fabricated.json"),
    "sarif": ("trivy/alpine-310.sarif.golden", "defectdojo-scans/sarif/appendix_k4.sarif",
              "grype/presenter/sarif/testdata/snapshot/TestSarifPresenter_directory.golden"),
    "cyclonedx": ("trivy/fluentd-multiple-lockfiles-short.cdx.json.golden",
                  "cyclonedx-bom-examples/VEX/CISA-Use-Cases/Case-6/vex.json",
                  "defectdojo-scans/cyclonedx/spec1_lowfirst.xml",
                  "defectdojo-scans/cyclonedx/multiple_cwes_fabricated.xml"),
    "defender": ("defectdojo-scans/ms_defender/report_many_vulns.json",),
    "inspector": ("defectdojo-scans/aws_inspector2/aws_inspector2_one_vul.json",),
    "nessus": ("defectdojo-scans/tenable/tenable_many_vuln.csv", "defectdojo-scans/tenable/issue_11102.csv",
               "defectdojo-scans/tenable/nessus_was/nessus_was_no_vuln.xml"),
    "qualys": ("defectdojo-scans/qualys_vmdr/one_vuln_qid.csv",
               "defectdojo-scans/qualys/monthly_pci_issue6932.csv",
               "defectdojo-scans/qualys_infrascan_webgui/qualys_infrascan_webgui_1.xml"),
}  # fmt: skip
ENVELOPE: Final = {
    "schema": "ringmaster.scan/1",
    "scanner": {"name": "house"},
    "target": {"name": "disk", "os": {"family": "ubuntu"}},
    "createdAt": "2026-05-10T12:00:00Z",
    "packagesScanned": 3,
    "findings": [{"id": "CVE-2026-1", "package": "a", "severity": "high", "cvssVector": "CVSS:3.1/AV:N"}],
    "suppressed": [{"finding": {"id": "CVE-2026-2", "package": "a", "severity": "low"}, "status": "ignored"}],
}
STRANGE: Final = (None, True, 0, -1, 10**30, 1e308, "", "\x00", "x" * 5000, "CVE-2026-1", "9.9", "CVSS:3.1/x", "pkg:/",
                  "2026-13-45T99:99:99Z", [], {}, [[]], [None], [{}], {"id": 1})  # fmt: skip


def documents(data: Path) -> Iterator[tuple[str, bytes]]:
    for name, files in REAL.items():
        for file in files:
            yield name, (data / "scanner" / file).read_bytes()
    yield "ringmaster", json.dumps(ENVELOPE).encode()


def attempt(name: str | None, body: bytes) -> None:
    report: ScanReport | None = None
    with suppress(Refusal):
        report = registry.read(name, body)
    assert report is None or all(finding.id and finding.identity for finding in report.findings)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield (*path, key)
        yield from places(child, (*path, key))


def altered(body: bytes, path: tuple[Any, ...], value: Any) -> bytes:
    """The JSON document with another value in one place; without the place when the value is Ellipsis."""
    document = json.loads(body)
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    if value is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize("name", [*REAL, "ringmaster"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_damaged_report_is_read_or_refused(name: str, seed: int, real_data: Path) -> None:
    chance = random.Random(seed)
    for body in (body for own, body in documents(real_data) if own == name):
        torn = bytearray(body)
        for _ in range(chance.randint(1, 12)):
            at = chance.randrange(len(torn))
            edit = chance.choice(("flip", "cut", "double", "drop"))
            if edit == "flip":
                torn[at] = chance.randrange(256)
            elif edit == "cut":
                del torn[max(at, 1) :]
            elif edit == "double":
                torn[at:at] = torn[at : at + chance.randrange(400)]
            else:
                del torn[at : at + chance.randrange(60)]
            if not torn:
                break
        attempt(name, bytes(torn))
        attempt(None, bytes(torn))


@pytest.mark.parametrize("name", [*REAL, "ringmaster"])
@given(seed=st.integers(0, 2**32))
@example(seed=5856)  # the id of a vulnerability in Inspector's finding becomes an empty text
@settings(max_examples=80, deadline=None)
def test_a_report_with_any_value_in_any_place_is_read_or_refused(name: str, seed: int, real_data: Path) -> None:
    chance = random.Random(seed)
    for body in (body for own, body in documents(real_data) if own == name and body[:1] in b"{[\xef"):
        path = chance.choice(list(places(json.loads(body))))
        attempt(name, altered(body, path, chance.choice((*STRANGE, ...))))


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_report_is_never_taken_for_one_of_another_format(data: st.DataObject, real_data: Path) -> None:
    name, body = data.draw(st.sampled_from(list(documents(real_data))))
    other = data.draw(st.sampled_from([other for other in registry.READERS if other != name]))
    with pytest.raises(Refusal):
        registry.read(other, body)
    assert registry.detect(body.removeprefix(b"\xef\xbb\xbf")) == name
