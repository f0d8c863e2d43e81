"""The table of ``ringmaster latest``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from shared.adapters.memory.galleries import Replication
from shared.queries.latest import latest_table, policy_named
from tests.flow.rehearsal import DEFINITION, HOME, SMALL, Rehearsal


def table(play: Rehearsal) -> dict[str, Any]:
    async def ask(world: Any, _: Any) -> dict[str, Any]:
        policy = policy_named("ubuntu", world)
        assert policy is not None
        return await latest_table(policy, world)

    return play.do(ask)


def test_every_image_definition_of_the_rings_has_its_table() -> None:
    play = Rehearsal()
    play.publish()
    play.run()
    found = table(play)["definitions"]
    assert [each["gallery"] for each in found] == ["gal_build", "gal_prod"]
    assert {row["region"]: (row["ring"], row["arm"]) for row in found[1]["regions"]} == {
        "eastus2": ("production", "1.0.0"),
        "westeurope": ("production", "1.0.0"),
    }


def test_a_version_without_its_replica_is_not_what_azure_takes() -> None:
    """A list of versions says nothing of replication, so those that could be the latest are read one by one."""
    play = Rehearsal(
        SMALL,
        replication=lambda version, _, __: Replication(
            timedelta(hours=90) if str(version.number) == "1.1.0" else timedelta(minutes=1)
        ),
    )
    play.publish("1.0.0")
    play.run()
    play.publish("1.1.0", excluded=False, events=(), scan=None)
    (found,) = table(play)["definitions"]
    (row,) = [each for each in found["regions"] if each["region"] == HOME]
    assert (row["arm"], row["newestDate"], row["ownFlag"]) == ("1.0.0", "1.1.0", "1.1.0")


def test_a_definition_is_found_by_its_name_and_by_its_id_in_any_casing() -> None:
    play = Rehearsal()
    found = play.do(lambda world, _: _named(world, "ubuntu", str(DEFINITION.source).upper(), "debian"))
    assert [each and each.name for each in found] == ["ubuntu", "ubuntu", None]


async def _named(world: Any, *names: str) -> list[Any]:
    return [policy_named(each, world) for each in names]
