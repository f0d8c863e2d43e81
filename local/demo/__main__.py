"""`make demo`: publish image versions with different behavior, follow them to their verdicts, and check the results."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import ssl
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.live import Live

from local.arm.kernel.tokens import identity
from local.demo import show
from local.demo.builder import Builder, builder
from local.demo.demo_run import DemoRun
from local.demo.follow import Follower
from local.demo.later_scan import SecondScanner
from local.demo.people import People
from local.demo.scan_evidence import scan_evidence, why_it_passed
from local.demo.scenario import APPROVED, FREEZE_SECONDS, STORIES, faults, world
from local.demo.verdict import Result, calls_by_version, judge, judge_latest, judge_people, left_behind
from local.stack import Stack, StackError, StackOptions
from local.stack.options import PROJECT_ROOT

POLICY = Path(__file__).with_name("policy.yaml")
WIDTH = 150
TIMEOUT_SECONDS = 300.0
"""How long the demo waits for all verdicts at the default speed or a higher one."""
DEFAULT_SPEED = 240.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--speed", type=float, default=DEFAULT_SPEED, help="simulated seconds per real second")
    parser.add_argument("--seed", type=int, default=1, help="seed of durations, duplicates and event order")
    parser.add_argument("--began", type=int, metavar="EPOCH", help="when the setup started, to print its duration")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the stack's state and logs in this folder")
    return parser.parse_args()


async def run(stack: Stack, console: Console) -> Result:
    """Publish, follow and verify. The stack must be running."""
    environment = stack.environment
    # The credential reads these from the process environment, as in Azure.
    os.environ.update({name: environment[name] for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")})
    began = time.monotonic()
    async with AsyncExitStack() as opened:
        trusted = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=environment["SSL_CERT_FILE"]))
        session = await opened.enter_async_context(aiohttp.ClientSession(connector=trusted))
        gallery = await opened.enter_async_context(builder(environment))
        follower = Follower(session, environment)
        people = People(session, environment, stack.plan.tokens())
        demo = DemoRun(gallery, follower, SecondScanner(session, environment), people)
        result = Result()
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            async for releases in demo.run(seconds=TIMEOUT_SECONDS * max(1.0, DEFAULT_SPEED / stack.options.speed)):
                live.update(show.live(STORIES, releases, time.monotonic() - began))
        result.seconds = time.monotonic() - began
        result.latest, result.acted, result.plan = demo.latest, demo.acted, demo.plan
        result.faults += [f"the scenario could not continue: {failure}" for failure in demo.failures]
        refused = [(story.name, status) for story, status in demo.answers if status != 202]
        result.faults += [f"the later scan of {name} received status {status}" for name, status in refused]
        await _verify(result, follower, gallery, session, environment)
    return result


async def _verify(
    result: Result, follower: Follower, gallery: Builder, session: aiohttp.ClientSession, environment: Mapping[str, str]
) -> None:
    overview = await follower.all()
    found = {each["version_id"]: each for each in overview["releases"]}
    result.releases = [found[story.id.lower()] for story in STORIES if story.id.lower() in found]
    log = (await _control(session, environment, "calls?log=1"))["log"]
    explained = {story.id.lower(): await follower.one(story) for story in STORIES if story.id.lower() in found}
    for version, release in explained.items():
        if why := why_it_passed(await scan_evidence(release, environment)):
            result.passed[version] = why
    result.arm_calls = calls_by_version([call for call in log if _is_ours(call)], STORIES, explained)
    result.left_behind = left_behind(await _control(session, environment, "state"))
    for story in STORIES:
        key = story.id.lower()
        result.faults += judge(story, found.get(key), await gallery.visible(story), result.passed.get(key, ()))
    result.faults += judge_latest(result.latest)
    result.faults += judge_people(result.acted, result.plan)
    result.faults += [f"leftover resource: {resource}" for resource in result.left_behind]
    result.faults += [f"dead letter in {each['queue']}: {each['reason']}" for each in overview["deadLetters"]]


def _is_ours(call: Mapping[str, Any]) -> bool:
    return call["caller"] == identity("ringmaster").client_id


async def _control(session: aiohttp.ClientSession, environment: Mapping[str, str], path: str) -> dict[str, Any]:
    async with session.get(f"{environment['ARM_ENDPOINT']}/_sim/{path}") as answer:
        answer.raise_for_status()
        return await answer.json()


def _policy(directory: Path) -> Path:
    """The policy of the demo in its folder, with a freeze that ends while the demo runs."""
    shutil.copy(POLICY.with_name("java-base.openvex.json"), directory)
    now = datetime.now(UTC).replace(microsecond=0)
    freeze = {
        "begins": (now - timedelta(hours=1)).isoformat(),
        "ends": (now + timedelta(seconds=FREEZE_SECONDS)).isoformat(),
        "reason": "end of the quarter",
        "definitions": [APPROVED.definition],
    }
    path = directory / "policy.yaml"
    path.write_text(f"{POLICY.read_text(encoding='utf-8')}freezes: {json.dumps([freeze])}\n", encoding="utf-8")
    return path


async def _demo(given: argparse.Namespace, directory: Path, console: Console) -> Result:
    (directory / "world.json").write_text(json.dumps(world()), encoding="utf-8")
    (directory / "faults.json").write_text(json.dumps(faults()), encoding="utf-8")
    options = StackOptions(
        speed=given.speed,
        seed=given.seed,
        policy=_policy(directory),
        world=directory / "world.json",
        arm_plan=directory / "faults.json",
        duplicate=0.3,
        late=0.3,
        sign_in=True,
    )
    began = time.monotonic()
    async with Stack(directory, options) as stack:
        console.print(f"The local stack is ready after {time.monotonic() - began:.1f} s.")
        console.print(f"Pages (while the demo is running): {stack.plan.pages_url}", soft_wrap=True)
        return await run(stack, console)


def main() -> int:
    """Run the demo. The exit code is 0 only if all results are as expected."""
    given = _arguments()
    # Use a fixed width if the output is not a terminal.
    console = Console(stderr=given.json, width=None if sys.stdout.isatty() else WIDTH)
    try:
        with tempfile.TemporaryDirectory(prefix="ringmaster-demo-") as temporary:
            directory = given.keep or Path(temporary)
            directory.mkdir(parents=True, exist_ok=True)
            result = asyncio.run(_demo(given, directory, console))
    except StackError as error:
        console.print(f"[red]{error}[/red]")
        return 1
    if given.json:
        print(json.dumps(result.document(), ensure_ascii=False))
    else:
        console.print(show.final(STORIES, result))
        console.print(show.latest_changes(result.latest))
        console.print(show.people(result))
    console.print(show.summary(result))
    console.print(show.pages_hint(POLICY.relative_to(PROJECT_ROOT), given.keep), soft_wrap=True)
    if given.began:
        took = time.time() - given.began
        console.print(f"Setup took {max(0.0, took - result.seconds):.0f} s, the demo {result.seconds:.0f} s.")
    return 1 if result.faults else 0


if __name__ == "__main__":
    sys.exit(main())
