"""The plan of ``ringmaster failover plan``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shared.queries.failover import failover_plan
from tests.flow.rehearsal import DEFINITION, PRODUCTION, SOURCE, Rehearsal

TWIN = replace(DEFINITION, rings=(DEFINITION.rings[0], replace(DEFINITION.rings[2], standby=True)))


def test_a_release_through_every_ring_leaves_a_complete_twin() -> None:
    play = Rehearsal(TWIN)
    version = play.publish()
    play.run()
    (twin,) = _plan(play)["twins"]
    assert (twin["complete"], twin["pointTo"], twin["insteadOf"]) == (True, str(PRODUCTION), [str(SOURCE)])
    assert twin["version"] == str(version.number)


def test_a_copy_that_somebody_deleted_is_missed() -> None:
    play = Rehearsal(TWIN)
    version = play.publish()
    play.run()
    play.cloud.galleries.remove(PRODUCTION.version(version.number))
    (twin,) = _plan(play)["twins"]
    assert "latest in eastus2 is nothing, not 1.0.0" in twin["missing"]


def test_a_policy_without_a_standing_twin_has_no_plan() -> None:
    assert _plan(Rehearsal())["twins"] == []


def _plan(play: Rehearsal) -> dict[str, Any]:
    return play.do(lambda world, _: failover_plan(world.policy.definitions[SOURCE], world))
