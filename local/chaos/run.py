"""Publish, strike, wait for the end, count."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from azure.core.exceptions import AzureError

from local.chaos.count import Count, count
from local.chaos.hosts import skewed_app
from local.chaos.plan import Scheme, faults, policy
from local.demo.builder import Builder, builder
from local.demo.follow import Follower
from local.demo.scenario import Story, world
from local.demo.verdict import left_behind
from local.stack import Stack, StackOptions

LOOK_EVERY = 3.0
"""Real seconds between two looks at the overview, which reads every row."""
SWEEP_PATIENCE = 90.0
"""Real seconds that what is left of machines has to vanish after the last release has settled."""
PUBLISH_TRIES = 30


@dataclass(slots=True)
class Chaos:
    """One run on one stack. ``tell`` takes a line for people."""

    stack: Stack
    scheme: Scheme
    session: aiohttp.ClientSession
    gallery: Builder
    tell: Callable[[str], None]
    kills: int = 0
    storage_restarts: int = 0
    outages: int = 0
    published: set[str] = field(default_factory=set)

    async def run(self, *, patience: float) -> Count:
        """Everything; ``patience`` is how many real seconds the releases have to end after the last blow."""
        began = time.monotonic()
        for blow in self.scheme.blows:
            publishing = asyncio.create_task(self._publish_all(blow.publish))
            await asyncio.sleep(blow.after)
            if blow.azurite:
                await self._restart_storage()
            if blow.hosts:
                await self._kill(blow.hosts, blow.down)
            else:
                await self._take_storage_away(blow.down)
            await publishing
        await self._publish_all(self.scheme.last)
        await self._until_settled(patience)
        await self._control("POST", "faults", [])
        result = await self._look_back()
        result.seconds = time.monotonic() - began
        result.kills, result.storage_restarts, result.outages = self.kills, self.storage_restarts, self.outages
        return result

    async def _kill(self, hosts: Sequence[str], down: float) -> None:
        for name in hosts:
            await asyncio.to_thread(self.stack.kill, name)
        self.kills += 1
        await asyncio.sleep(down)
        for name in hosts:
            await asyncio.to_thread(self.stack.restart, name)
        self.tell(f"{' and '.join(hosts)} killed, back after {down:.1f} s ({self._count()})")

    async def _take_storage_away(self, seconds: float) -> None:
        await asyncio.to_thread(self.stack.halt, "azurite")
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self.stack.restart, "azurite")
        self.outages += 1
        self.tell(f"storage was away for {seconds:.0f} s ({self._count()})")

    def _count(self) -> str:
        return f"{self.kills + self.outages} of {len(self.scheme.blows)}"

    async def _restart_storage(self) -> None:
        # In order, since a killed Azurite may forget what it acknowledged, which Azure's storage does not.
        await asyncio.to_thread(self.stack.restart, "azurite")
        self.storage_restarts += 1
        self.tell("Azurite stopped and started again on its data")

    async def _publish_all(self, stories: Sequence[Story]) -> None:
        for story in stories:
            await self._publish(story)

    async def _publish(self, story: Story) -> None:
        """Ask until the version is there: the builder meets the same faults as everybody."""
        fault: AzureError | None = None
        for _ in range(PUBLISH_TRIES):
            try:
                await self.gallery.publish(story)
            except AzureError as error:  # asked for already, as an answer that was lost has it, or not now
                fault = error
            if await self._is_there(story):
                self.published.add(story.id.lower())
                return
            await asyncio.sleep(0.5)
        raise RuntimeError(f"{story.definition} {story.number} cannot be published: {fault}")

    async def _is_there(self, story: Story) -> bool:
        state = await self._control("GET", "state")
        return any(story.id.lower() == each.lower() for found in state["resources"].values() for each in found)

    async def _until_settled(self, patience: float) -> None:
        """Return when every version has ended and left nothing to do, or patience has."""
        deadline, told = time.monotonic() + patience, -1
        wanted = {story.id.lower() for story in self.scheme.stories}
        while time.monotonic() < deadline:
            releases = (await self._overview())["releases"]
            settled = wanted & {each["version_id"] for each in releases if each["settled"]}
            if len(settled) != told:
                told = len(settled)
                self.tell(f"{told} of {len(wanted)} releases have ended")
            if settled == wanted:
                return
            await asyncio.sleep(LOOK_EVERY)

    async def _overview(self) -> dict[str, Any]:
        follower = Follower(self.session, self.stack.environment)
        while True:
            try:
                return await follower.all()
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(1)

    async def _look_back(self) -> Count:
        overview = await self._overview()
        releases = {each["version_id"]: each for each in overview["releases"]}
        visible = {
            story.id.lower(): {
                name: frozenset(regions) for name, regions in (await self.gallery.visible(story)).items()
            }
            for story in self.scheme.stories
        }
        result = count(self.scheme.stories, releases, visible)
        result.dead_letters = [f"{each['queue']}: {each['reason']}" for each in overview["deadLetters"]]
        result.left_behind = await self._left_behind()
        result.arm_calls = (await self._control("GET", "calls"))["statuses"]
        return result

    async def _left_behind(self) -> list[str]:
        """What is still there when the sweeper has had its time."""
        deadline = time.monotonic() + SWEEP_PATIENCE
        while True:
            left = left_behind(await self._control("GET", "state"))
            if not left or time.monotonic() > deadline:
                return left
            await asyncio.sleep(LOOK_EVERY)

    async def _control(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        url = f"{self.stack.environment['ARM_ENDPOINT']}/_sim/{path}"
        async with self.session.request(method, url, json=body) as answer:
            answer.raise_for_status()
            return await answer.json()


def options(
    directory: Path, scheme: Scheme, *, speed: float, seed: int, hosts: int = 1, skew: float = 0.0
) -> StackOptions:
    """Write the files of the run into its folder, and say how the stack must be."""
    files = {
        "world.json": json.dumps(world(scheme.stories)),
        "faults.json": json.dumps(faults()),
        "policy.yaml": policy(scheme.definitions),
    }
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    return StackOptions(
        speed=speed,
        seed=seed,
        policy=directory / "policy.yaml",
        world=directory / "world.json",
        arm_plan=directory / "faults.json",
        duplicate=0.4,
        late=0.4,
        second_app=skewed_app(directory / "second-app", skew) if hosts > 1 else None,
    )


@asynccontextmanager
async def chaos(stack: Stack, scheme: Scheme, tell: Callable[[str], None]) -> AsyncIterator[Chaos]:
    """A run on a stack that is up."""
    environment: Mapping[str, str] = stack.environment
    # The credential reads these from the process, as it does in Azure.
    names = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: environment[name] for name in names})
    trusted = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=environment["SSL_CERT_FILE"]))
    try:
        async with aiohttp.ClientSession(connector=trusted) as session, builder(environment) as gallery:
            yield Chaos(stack, scheme, session, gallery, tell)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


async def unleash(
    directory: Path,
    scheme: Scheme,
    *,
    speed: float,
    seed: int,
    patience: float,
    tell: Callable[[str], None],
    hosts: int = 1,
    skew: float = 0.0,
) -> Count:
    """A whole run on a stack of its own in a folder of its own.

    ``skew`` is by how many real seconds the clock of the second of two hosts is ahead.
    """
    async with (
        Stack(directory, options(directory, scheme, speed=speed, seed=seed, hosts=hosts, skew=skew)) as stack,
        chaos(stack, scheme, tell) as run,
    ):
        return await run.run(patience=patience)
