"""The demo's order of events: each waits for its cue, and gives up when the cue can't come any more."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from local.demo.demo_run import DemoRun
from local.demo.people import Answered
from local.demo.scenario import (
    APPROVED,
    EXCUSED,
    IMPROVED,
    RESCANNED,
    RESTORED,
    REVOKED,
    STORIES,
    WORSENED,
    Story,
)
from local.demo.verdict import ORDERED


class World:
    """Gallery, app and scanner in one: a version ends as soon as it is published, as `ends` or its story has it."""

    def __init__(self, **ends: str) -> None:
        self.log: list[str] = []
        self.ends = ends
        self.warned: set[str] = set()
        self.releases: dict[str, dict[str, Any]] = {}

    async def publish(self, story: Story) -> None:
        self.log.append(story.name)
        usual = "released" if story is REVOKED else story.state
        usual = "awaiting_approval" if story in {APPROVED, RESTORED} else usual
        self._put(story, self.ends.get(story.number.replace(".", "_"), usual))

    async def latest(self, definition: str) -> dict[str, dict[str, str]]:
        last = next(line for line in reversed(self.log) if definition in line)
        return {"gal_build": {"westeurope": f"after {last}"}}

    async def report(self, story: Story) -> int:
        self.log.append(f"later scan of {story.name}")
        self._put(story, "revoked")
        return 202

    async def act(self, who: str, action: str, story: Story, **more: Any) -> Answered:
        """Whoever lacks the role is refused; everything else is taken at once."""
        refusal = {("builder", "approve"): "builder", ("reader", "revoke"): "role_missing"}.get((who, action), "")
        if not refusal:
            self._put(story, {"approve": "released", "revoke": "revoked", "restore": "awaiting_approval"}[action])
        return Answered(who, action, story, 403 if refusal else 200, refusal)

    async def revocation_plan(self, who: str, story: Story) -> Mapping[str, Any]:
        return {"planned": story.name}

    async def all(self) -> Mapping[str, Any]:
        if RESCANNED.id.lower() in self.releases and RESCANNED.name not in self.warned:
            self.warned.add(RESCANNED.name)  # the scan that the timer asks for comes later than the release ends
        elif RESCANNED.name in self.warned:
            self.releases[RESCANNED.id.lower()]["warnings"] = ["since it was published: 7 high"]
        return {"releases": list(self.releases.values())}

    def _put(self, story: Story, state: str) -> None:
        self.releases[story.id.lower()] = {
            "version_id": story.id.lower(),
            "state": state,
            "settled": state != "awaiting_approval",
            "reasons": ["because"],
            "warnings": [],
        }


def _play(world: World) -> DemoRun:
    return DemoRun(world, world, world, world, poll_seconds=0.001)


async def _run(play: DemoRun, seconds: float = 20) -> None:
    async with asyncio.timeout(30):
        async for _ in play.run(seconds=seconds):
            pass


async def test_every_version_is_published_once() -> None:
    world = World()
    await _run(_play(world))
    assert sorted(name for name in world.log if not name.startswith("later")) == sorted(each.name for each in STORIES)


async def test_what_is_compared_comes_after_the_later_scan_of_what_it_is_compared_with() -> None:
    world = World()
    await _run(_play(world))
    order = [world.log.index(story.name) for story in (RESCANNED, IMPROVED, WORSENED)]
    assert order == sorted(order)
    assert RESCANNED.name in world.warned


async def test_latest_is_read_right_before_the_later_scan_and_again_once_it_is_revoked() -> None:
    world = World()
    play = _play(world)
    await _run(play)
    assert world.log.index(EXCUSED.name) < world.log.index(REVOKED.name)
    assert play.latest["after"]["gal_build"]["westeurope"] == f"after later scan of {REVOKED.name}"
    assert "later scan" not in play.latest["before"]["gal_build"]["westeurope"]
    assert play.answers == [(REVOKED, 202)]


async def test_a_version_that_ends_otherwise_stops_its_own_act_and_no_other() -> None:
    world = World(**{"3_0_0": "rejected"})
    play = _play(world)
    await _run(play)
    assert play.failures == ["java-base 3.0.0 is rejected: because"]
    assert REVOKED.name not in world.log
    assert WORSENED.name in world.log


async def test_a_fault_of_the_gallery_ends_the_demo_with_it() -> None:
    class Broken(World):
        async def publish(self, story: Story) -> None:
            raise OSError("no gallery")

    world = Broken()
    with pytest.raises(OSError, match="no gallery"):
        await _run(_play(world))


async def test_time_that_is_up_ends_it_too() -> None:
    world = World()
    play = _play(world)
    await _run(play, seconds=0)
    assert "after" not in play.latest


async def test_people_order_what_the_demo_expects_and_the_plan_is_asked_for_before_the_revocation() -> None:
    world = World()
    play = _play(world)
    await _run(play)
    assert tuple((each.who, each.action, each.story, each.error) for each in play.acted) == ORDERED
    assert play.plan == {"planned": RESTORED.name}
