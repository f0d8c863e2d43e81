# ruff: noqa: E501 - a table of cases reads better with one line a case
"""The policy file: what is taken, and that every fault is told with its line."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from shared.domain.image import DefinitionId
from shared.domain.policy import FailedRescanAction, Severity
from shared.policy_file import PolicyFaults, load_policy
from tests.unit.policy_texts import BUILD, MINIMAL, PROD, SAMPLE, only


def faults_of(text: str) -> list[str]:
    with pytest.raises(PolicyFaults) as caught:
        load_policy(text, name="p.yaml")
    return [f"{fault.line}: {fault.path}: {fault.message}" for fault in caught.value.faults]


def changed(change: Callable[[dict[str, Any]], None], text: str = MINIMAL) -> str:
    document = yaml.safe_load(text)
    change(document)
    return yaml.safe_dump(document, sort_keys=False)


class TestTheSample:
    def test_has_two_definitions_of_three_rings_in_two_galleries(self) -> None:
        policy = load_policy(SAMPLE, name="promotion.yaml")
        assert [definition.name for definition in policy.definitions.values()] == ["ubuntu-22-04", "windows-2022"]
        for definition in policy.definitions.values():
            assert [ring.name for ring in definition.rings] == ["canary", "early", "production"]
            assert [ring.bake for ring in definition.rings] == [timedelta(0), timedelta(minutes=30), timedelta(hours=2)]
            assert all(len(ring.regions) >= 2 for ring in definition.rings)
            assert definition.ring("canary").definition == definition.source
            assert str(definition.ring("production").definition.gallery) == PROD.lower()
            assert definition.ring("production").definition.name == definition.source.name

    def test_exceptions_of_everywhere_and_of_a_definition_apply_to_it(self) -> None:
        ubuntu, windows = load_policy(SAMPLE, name="promotion.yaml").definitions.values()
        assert {e.id for e in ubuntu.scan.exceptions} == {"CVE-2016-2781", "CVE-2019-1010022"}
        assert {e.id for e in windows.scan.exceptions} == {"CVE-2019-1010022"}

    def test_an_exception_lasts_to_the_end_of_its_day_in_utc(self) -> None:
        ubuntu = next(iter(load_policy(SAMPLE, name="promotion.yaml").definitions.values()))
        expires = next(e.expires for e in ubuntu.scan.exceptions if e.id == "CVE-2016-2781")
        assert datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC) < expires < datetime(2027, 7, 1, tzinfo=UTC)


class TestDefaults:
    def test_a_minimal_file_has_strict_defaults(self) -> None:
        definition = only(load_policy(MINIMAL, name="p"))
        assert definition.scan.limits == {Severity.CRITICAL: 0, Severity.HIGH: 0}
        assert definition.rings[0].boot_test
        assert not definition.scan.trust_suppressions
        assert not definition.scan.allow_end_of_life_os

    def test_a_region_by_display_name_is_the_same_region(self) -> None:
        text = MINIMAL.replace("[westeurope]", "[West Europe, {name: North Europe, replicas: 3}]")
        regions = only(load_policy(text, name="p")).rings[0].regions
        assert [(region.name, region.replicas) for region in regions] == [("westeurope", 1), ("northeurope", 3)]

    def test_a_region_that_the_policy_names_itself_is_taken(self) -> None:
        text = MINIMAL.replace("[westeurope]", "[usgovvirginia]") + "regions: [usgovvirginia]\n"
        assert only(load_policy(text, name="p")).rings[0].region_names == ("usgovvirginia",)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("30m", timedelta(minutes=30)),
            ("4h", timedelta(hours=4)),
            ("7d", timedelta(days=7)),
            ("90s", timedelta(seconds=90)),
            ("0", timedelta(0)),
            ('"0"', timedelta(0)),
        ],
    )
    def test_durations_are_a_number_with_a_unit_or_nought(self, text: str, expected: timedelta) -> None:
        text = MINIMAL.replace("- name: canary", f"- name: canary\n        bake: {text}")
        assert only(load_policy(text, name="p")).rings[0].bake == expected

    def test_an_alias_repeats_a_section(self) -> None:
        text = MINIMAL.replace("regions: [westeurope]", "regions: &all [westeurope]") + (
            f"  - name: windows\n    source: {BUILD}/images/windows\n    rings: [{{name: canary, regions: *all}}]\n"
        )
        assert len(load_policy(text, name="p").definitions) == 2

    def test_a_definition_of_another_name_can_be_the_target(self) -> None:
        text = MINIMAL + f"      - name: prod\n        definition: {PROD}/images/other\n        regions: [eastus]\n"
        assert only(load_policy(text, name="p")).rings[1].definition == DefinitionId.parse(f"{PROD}/images/other")


SINGLE_FAULTS = {
    "unknown key with a hint": ("    rings:\n", "    scann: {}\n    rings:\n", "9: definitions[0].scann: unknown key. Did"),
    "unknown region with a hint": ("[westeurope]", "[westeurop]", "Did you mean 'westeurope'?"),
    "region of another cloud": ("[westeurope]", "[usgovvirginia]", "is not a region of the public Azure cloud"),
    "duration without a unit": ("- name: canary", "- name: canary\n        bake: 30", "30 is not a duration"),
    "duration true": ("- name: canary", "- name: canary\n        bake: false", "is not a duration"),
    "negative duration": ("- name: canary", "- name: canary\n        bake: -5m", "is not a duration"),
    "bake of years": ("- name: canary", "- name: canary\n        bake: 900d", "out of range"),
    "empty regions": ("[westeurope]", "[]", "regions: must not be empty"),
    "regions missing": ("        regions: [westeurope]\n", "", "rings[0].regions: is missing"),
    "number where text is due": ("- name: ubuntu", "- name: 2204", "a string is expected, not a number. Put the value in quotes"),
    "text where a list is due": ("[westeurope]", "westeurope", "a list is expected, not a string"),
    "list where a section is due": ("    rings:\n", "    scan: []\n    rings:\n", "a mapping is expected, not a list"),
    "no replicas": ("[westeurope]", "[{name: westeurope, replicas: 0}]", "greater than or equal to 1"),
    "too many replicas in a region": ("[westeurope]", "[{name: westeurope, replicas: 51}]", "less than or equal to 50"),
    "storage that doesn't exist": ("[westeurope]", "[{name: westeurope, storage: ZRS}]", "'Standard_ZRS'"),
    "region named twice in a ring": ("[westeurope]", "[westeurope, West Europe]", "westeurope occurs twice"),
    "source isn't a definition": ("/images/ubuntu", "", "is not an image definition id"),
    "gallery isn't one": ("- name: canary", "- {name: x, gallery: /gal, regions: [eastus]}\n      - name: canary", "is not a gallery id"),
    "negative limit": ("    rings:\n", "    scan: {limits: {critical: -1}}\n    rings:\n", "greater than or equal to 0"),
    "limits without critical": ("    rings:\n", "    scan: {limits: {high: 1}}\n    rings:\n", "limits.critical: is missing"),
    "unknown format": ("    rings:\n", "    scan: {formats: [gripe]}\n    rings:\n", "should be 'trivy'"),
    "required format that isn't taken": ("    rings:\n", "    scan: {required: [Grype]}\n    rings:\n", "but is not in formats"),
    "score out of bounds": ("    rings:\n", "    scan: {maxScore: 10.5}\n    rings:\n", "less than or equal to 10"),
    "EPSS in per cent": ("    rings:\n", "    scan: {maxEPSS: 20}\n    rings:\n", "less than or equal to 1"),
    "unknown action for a failed rescan": ("    rings:\n", "    scan: {onFailedRescan: delete}\n    rings:\n", "should be 'alert', 'hold' or 'revoke'"),
    "VEX document elsewhere": ("    rings:\n", "    vex: [../vex.json]\n    rings:\n", "in the policy's folder or below it"),
    "VEX document of no folder": ("    rings:\n", "    vex: [vex.json]\n    rings:\n", "a policy that is read from a file"),
    "ring with a deadline of its own": ("- name: canary", "- name: canary\n        scan: {deadline: 1h}", "unknown key"),
    "tag pattern that doesn't compile": ("    rings:\n", "    validation: {requiredTags: {a: '['}}\n    rings:\n", "not a regular expression"),
    "tag pattern that looks ahead": ("    rings:\n", "    validation: {requiredTags: {a: '(?=b)b'}}\n    rings:\n", "Lookahead and lookbehind are not supported"),
    "tag pattern too long": ("    rings:\n", f"    validation: {{requiredTags: {{a: '{'a' * 201}'}}}}\n    rings:\n", "201 characters"),
    "smallest disk above largest": ("    rings:\n", "    validation: {minDiskGB: 9, maxDiskGB: 8}\n    rings:\n", "minDiskGB is larger"),
    "subnet that isn't one": ("subnets/default", "subnet/default", "is not a subnet id"),
    "unknown placeholder in subnet": ("{region}", "{location}", "is not a subnet id"),
    "another version of the format": ("version: 1", "version: 2", "version: input should be 1"),
    "an ill name": ("- name: ubuntu", "- name: Ubuntu 22", "does not match"),
    "merge key": ("- name: canary", "- <<: {bake: 1h}\n        name: canary", "merge keys (<<) are not supported"),
    "python tag": ("- name: ubuntu", "- name: !!python/name:os.system x", "is not supported here"),
    "key twice": ("- name: canary", "- name: canary\n        name: early", "11: definitions[0].rings[0].name: duplicate key; it first occurs in line 10"),
    "two documents": ("definitions:", "---\ndefinitions:", "not YAML"),
    "not YAML": ("definitions:", "definitions: ]", "6: : not YAML"),
    "test group holds the gallery": ("rg-test", "RG-Images", "4: test.resourceGroup: the gallery 'gal_build' is in this"),
    "subnet in another subscription": ("subnet: /subscriptions/00000000-0000-4000-8000-000000000001", "subnet: /subscriptions/00000000-0000-4000-8000-000000000002", "is in another subscription"),
    "one subnet for two regions": ("vnet-{region}", "vnet", ""),
    "gallery and definition": ("- name: canary", f"- name: canary\n        gallery: {PROD}\n        definition: {PROD}/images/x", "not both"),
}  # fmt: skip


@pytest.mark.parametrize("case", [name for name in SINGLE_FAULTS if SINGLE_FAULTS[name][2]])
def test_one_fault_is_told_once_and_alone(case: str) -> None:
    old, new, expected = SINGLE_FAULTS[case]
    assert MINIMAL.count(old) == 1
    (fault,) = faults_of(MINIMAL.replace(old, new))
    assert expected in fault


def test_one_subnet_can_only_serve_one_region() -> None:
    load_policy(MINIMAL.replace("vnet-{region}", "vnet"), name="p")
    (fault,) = faults_of(MINIMAL.replace("vnet-{region}", "vnet").replace("[westeurope]", "[westeurope, eastus]"))
    assert "5: test.subnet: is one subnet for 2 regions" in fault


class TestComparisons:
    def add(self, text: str) -> list[str]:
        return faults_of(MINIMAL + text)

    def test_rings_of_one_gallery_must_not_share_a_region(self) -> None:
        (fault,) = self.add("      - name: early\n        regions: [eastus, West Europe]\n")
        assert fault.startswith(
            "13: definitions[0].rings[1].regions[1]: westeurope already belongs to the ring 'canary'"
        )

    def test_rings_in_different_galleries_may_share_a_region(self) -> None:
        text = MINIMAL + f"      - name: prod\n        gallery: {PROD}\n        regions: [westeurope]\n"
        assert len(only(load_policy(text, name="p")).rings) == 2

    def test_the_source_gallery_named_in_other_casing_is_still_the_same(self) -> None:
        (fault,) = self.add(f"      - name: early\n        gallery: {BUILD.upper()}\n        regions: [westeurope]\n")
        assert "must not overlap" in fault

    def test_ring_names_are_unique_in_a_definition(self) -> None:
        (fault,) = self.add("      - name: canary\n        regions: [eastus]\n")
        assert fault.startswith("12: definitions[0].rings[1].name: rings[0] already has the name 'canary'")

    def test_definitions_have_names_and_sources_of_their_own(self) -> None:
        rest = "    rings: [{name: a, regions: [eastus]}]\n"
        faults = self.add(f"  - name: ubuntu\n    source: {BUILD.upper()}/IMAGES/UBUNTU\n{rest}")
        assert ["definitions[1].name" in faults[0], "definitions[1].source" in faults[1]] == [True, True]

    def test_a_ring_must_not_copy_to_the_source_of_another_definition(self) -> None:
        other = f"  - name: second\n    source: {PROD}/images/ubuntu\n    rings: [{{name: a, regions: [eastus]}}]\n"
        (fault,) = self.add(f"      - name: prod\n        gallery: {PROD}\n        regions: [eastus]\n{other}")
        assert "copies to the source of definitions[1]" in fault

    def test_two_definitions_must_not_copy_to_the_same_place(self) -> None:
        ring = f"name: prod, definition: {PROD}/images/all, regions: [eastus]"
        second = f"  - name: second\n    source: {BUILD}/images/second\n    rings: [{{{ring}}}]\n"
        (fault,) = self.add(f"      - {{{ring}}}\n{second}")
        assert "as definitions[0] does" in fault

    def test_a_version_has_at_most_a_hundred_replicas_in_a_gallery(self) -> None:
        (fault,) = self.add(
            "      - name: more\n        regions: [{name: eastus, replicas: 50}, {name: westus, replicas: 50}]\n"
        )
        assert "would have 101 replicas" in fault

    def test_replicas_in_another_gallery_are_counted_apart(self) -> None:
        more = "regions: [{name: eastus, replicas: 50}, {name: westus, replicas: 50}]"
        load_policy(MINIMAL + f"      - name: prod\n        gallery: {PROD}\n        {more}\n", name="p")

    def test_the_test_group_must_not_hold_a_gallery_that_a_ring_copies_to(self) -> None:
        text = changed(
            lambda d: d["definitions"][0]["rings"].append({"name": "p", "gallery": PROD, "regions": ["eastus"]})
        )
        text = text.replace(
            "subscription: 00000000-0000-4000-8000-000000000001", "subscription: 00000000-0000-4000-8000-000000000002"
        )
        text = text.replace(
            "subnet: /subscriptions/00000000-0000-4000-8000-000000000001",
            "subnet: /subscriptions/00000000-0000-4000-8000-000000000002",
        )
        (fault,) = faults_of(text.replace("rg-test", "rg-prod"))
        assert "the gallery 'gal_prod' is in this resource group" in fault


class TestExceptions:
    @pytest.mark.parametrize("missing", ["owner", "reason", "expires", "id"])
    def test_an_exception_needs_all_of_id_owner_reason_and_day(self, missing: str) -> None:
        exception = {"id": "CVE-2024-1", "owner": "ada", "reason": "because", "expires": "2027-01-01"}
        del exception[missing]
        flow = ", ".join(f"{key}: {value}" for key, value in exception.items())
        (fault,) = faults_of(MINIMAL + f"exceptions:\n  - {{{flow}}}\n")
        assert fault == f"13: exceptions[0].{missing}: is missing"

    @pytest.mark.parametrize("day", ["soon", "2027-13-01", "2027-01-01T00:00:00Z", "20270101"])
    def test_the_day_is_a_date(self, day: str) -> None:
        entry = f"  - {{id: CVE-2024-1, owner: a, reason: b, expires: {day}}}\n"
        (fault,) = faults_of(MINIMAL + "exceptions:\n" + entry)
        assert fault.startswith("13: exceptions[0].expires: ")

    def test_one_exception_for_the_same_thing_is_enough(self) -> None:
        entry = "  - {id: CVE-2024-1, owner: a, reason: b, expires: 2027-01-01}\n"
        (fault,) = faults_of(MINIMAL + "exceptions:\n" + entry + entry.replace("CVE", "cve"))
        assert "14: exceptions[1]: exceptions[0] has the same id and package" in fault

    def test_an_expired_exception_is_no_fault_of_the_file(self) -> None:
        entry = "  - {id: CVE-2024-1, owner: a, reason: b, expires: 2020-01-01}\n"
        assert only(load_policy(MINIMAL + "exceptions:\n" + entry, name="p")).scan.exceptions


class TestAllAtOnce:
    def test_faults_of_shape_and_of_comparison_are_told_together_in_order(self) -> None:
        text = MINIMAL.replace("rg-test", "rg-images").replace("    rings:\n", "    sources: x\n    rings:\n")
        text += "      - name: early\n        bake: soon\n        regions: [westeurope, nowhere]\n"
        faults = faults_of(text)
        assert [fault.split(": ")[1] for fault in faults] == [
            "test.resourceGroup",
            "definitions[0].sources",
            "definitions[0].rings[1].bake",
            "definitions[0].rings[1].regions[0]",
            "definitions[0].rings[1].regions[1].name",
        ]
        assert [int(fault.split(":")[0]) for fault in faults] == [4, 9, 14, 15, 15]

    def test_the_text_of_the_error_names_file_line_and_column(self) -> None:
        with pytest.raises(PolicyFaults) as caught:
            load_policy(MINIMAL.replace("[westeurope]", "[x]"), name="some/file.yaml")
        assert str(caught.value).startswith("some/file.yaml:11:19: definitions[0].rings[0].regions[0].name: 'x' is not")


class TestHostileText:
    def test_an_alias_bomb_is_refused(self) -> None:
        bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
        )
        (fault,) = faults_of(bomb)
        assert "more than 50000 nodes" in fault

    def test_an_alias_into_itself_is_refused(self) -> None:
        (fault,) = faults_of("a: &a [1, *a]\n")
        assert "refers to itself" in fault

    @pytest.mark.parametrize("text", ["[" * 100_000, "- " * 20_000 + "x", "{a: " * 5000])
    def test_deep_nesting_is_refused_without_exhausting_the_stack(self, text: str) -> None:
        (fault,) = faults_of(text)
        assert "nested more than 32 levels deep" in fault

    def test_a_file_over_a_mebibyte_is_refused(self) -> None:
        (fault,) = faults_of(MINIMAL + "#" * 1024 * 1024)
        assert "larger than" in fault

    @pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
    def test_an_empty_file_is_refused(self, text: str) -> None:
        assert faults_of(text)

    @pytest.mark.parametrize("text", ["true", "[]", "just text", "\x00", "%YAML", "a: \ud800", "1: &x !!set {a, b}"])
    def test_what_is_no_policy_is_refused_with_a_reason(self, text: str) -> None:
        assert faults_of(text)

    def test_a_large_list_of_exceptions_is_read_quickly(self) -> None:
        entries = "".join(f"  - {{id: CVE-2024-{i}, owner: a, reason: b, expires: 2027-01-01}}\n" for i in range(5000))
        began = time.process_time()
        policy = load_policy(MINIMAL + "exceptions:\n" + entries, name="p")
        assert len(only(policy).scan.exceptions) == 5000
        assert time.process_time() - began < 10


class TestFormerNames:
    @pytest.mark.parametrize("key", ["onFailedRescan", "dayAfter"])
    def test_a_policy_of_0_1_0_is_still_read(self, key: str) -> None:
        text = MINIMAL.replace("    rings:\n", f"    scan: {{{key}: revoke}}\n    rings:\n")
        assert only(load_policy(text, name="p")).scan.on_failed_rescan is FailedRescanAction.REVOKE

    def test_the_former_name_beside_the_new_one_is_a_fault(self) -> None:
        text = MINIMAL.replace("    rings:\n", "    scan: {onFailedRescan: alert, dayAfter: hold}\n    rings:\n")
        with pytest.raises(PolicyFaults, match=r"scan\.dayAfter: unknown key"):
            load_policy(text, name="p")

    def test_a_wrong_value_under_the_former_name_is_placed(self) -> None:
        text = MINIMAL.replace("    rings:\n", "    scan: {dayAfter: delete}\n    rings:\n")
        with pytest.raises(PolicyFaults, match=r"scan\.dayAfter: .*'alert', 'hold' or 'revoke'"):
            load_policy(text, name="p")
