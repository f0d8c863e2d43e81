"""Hiding a version again where a write showed it, and nowhere else."""

from dataclasses import replace

from shared.domain.latest import hidden_in
from tests.unit.domain.version_facts import target, version

SHOWN = version(
    "1.0.0",
    target("westeurope", False, 3),
    target("eastus", None, kept={"encryption": {"x": 1}}),
    target("japan", True),
)


def test_it_is_hidden_where_it_was_shown_and_stays_as_it_is_elsewhere() -> None:
    hidden = replace(SHOWN, targets=hidden_in(SHOWN, ["West Europe"]), excluded=True)
    assert [hidden.visible_in(region) for region in SHOWN.regions] == [False, True, False]


def test_every_target_keeps_its_place_and_all_that_it_had() -> None:
    kept = [replace(each, excluded=None) for each in hidden_in(SHOWN, ["westeurope"])]
    assert kept == [replace(each, excluded=None) for each in SHOWN.targets]
