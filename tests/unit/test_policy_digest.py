"""What evidence is bound to: everything that can change a verdict, and nothing else."""

from __future__ import annotations

import pytest

from shared.domain.image import DefinitionId
from shared.policy_file import load_policy
from tests.unit.policy_texts import BUILD, MINIMAL, only


class TestDigest:
    def digest(self, text: str) -> str:
        return only(load_policy(text, name="p")).digest

    def test_spelling_comments_casing_and_order_of_regions_do_not_count(self) -> None:
        text = MINIMAL.replace("[westeurope]", "[westeurope, eastus]")
        same = "# a comment\n" + text.replace("[westeurope, eastus]", "[East US, {name: West Europe, replicas: 1}]")
        same = same.replace(BUILD, BUILD.upper()).replace("rg-net", "RG-NET").replace("rg-test", "RG-Test")
        same = same.replace("    rings:\n", "    scan: {limits: {high: 0, critical: 0}, maxAge: 168h}\n    rings:\n")
        assert self.digest(text) == self.digest(same)

    @pytest.mark.parametrize(
        "change",
        [
            ("[westeurope]", "[eastus]"),
            ("[westeurope]", "[{name: westeurope, replicas: 2}]"),
            ("- name: canary", "- name: canary\n        bake: 1m"),
            ("- name: canary", "- name: canary\n        bootTest: false"),
            ("rg-test", "rg-test2"),
            ("vnet-{region}", "net-{region}"),
            ("    rings:\n", "    scan: {onlyFixable: true}\n    rings:\n"),
            ("    rings:\n", "    boot: {vmSize: Standard_D4s_v5}\n    rings:\n"),
            ("    rings:\n", "    validation: {requiredTags: {a: b}}\n    rings:\n"),
            ("version: 1\n", "version: 1\nexceptions: [{id: CVE-2024-1, owner: a, reason: b, expires: 2027-01-01}]\n"),
        ],
        ids=lambda change: change[1].strip()[:40],
    )
    def test_whatever_can_change_a_verdict_changes_it(self, change: tuple[str, str]) -> None:
        assert self.digest(MINIMAL) != self.digest(MINIMAL.replace(*change))

    @pytest.mark.parametrize(
        "change",
        [
            ("    rings:\n", "    events: milestones\n    rings:\n"),
            ("    rings:\n", "    drift: repair\n    rings:\n"),
            ("- name: canary", "- name: canary\n        standby: true"),
            ("- name: canary", "- name: canary\n        fleet: {vms: 200}"),
            (
                "version: 1\n",
                "version: 1\nprices: {asOf: 2026-11-01, currency: EUR, perGbMonth: {Standard_LRS: 0.05}}\n",
            ),
        ],
        ids=lambda change: change[1].strip()[:40],
    )
    def test_what_is_only_told_or_planned_changes_nothing(self, change: tuple[str, str]) -> None:
        assert self.digest(MINIMAL) == self.digest(MINIMAL.replace(*change))

    def test_it_is_the_same_in_every_process_and_release(self) -> None:
        # Evidence of releases under way is bound to it. A new value is a new DIGEST_FORMAT, or a new key or default.
        assert self.digest(MINIMAL) == "85cbb8b60c3e097b07ce75628cba510d1f669eee09878f5e8ca4907b4805224e"

    def test_what_follows_a_revocation_and_where_users_are_looked_for_do_not_count(self) -> None:
        other = MINIMAL.replace("    rings:\n", "    revocation: {descendants: revoke}\n    rings:\n")
        other = other.replace("version: 1\n", "version: 1\ninUse: {resourceGraph: false}\n")
        assert self.digest(other) == self.digest(MINIMAL)

    @pytest.mark.parametrize("ahead", ["none", "next", "all"])
    def test_which_rings_are_filled_ahead_decides_nothing_about_an_image(self, ahead: str) -> None:
        filled = MINIMAL.replace("    rings:\n", f"    ahead: {ahead}\n    rings:\n")
        assert self.digest(filled) == self.digest(MINIMAL)
        assert only(load_policy(filled, name="p")).ahead == ahead

    def test_another_definition_does_not_count(self) -> None:
        more = f"  - name: windows\n    source: {BUILD}/images/windows\n    rings: [{{name: a, regions: [eastus]}}]\n"
        both = load_policy(MINIMAL + more, name="p")
        ubuntu = both.definitions[DefinitionId.parse(f"{BUILD}/images/ubuntu")]
        assert ubuntu.digest == self.digest(MINIMAL)

    def test_the_order_of_rings_counts(self) -> None:
        first, second = "{name: a, regions: [eastus]}", "{name: b, regions: [westus]}"
        ring = "      - name: canary\n        regions: [westeurope]\n"
        one = MINIMAL.replace(ring, f"      - {first}\n      - {second}\n")
        other = MINIMAL.replace(ring, f"      - {second}\n      - {first}\n")
        assert self.digest(one) != self.digest(other)
