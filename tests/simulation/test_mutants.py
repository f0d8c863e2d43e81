"""The simulation can fail: with each protection switched off, it finds a broken law."""

import pytest

from local.simulation.laws import Law, Violation
from local.simulation.mutants import MUTANTS, with_ring_scans
from local.simulation.simulator import Mutant, simulate

BUDGET = 120
"""Seeds for each mutant."""


def first_violation(protection: str, *laws: Law) -> Violation:
    """The first violation of these laws, or of any."""
    for seed in map(str, range(1, BUDGET + 1)):
        for violation in simulate(seed, mutant=MUTANTS[protection]()).violations:
            if violation.law in (laws or Law):
                return violation
    pytest.fail(f"no law was broken in {BUDGET} seeds without the {protection}")


@pytest.mark.parametrize("protection", MUTANTS)
def test_the_simulation_detects_a_protection_that_is_switched_off(protection: str) -> None:
    assert first_violation(protection)


def test_missing_proof_is_found_although_the_app_finds_none_missing() -> None:
    violation = first_violation("proof check")
    assert violation.law is Law.PROOF
    assert "lacks scan/ring-" in violation.text


@pytest.mark.parametrize("protection", ["hiding of replicas", "proof of each ring"])
def test_a_ring_that_is_published_without_its_turn_or_its_own_proof_is_found(protection: str) -> None:
    assert "without complete proof: ring-" in first_violation(protection, Law.PROOF).text


@pytest.mark.parametrize("protection", ["twins", "restart of machines"])
def test_an_image_that_only_a_second_machine_or_boot_shows_is_found_where_it_is_published(protection: str) -> None:
    assert "was published and is bad" in first_violation(protection, Law.PROOF).text


def test_a_bad_version_that_its_builder_left_visible_is_found_where_nothing_hides_it() -> None:
    assert "is bad" in first_violation("hiding", Law.NOTHING_BAD_VISIBLE).text


@pytest.mark.parametrize("seed", [str(seed) for seed in range(1, 21)])
def test_rings_with_scan_rules_of_their_own_break_no_law(seed: str) -> None:
    unchanged = Mutant(lambda world: world, change_policy=with_ring_scans)
    assert simulate(seed, mutant=unchanged).violations == []
