"""VEX documents beside a policy: statements, or every fault with its place."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given

from shared.domain.image import DefinitionId
from shared.policy_file import PolicyFaults, read_file
from shared.policy_file.vex import VexFaults, read_vex
from tests.fuzz.budget import bounded, entrance
from tests.fuzz.mutation import damaged_bytes, documents_in
from tests.unit.policy_texts import MINIMAL

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "scanner"
DAY = "2026-05-01T00:00:00Z"
PACKAGE = "pkg:deb/ubuntu/openssl@3.0"
OPENVEX = {
    "@context": "https://openvex.dev/ns/v0.2.0", "@id": "urn:x", "author": "a", "timestamp": DAY, "version": 1,
    "statements": [
        {"vulnerability": {"name": "CVE-2026-1", "aliases": ["GHSA-1"]}, "status": "not_affected",
         "justification": "vulnerable_code_not_present", "last_updated": DAY, "status_notes": "x",
         "products": [{"@id": PACKAGE, "identifiers": {"purl": PACKAGE}, "subcomponents": [{"@id": "pkg:deb/a"}]},
                      "pkg:deb/b"], "subcomponents": []},
        {"vulnerability": "CVE-2026-2", "status": "affected", "products": [{"@id": "ubuntu"}]},
    ],
}  # fmt: skip
CYCLONEDX = {
    "bomFormat": "CycloneDX", "specVersion": "1.6",
    "metadata": {"timestamp": DAY, "authors": [{"name": "b"}], "supplier": {"name": "c"},
                 "component": {"name": "ubuntu", "bom-ref": "root"}},
    "components": [{"bom-ref": "lib", "name": "a", "purl": PACKAGE, "components": [{"bom-ref": "in", "name": "b"}]}],
    "vulnerabilities": [
        {"id": "CVE-2026-1", "references": [{"id": "GHSA-1"}], "affects": [{"ref": "lib", "versions": [
            {"version": "3.0", "status": "affected"}, {"range": "vers:deb/>1"}]}, {"ref": "urn:cdx:x/1#lib"}],
         "analysis": {"state": "not_affected", "justification": "code_not_reachable", "detail": "x",
                      "firstIssued": DAY, "lastUpdated": DAY}},
        {"id": "CVE-2026-2", "analysis": {"state": "in_triage"}},
    ],
}  # fmt: skip
PUBLISHED = [
    *documents_in(DATA / "cyclonedx-bom-examples" / "VEX", "*.json", most=6, largest=8000),
    *documents_in(DATA / "defectdojo-scans" / "openvex", "*.json", most=2, largest=8000),
]
DOCUMENTS = [OPENVEX, CYCLONEDX, OPENVEX, CYCLONEDX, *PUBLISHED]
TEXT = MINIMAL.replace("    rings:\n", "    vex: [{file: a.json}]\n    rings:\n")


@entrance
@given(damaged_bytes(DOCUMENTS))
def test_a_document_is_statements_or_its_faults_are_told(body: bytes) -> None:
    with bounded(len(body)):
        document, told = None, ()
        try:
            document = read_vex(body)
        except VexFaults as faults:
            told = faults.faults
    if document is None:
        assert told
        assert all(str(fault).encode() and fault.line >= 1 for fault in told)
        return
    for statement in document.statements:
        assert statement.names[0].strip()
        assert statement.at.tzinfo is not None
        assert statement.reason


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("policy")
    (made / "promotion.yaml").write_text(TEXT)
    return made


@entrance
@given(body=damaged_bytes(DOCUMENTS))
def test_a_policy_with_a_document_is_read_or_its_faults_are_told(folder: Path, body: bytes) -> None:
    (folder / "a.json").write_bytes(body)
    with bounded(len(body)):
        try:
            policy = read_file(folder / "promotion.yaml")
        except PolicyFaults as faults:
            str(faults).encode()
            return
    (definition,) = policy.definitions.values()
    assert isinstance(definition.source, DefinitionId)
    for exception in definition.scan.exceptions:
        assert exception.owner
        assert exception.expires > datetime.min.replace(tzinfo=UTC)


def test_sound_documents_are_read() -> None:
    for document in (OPENVEX, CYCLONEDX):
        assert len(read_vex(json.dumps(document).encode()).statements) == 2
