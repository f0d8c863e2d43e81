"""Whether the policy's sizes can boot the version in every ring."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.adapters.memory.size_list import SIZES
from shared.domain.boot_test.machine_sizes import Sizes
from shared.domain.facts import ResourceRange
from shared.domain.policy import BootRules, DefinitionPolicy
from shared.domain.validation.verdict import ValidationOutcome, ValidationVerdict, validate
from tests.unit.domain.test_validation import DEFINITION, FACTS, NOW, POLICY, codes, target

REGIONS: dict[str, Sizes] = {"westeurope": SIZES, "eastus": SIZES}


def judged(
    *sizes: str, policy: DefinitionPolicy = POLICY, facts: Any = FACTS, known: dict[str, Sizes] = REGIONS, **boot: Any
) -> ValidationVerdict:
    rules = BootRules(**({"vm_sizes": sizes} if sizes else {}), **boot)
    return validate(replace(facts, sizes=known), replace(policy, boot=rules), now=NOW)


def test_a_size_that_boots_everywhere_is_not_told() -> None:
    assert judged() == ValidationVerdict(ValidationOutcome.PASS)


def test_a_size_that_cannot_boot_the_image_is_an_error_that_is_waited_for() -> None:
    verdict = judged("Standard_D2ps_v6")
    assert (verdict.outcome, codes(verdict)) == (ValidationOutcome.WAIT, ["error:vm-size"] * 3)
    assert verdict.texts == (
        "the smoke test has no size that can boot the image: Standard_D2ps_v6: it is Arm64, but the image is x64: use "
        "an x64 size (westeurope)",
        "the boot test of the ring 'canary' has no size that can boot the image: Standard_D2ps_v6: it is Arm64, but "
        "the image is x64: use an x64 size (westeurope)",
        "the boot test of the ring 'production' has no size that can boot the image: Standard_D2ps_v6: it is Arm64, "
        "but the image is x64: use an x64 size (eastus)",
    )


def test_a_version_that_is_wrong_itself_is_rejected_all_the_same() -> None:
    assert FACTS.version is not None
    facts = replace(FACTS, version=replace(FACTS.version, os_disk_gb=9999))
    assert judged("Standard_D2ps_v6", facts=facts).outcome is ValidationOutcome.REJECT


def test_each_ring_is_judged_by_its_own_definition() -> None:
    features = {"SecurityType": "ConfidentialVM"}
    texts = [each.text for each in judged(facts=target(features=features)).findings if each.code == "vm-size"]
    assert len(texts) == 1
    assert "ring 'production'" in texts[0]
    assert "security type ConfidentialVM" in texts[0]


def test_a_ring_without_a_boot_test_is_not_judged() -> None:
    rings = (POLICY.rings[0], replace(POLICY.rings[1], boot_test=False))
    verdict = judged("Standard_D2s_v6", policy=replace(POLICY, rings=rings))
    assert [each.split(" has ")[0] for each in verdict.texts] == [
        "the smoke test",
        "the boot test of the ring 'canary'",
    ]


def test_one_size_that_can_is_enough() -> None:
    verdict = judged("Standard_D2ps_v6", "Standard_D2s_v5")
    assert verdict.outcome is ValidationOutcome.PASS
    assert codes(verdict) == ["warning:vm-size-unusable"] * 3


def test_sizes_of_a_region_count_there_alone() -> None:
    verdict = judged(vm_sizes_in={"eastus": ("Standard_D2ps_v6",)})
    assert codes(verdict) == ["error:vm-size"]
    assert "(eastus)" in verdict.texts[0]


def test_a_size_that_the_region_does_not_offer_is_an_error() -> None:
    verdict = judged("Standard_D2s_v55")
    assert codes(verdict) == ["error:vm-size"] * 3
    assert "Azure does not offer it in the region" in verdict.texts[0]


def test_a_restriction_of_the_subscription_is_no_fault_of_the_image() -> None:
    name = "standard_d2s_v5"
    restricted = {**SIZES, name: replace(SIZES[name], restricted="NotAvailableForSubscription")}
    verdict = judged(known={"eastus": restricted})
    assert (verdict.outcome, codes(verdict)) == (ValidationOutcome.PASS, ["warning:vm-size-restricted"])
    assert "NotAvailableForSubscription" in verdict.texts[0]


@pytest.mark.parametrize("recommended", [{"vCPUs": ResourceRange(4)}, {"memory": ResourceRange(None, 4)}], ids=str)
def test_a_size_outside_the_recommendation_is_a_warning(recommended: dict[str, ResourceRange]) -> None:
    facts = replace(target(recommended=recommended), definition=replace(DEFINITION, recommended=recommended))
    assert codes(judged(facts=facts)) == ["warning:vm-size-not-recommended"] * 3


def test_a_region_whose_sizes_are_not_known_is_not_judged() -> None:
    assert judged("Standard_D2ps_v6", known={"eastus": {}}).findings == ()


def test_sizes_that_may_not_be_listed_are_a_warning() -> None:
    verdict = judged(facts=replace(FACTS, sizes_unread="AuthorizationFailed: no"), known={})
    assert (verdict.outcome, codes(verdict)) == (ValidationOutcome.PASS, ["warning:vm-sizes-unread"])
    assert "Microsoft.Compute/skus/read" in verdict.texts[0]
