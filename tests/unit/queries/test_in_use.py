"""Who uses a version, asked by a person: now, within a bound, and never without saying what is missing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from shared.adapters.memory.usage import MemoryUsage
from shared.domain.image import VersionId
from shared.domain.usage import MACHINES, InUseRules, Lookup, Mention, Relation, UsagePage
from shared.ports import Unavailable
from shared.queries.in_use import in_use
from tests.flow.rehearsal import HOME, OTHER_SUBSCRIPTION, SMALL, SOURCE, SUBSCRIPTION, Rehearsal


def machine(subscription: str, name: str, target: object) -> Mention:
    resource = f"/subscriptions/{subscription}/resourcegroups/rg/providers/microsoft.compute/virtualmachines/{name}"
    return Mention(resource, MACHINES, HOME, str(target), Relation.USES)


def scene(*, machines: int = 1) -> tuple[Rehearsal, VersionId]:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.run()
    for number in range(machines):
        play.cloud.usage.add(machine(SUBSCRIPTION, f"vm-{number:03}", version))
    return play, version


def asked(play: Rehearsal, version: VersionId, **more: Any) -> dict[str, Any]:
    return asyncio.run(in_use(version, play.host.world, now=play.scheduler.now, **more))


def test_users_are_named_and_counted() -> None:
    found = asked(*scene(machines=25))
    assert (found["complete"], found["counts"], len(found["users"])) == (True, {"virtual machines": 25}, 25)


def test_every_subscription_of_the_rules_is_looked_at() -> None:
    play, version = scene()
    play.cloud.usage.add(machine(OTHER_SUBSCRIPTION, "far", version))
    policy = replace(play.host.world.policy, in_use=InUseRules((SUBSCRIPTION, OTHER_SUBSCRIPTION)))
    play.host.world = replace(play.host.world, policy=policy)
    assert {each["name"] for each in asked(play, version)["users"]} == {"vm-000", "far"}


def test_what_the_bound_left_unread_is_marked() -> None:
    play, version = scene(machines=25)
    found = asked(play, version, most_pages=3)
    assert not found["complete"]
    assert any("limit of pages" in reason for reason in found["incomplete"])


class _Down(MemoryUsage):
    """Its list of machines does not answer."""

    async def page(self, lookup: Lookup) -> UsagePage:
        if lookup.kind == MACHINES:
            raise Unavailable("HTTP 503")
        return await super().page(lookup)


def test_a_list_that_does_not_answer_is_marked_and_the_others_are_read() -> None:
    play, version = scene()
    play.host.world = replace(play.host.world, usage=_Down())
    assert asked(play, version)["incomplete"] == [f"virtual machines in {SUBSCRIPTION}: HTTP 503"]


def test_the_test_machines_of_ringmaster_are_no_users() -> None:
    play, version = scene(machines=0)
    own = machine(SUBSCRIPTION, "rm-0123456789ab", version)
    play.cloud.usage.add(replace(own, resource=own.resource.replace("/rg/", "/rg-test/")))
    assert asked(play, version)["users"] == []


def test_a_version_that_the_policy_does_not_cover_is_looked_for_too() -> None:
    play, _ = scene(machines=0)
    version = VersionId.parse(f"{SOURCE}-x/versions/1.0.0")
    play.cloud.usage.add(machine(SUBSCRIPTION, "vm-1", version))
    assert [each["name"] for each in asked(play, version)["users"]] == ["vm-1"]
