"""VEX documents as a source of exceptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.domain.policy import ScanException
from shared.policy_file import PolicyFaults, load_policy, read_file
from shared.policy_file.vex import VexFaults, read_vex
from shared.policy_file.vex_statements import MAX_STATEMENTS
from tests.unit.policy_texts import BUILD, MINIMAL, only

DATA = Path(__file__).parents[3] / "shared" / "data" / "scanner"
DAY = "2026-05-01T00:00:00Z"
OPENSSL = "pkg:deb/ubuntu/openssl"


def openvex(*statements: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    head = {"@context": "https://openvex.dev/ns/v0.2.0", "@id": "urn:x", "author": "ada", "timestamp": DAY}
    return {**head, "version": 1, "statements": list(statements), **changes}


def statement(*products: Any, **changes: Any) -> dict[str, Any]:
    return {
        "vulnerability": {"name": "CVE-2026-1", "aliases": ["GHSA-1"]},
        "products": [{"@id": each} if isinstance(each, str) else each for each in products or (OPENSSL,)],
        "status": "not_affected",
        "justification": "vulnerable_code_not_present",
        **changes,
    }


def cyclonedx(*vulnerabilities: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    metadata = {"timestamp": DAY, "authors": [{"name": "grace"}], "component": {"name": "ubuntu", "bom-ref": "root"}}
    head = {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": metadata}
    return {**head, "vulnerabilities": list(vulnerabilities), **changes}


def vulnerability(ref: str = OPENSSL, **analysis: Any) -> dict[str, Any]:
    said = {"state": "not_affected", "justification": "code_not_reachable", **analysis}
    return {"id": "CVE-2026-1", "analysis": said, "affects": [{"ref": ref}]}


def exceptions(folder: Path, *documents: Mapping[str, Any], entry: str = "{{file: {file}}}") -> list[ScanException]:
    files = []
    for number, document in enumerate(documents):
        (folder / f"{number}.json").write_text(json.dumps(document))
        files.append(entry.format(file=f"{number}.json"))
    policy = folder / "promotion.yaml"
    policy.write_text(MINIMAL.replace("    rings:\n", f"    vex: [{', '.join(files)}]\n    rings:\n"))
    return list(only(read_file(policy)).scan.exceptions)


def faults(folder: Path, text: str) -> str:
    (folder / "a.json").write_text(text)
    (folder / "promotion.yaml").write_text(MINIMAL.replace("    rings:\n", "    vex: [a.json]\n    rings:\n"))
    with pytest.raises(PolicyFaults) as caught:
        read_file(folder / "promotion.yaml", name="p")
    return str(caught.value)


class TestOpenVex:
    def test_a_statement_is_an_exception_with_owner_reason_scope_and_expiry(self, tmp_path: Path) -> None:
        (found,) = exceptions(tmp_path, openvex(statement()))
        assert found == ScanException(
            "CVE-2026-1",
            "ada",
            "vulnerable_code_not_present",
            datetime(2027, 5, 1, tzinfo=UTC),
            package=OPENSSL,
            aliases=("GHSA-1",),
            source="0.json: statements[0]",
        )

    def test_the_policy_may_name_another_owner_and_a_shorter_time(self, tmp_path: Path) -> None:
        entry = "{{file: {file}, owner: lin, maxAge: 30d}}"
        (found,) = exceptions(tmp_path, openvex(statement()), entry=entry)
        assert (found.owner, found.expires) == ("lin", datetime(2026, 5, 31, tzinfo=UTC))

    @pytest.mark.parametrize(("status", "excuses"), [("fixed", 1), ("affected", 0), ("under_investigation", 0)])
    def test_only_what_is_not_affected_or_fixed_is_excused(self, tmp_path: Path, status: str, excuses: int) -> None:
        assert len(exceptions(tmp_path, openvex(statement(status=status)))) == excuses

    @pytest.mark.parametrize(
        "product", ["ubuntu", f"{BUILD}/images/ubuntu".upper(), f"https://management.azure.com{BUILD}/images/ubuntu"]
    )
    def test_a_product_that_is_this_definition_is_excused_as_a_whole(self, tmp_path: Path, product: str) -> None:
        (found,) = exceptions(tmp_path, openvex(statement(product)))
        assert found.package is None

    def test_a_part_of_this_definition_is_excused_alone(self, tmp_path: Path) -> None:
        product = {"@id": "ubuntu", "subcomponents": [{"@id": OPENSSL}]}
        (found,) = exceptions(tmp_path, openvex(statement(product)))
        assert found.package == OPENSSL

    @pytest.mark.parametrize(
        "product",
        ["windows", f"{BUILD}/images/windows", f"{BUILD}/images/ubuntu/versions/1.0.0",
         {"@id": "pkg:oci/nginx", "subcomponents": [{"@id": OPENSSL}]}],
    )  # fmt: skip
    def test_what_is_said_of_another_product_excuses_nothing(self, tmp_path: Path, product: Any) -> None:
        assert exceptions(tmp_path, openvex(statement(product))) == []

    def test_a_newer_statement_takes_an_older_one_back(self, tmp_path: Path) -> None:
        newer = openvex(statement(status="affected", timestamp="2026-06-01T00:00:00Z"))
        assert exceptions(tmp_path, newer, openvex(statement())) == []
        assert len(exceptions(tmp_path, openvex(statement(timestamp="2026-07-01T00:00:00Z")), newer)) == 1

    def test_of_two_statements_of_one_time_the_less_favourable_counts(self, tmp_path: Path) -> None:
        for pair in ((statement(), statement(status="affected")), (statement(status="affected"), statement())):
            assert exceptions(tmp_path, openvex(*pair)) == []


class TestCycloneDx:
    def test_an_analysis_is_an_exception(self, tmp_path: Path) -> None:
        (found,) = exceptions(tmp_path, cyclonedx(vulnerability()))
        assert (found.id, found.owner, found.reason, found.package) == (
            "CVE-2026-1", "grace", "code_not_reachable", OPENSSL,
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("state", "excuses"), [("resolved", 1), ("false_positive", 1), ("exploitable", 0), ("in_triage", 0)]
    )
    def test_states_that_excuse(self, tmp_path: Path, state: str, excuses: int) -> None:
        assert len(exceptions(tmp_path, cyclonedx(vulnerability(state=state)))) == excuses

    def test_a_reference_to_a_component_is_its_package(self, tmp_path: Path) -> None:
        components = [{"components": [{"bom-ref": "c1", "name": "openssl", "purl": f"{OPENSSL}@3"}]}]
        for ref in ("c1", "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#c1"):
            (found,) = exceptions(tmp_path, cyclonedx(vulnerability(ref), components=components))
            assert found.package == f"{OPENSSL}@3"

    def test_a_reference_to_the_document_s_subject_is_the_image_when_it_has_its_name(self, tmp_path: Path) -> None:
        (found,) = exceptions(tmp_path, cyclonedx(vulnerability("root")))
        assert found.package is None

    def test_a_vulnerability_without_an_analysis_says_nothing(self, tmp_path: Path) -> None:
        assert exceptions(tmp_path, cyclonedx({"id": "CVE-2026-1"})) == []

    def test_exact_versions_are_taken_and_ranges_excuse_nothing(self, tmp_path: Path) -> None:
        document = vulnerability()
        document["affects"][0]["versions"] = [{"version": "3.0.2"}, {"range": "vers:deb/<4"}]
        assert [each.package for each in exceptions(tmp_path, cyclonedx(document))] == [f"{OPENSSL}@3.0.2"]


class TestFaults:
    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"status": "fine"}, "statements[0].status: 'fine' is not one of not_affected"),
            ({"justification": None}, "not_affected requires a justification or an impact_statement"),
            ({"products": []}, "statements[0].products: does not name a product"),
            ({"vulnerability": {}}, "statements[0].vulnerability.name: a string is expected"),
            ({"timestamp": "yesterday"}, "statements[0].timestamp: 'yesterday' is not a plausible time"),
            ({"timestamp": "9999-12-31T23:59:59Z"}, "'9999-12-31T23:59:59Z' is not a plausible time"),
            ({"timestamp": "0001-01-01T00:00:00+14:00"}, "'0001-01-01T00:00:00+14:00' is not a plausible time"),
        ],
    )
    def test_a_statement_that_nobody_can_answer_for_is_a_fault(
        self, tmp_path: Path, change: dict[str, Any], told: str
    ) -> None:
        assert told in faults(tmp_path, json.dumps(openvex(statement(**change))))

    @pytest.mark.parametrize(
        "document",
        [
            openvex(statement(last_updated="soon"), timestamp=None),
            cyclonedx(vulnerability(firstIssued="soon"), metadata={}),
        ],
        ids=["openvex", "cyclonedx"],
    )
    def test_a_time_that_is_none_is_told_once(self, document: dict[str, Any]) -> None:
        with pytest.raises(VexFaults) as caught:
            read_vex(json.dumps(document).encode())
        assert [fault.message for fault in caught.value.faults] == ["'soon' is not a plausible time"]

    def test_a_fault_is_told_with_the_policy_s_line_and_the_document_s_own(self, tmp_path: Path) -> None:
        text = json.dumps(openvex(statement(status="fine")), indent="\t")
        line = next(number for number, each in enumerate(text.splitlines(), 1) if '"status"' in each)
        told = faults(tmp_path, text)
        assert told.startswith("p:9:11: definitions[0].vex[0]: a.json:")
        assert f"a.json:{line}:" in told

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("{", "a.json:1:2: is not JSON"),
            ("[]", "neither OpenVEX (@context) nor CycloneDX"),
            ('{"a": "' + "x" * 1024 * 1024 + '"}', "larger than 1048576 bytes"),
            ("[" * 100_000, "nested too deeply"),
            ("9" * 5_000, "a number with too many digits"),
            (json.dumps({**cyclonedx(), "vulnerabilities": [[]]}), "vulnerabilities[0]: an object is expected"),
        ],
        ids=["cut", "other", "large", "deep", "digits", "list"],
    )
    def test_what_is_no_vex_document_is_told(self, tmp_path: Path, text: str, told: str) -> None:
        assert told in faults(tmp_path, text)

    def test_a_file_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "promotion.yaml").write_text(MINIMAL.replace("    rings:\n", "    vex: [b.json]\n    rings:\n"))
        with pytest.raises(PolicyFaults, match=r"b\.json:1:1: cannot be read: No such file"):
            read_file(tmp_path / "promotion.yaml")

    def test_a_link_out_of_the_folder_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "secret.json").write_text(json.dumps(openvex(statement())))
        folder = tmp_path / "policy"
        folder.mkdir()
        (folder / "b.json").symlink_to(tmp_path / "secret.json")
        (folder / "promotion.yaml").write_text(MINIMAL.replace("    rings:\n", "    vex: [b.json]\n    rings:\n"))
        with pytest.raises(PolicyFaults, match="is outside the policy's folder"):
            read_file(folder / "promotion.yaml")

    def test_a_document_without_author_needs_an_owner(self, tmp_path: Path) -> None:
        told = faults(tmp_path, json.dumps(openvex(statement(), author=None)))
        assert "a.json does not name an author: set owner" in told

    def test_a_document_of_more_statements_than_anybody_reads_is_refused(self) -> None:
        many = [{"status": "fixed"}] * (MAX_STATEMENTS + 1)
        with pytest.raises(VexFaults, match="5001 entries"):
            read_vex(json.dumps(openvex(*many)).encode())


def test_what_a_document_says_is_part_of_the_digest(tmp_path: Path) -> None:
    exceptions(tmp_path, openvex(statement()))
    one = only(read_file(tmp_path / "promotion.yaml")).digest
    exceptions(tmp_path, openvex(statement(status="affected")))
    assert only(read_file(tmp_path / "promotion.yaml")).digest != one


def test_a_document_for_all_definitions_speaks_to_those_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(openvex(statement("windows"), statement())))
    more = f"  - name: windows\n    source: {BUILD}/images/windows\n    rings: [{{name: a, regions: [eastus]}}]\n"
    (tmp_path / "promotion.yaml").write_text(MINIMAL + more + "vex: [a.json]\n")
    policy = read_file(tmp_path / "promotion.yaml")
    counts = {each.name: len(each.scan.exceptions) for each in policy.definitions.values()}
    assert counts == {"ubuntu": 1, "windows": 2}


def test_a_ring_overrides_what_it_names_and_nothing_else() -> None:
    own = "- name: canary\n        scan: {limits: {critical: 0, high: 9}, maxScore: 7, noNew: [critical]}"
    text = MINIMAL.replace("- name: canary", own).replace("    rings:\n", "    scan: {onlyFixable: true}\n    rings:\n")
    definition = only(load_policy(text, name="p"))
    rules = definition.rings[0].scan
    assert rules is not None
    assert (rules.limits, rules.max_score, rules.no_new) == ({"critical": 0, "high": 9}, 7, ("critical",))
    assert (rules.only_fixable, definition.scan.max_score, definition.scan.no_new) == (True, None, ())


@pytest.mark.parametrize(
    "file", sorted(DATA.glob("openvex-vexctl/examples/openvex/*.json")), ids=lambda file: file.name
)
def test_published_openvex_documents_are_read(file: Path) -> None:
    document = json.loads(file.read_bytes())
    assert len(read_vex(file.read_bytes()).statements) == len(document["statements"])


@pytest.mark.parametrize(
    "file",
    sorted(DATA.glob("cyclonedx-bom-examples/VEX/*/*/vex*.json")),
    ids=lambda file: f"{file.parts[-3]}-{file.parts[-2]}",
)
def test_published_cyclonedx_documents_are_read_or_refused_for_want_of_a_reason_or_a_time(file: Path) -> None:
    document = json.loads(file.read_bytes())
    stated = [each for each in document["vulnerabilities"] if "analysis" in each]
    undated = "timestamp" not in document.get("metadata", {})
    groundless = [each for each in stated if not {"justification", "detail"} & each["analysis"].keys()]
    if undated or any(each["analysis"]["state"] in {"not_affected", "false_positive"} for each in groundless):
        with pytest.raises(VexFaults, match=r"requires a justification or a detail|has no time"):
            read_vex(file.read_bytes())
    else:
        assert len(read_vex(file.read_bytes()).statements) == len(stated)


def test_every_format_that_is_read_can_be_named_in_a_policy_and_no_other() -> None:
    from typing import get_args

    from shared.domain.scan_formats import SCAN_FORMATS
    from shared.policy_file.scan_models import Format
    from shared.scanners.registry import READERS

    assert set(SCAN_FORMATS) == set(READERS) == set(get_args(Format))
