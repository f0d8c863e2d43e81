"""One simulated run: a seed, its releases, and every law watched at every step."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from local.simulation.calls import Call, Fate, Run
from local.simulation.cloud import OWN_WRITER, House
from local.simulation.fault_injection import Unforeseen, Weather
from local.simulation.final_checks import Ending
from local.simulation.functions_host import Host, Ran
from local.simulation.invariants import Laws, Truth, Violation, peek
from local.simulation.scanners import Scanners, Shelf
from local.simulation.scenario import HOME, SUBSCRIPTION, TEST, Build, Deed, Scenario, draw
from local.simulation.scheduler import Engine
from shared.adapters.memory.characters import Character
from shared.domain.facts import ProvisioningState, RegionState, RegionTargetFacts, VersionFacts
from shared.domain.image import VersionId
from shared.domain.messages import VersionWritten
from shared.domain.outcomes import Step
from shared.domain.policy import Policy
from shared.domain.release import Release
from shared.engine import poison
from shared.ports import Conflict, MachineSpec, PassingFault, Refused, World
from shared.stages.revoke import places

BEGIN: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)
RECONCILE: Final = timedelta(minutes=15)
PEOPLE_LOOK: Final = timedelta(hours=1)
LIMIT: Final = timedelta(days=4)
"""After the weather has turned fine: whatever has not ended by then never will."""
STEPS: Final = 200_000
"""For a run of a few releases; more of them means that something goes round in circles."""

type Mutation = Callable[[World], World]
"""A fault built into the app, to see that the laws find it."""


@dataclass(slots=True)
class Outcome:
    """What came of a run."""

    seed: str
    releases: int
    steps: int = 0
    runs: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    history: list[str] = field(default_factory=list)


class Stop(BaseException):
    """A law is broken: there is nothing more to learn from this run."""


def simulate(seed: str, releases: int = 4, *, mutation: Mutation | None = None, tell: bool = False) -> Outcome:
    """Run a seed until everything has ended, or a law is broken. ``tell`` keeps a readable history."""
    return Play(seed, releases, mutation=mutation, tell=tell).run()


class Play:
    """The cloud, the app, and everybody else, for one seed."""

    def __init__(self, seed: str, releases: int, *, mutation: Mutation | None, tell: bool) -> None:
        self.outcome = Outcome(seed, releases)
        self.scenario: Scenario = draw(seed, releases)
        self.engine = Engine(BEGIN, Random(f"order {seed}"))
        self.rng = Random(f"host {seed}")
        self.house = House(
            self.engine.clock,
            self.scenario.everything(),
            home=HOME,
            replication=self.scenario.replication,
            casting=self._cast,
            own_writers=(OWN_WRITER,) if self.scenario.knows_own_writes else (),
        )
        self.weather = Weather.drawn(self.engine, Random(f"weather {seed}"), BEGIN + self.scenario.span)
        shelf = Shelf(lambda: self.weather.answers())
        self.laws = Laws(self.house, self.engine, self._broken)
        self._tell = tell
        self.host = Host(
            self.engine,
            replace(self.house.world, policy=self.scenario.policy, report_source=shelf),
            self.house.queues,
            fates=self._fate,
            watcher=self,
            parallel=8,
            skew=self._skew,
            mail=self.weather.delivery,
            wrap=mutation or (lambda world: world),
        )
        self.scanners = Scanners(self.host, self, shelf, Random(f"scanners {seed}"), answers=self.scenario.answers)
        self.host.on_ran, self.host.on_hop = self._ran, self._hopped
        self._characters: dict[tuple[str, str], tuple[Character, ...]] = {}
        self._cast_in: Counter[tuple[str, str, str]] = Counter()
        self._builds: dict[VersionId, Build] = {}
        self._disturbed: set[VersionId] = set()
        self._planned = 0
        self._numbers = 0
        self._know(self.scenario.policy)

    def now(self) -> datetime:
        """What time it is."""
        return self.engine.now

    # --- running ------------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Everything from the first second to the last."""
        self._prepare()
        try:
            finished = self.engine.run(self._finished, until=BEGIN + self.scenario.span + LIMIT)
            if not finished:
                self._break(1, f"not ended after {LIMIT} of fine weather: {self._open()}")
            if not self.outcome.violations:
                self._ending().judge(self._rows())
        except Stop:
            pass
        self.host.kill()
        outcome = self.outcome
        outcome.steps, outcome.faults = self.engine.steps, self.weather.counts
        outcome.states.update(row.state.value for row in self._rows())
        return outcome

    def _prepare(self) -> None:
        for definition in self.scenario.policy.definitions:
            peek(self.house.ledger.adopted(definition, now=BEGIN))
        foreign = (
            f"/subscriptions/{TEST.subscription}/resourcegroups/{TEST.resource_group}/providers/microsoft.compute/disks"
        )
        for name in ("rm-0123456789ab", "database"):
            self.house.machines.plant(f"{foreign}/{name}", {})
            self.laws.planted.add(f"{foreign}/{name}")
        for build in self.scenario.builds:
            self.soon(build.at, lambda build=build: self._build(build))
        for deed in self.scenario.deeds:
            self.soon(deed.at, lambda deed=deed: self._do(deed))
        self.engine.after(timedelta(minutes=1), lambda: self.host.reconcile_every(RECONCILE))
        self.engine.after(PEOPLE_LOOK, self._people_look)

    def soon(self, at: timedelta, act: Callable[[], None]) -> None:
        def do() -> None:
            self._planned -= 1
            act()

        self._planned += 1
        self.engine.after(at, do)

    def _finished(self) -> bool:
        if self.outcome.violations:
            return True
        if self.engine.steps > STEPS:
            self._break(1, f"{STEPS} steps and no end: {self._open()}")
        if self._planned or self.engine.now < BEGIN + self.scenario.span:
            return False
        if len(self.house.queues) or len(self.host.poison) or self._left():
            return False
        rows = self._rows()
        return all(row.is_settled for row in rows) and not self._missed(rows)

    # --- the app's host -----------------------------------------------------------------------------------------------

    def before(self, call: Call) -> None:
        """A call is about to take effect."""
        self.laws.before(call)

    def after(self, call: Call, result: Any) -> None:
        """It has."""
        if self._tell:
            self.say(f"    {call.run.number} {call.name}{_shown(call)}")
        self.laws.after(call, result)
        if call.name == "galleries.write_targets":
            self._own_event(call.args[0].id)
        elif call.name == "galleries.copy_version":
            self._own_event(call.args[1])
        elif call.name == "publisher.publish":
            self.scanners.hear(call.args[0])

    def _fate(self, call: Call) -> Fate:
        fate = self.weather(call)
        if self._tell and (fate.before or fate.after):
            when = "before" if fate.before else "after"
            self.say(f"    {call.run.number} {call.name}: {when}: {(fate.before or fate.after)!r}")
        return fate

    def _skew(self) -> timedelta:
        return self.scenario.skew * self.rng.uniform(-1, 1)

    def _ran(self, ran: Ran) -> None:
        self.outcome.runs += 1
        self.laws.ended(ran.run)
        error = ran.error
        if self._tell:
            self.say(f"  {ran.run.number} {ran.function} ended: {ran.result if error is None else repr(error)}"[:400])
        # A refusal that no stage foresaw is left to the queue: whether that was right, the end of the release shows.
        if isinstance(error, Exception) and not isinstance(error, (PassingFault, Refused, Unforeseen)):
            self._break(6, f"{ran.function} raised what nobody foresaw: {error!r}", ran.run)

    def _hopped(self, run: Run, step: Step) -> None:
        if self._tell and run.command is not None:
            command = run.command
            self.say(f"  {run.number} {command.release.number} {command.branch} #{command.seq}")

    # --- builders, scanners, people -----------------------------------------------------------------------------------

    def _build(self, build: Build) -> None:
        version = build.version
        self.say(f"built {version.short}: {[each.name for each in build.characters]}, scans {build.scans}")
        if version in self._builds:
            self._disturbed.add(version)
        self._builds[version] = build
        self._characters[version.definition.name, str(version.number)] = build.characters
        for key in [key for key in self._cast_in if key[:2] == (version.definition.name, str(version.number))]:
            del self._cast_in[key]
        made = self.house.galleries.build(
            VersionFacts(
                version,
                ProvisioningState.CREATING,
                HOME,
                source_id=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/images/base",
                targets=(RegionTargetFacts(HOME, excluded=True),),
                excluded=True,
                os_disk_gb=30,
            )
        )
        assert made.published_at is not None
        truth = Truth(build.boots, made.published_at)
        self.laws.truths[version, made.published_at.isoformat()] = truth
        for at in build.events:
            self.soon(max(at, timedelta(0)), lambda: self._event(version, "builder"))
        self.scanners.watch(build, truth)

    def bearer(self, version: VersionId) -> Truth | None:
        """Who bears the number now."""
        facts = peek(self.house.galleries.version(version))
        return self.laws.truths[version, facts.published_at.isoformat()] if facts and facts.published_at else None

    def _event(self, version: VersionId, writer: str) -> None:
        self._numbers += 1
        self.host.deliver(VersionWritten(version, f"event-{self._numbers}", self.engine.now, writer))

    def _own_event(self, version: VersionId) -> None:
        for _ in range(self.rng.choice((0, 1, 1, 1, 2))):
            wait = timedelta(seconds=self.rng.uniform(1, 600))
            self.soon(wait, lambda: self._event(version, OWN_WRITER))

    def _do(self, deed: Deed) -> None:
        self.say(f"somebody: {deed.what} {deed.version.short if deed.version else ''}")
        if deed.policy is not None:
            self._know(deed.policy)
            self.host.world = replace(self.host.world, policy=deed.policy)
        elif deed.version is not None and deed.what == "delete":
            self._disturbed.add(deed.version)
            self.house.galleries.remove(deed.version)
        elif deed.version is not None and deed.what == "write anew":
            self._event(deed.version, "somebody")
        elif deed.version is not None:
            self._write(deed.version, deed.what)

    def _write(self, version: VersionId, what: str) -> None:
        """Somebody writes to the version, as their scripts do: read, change, write."""
        galleries = self.house.galleries
        facts = peek(galleries.version(version))
        if facts is None:
            return
        targets, excluded = facts.targets, facts.excluded
        if what == "add region":
            targets = (*targets, RegionTargetFacts("japaneast", excluded=True))
        else:
            targets, excluded = tuple(replace(target, excluded=True) for target in targets), True
        try:
            peek(galleries.write_targets(facts, targets, excluded=excluded))
        except Conflict:
            self.soon(timedelta(seconds=self.rng.uniform(5, 40)), lambda: self._write(version, what))
        except Refused as refused:
            self.say(f"somebody was refused: {refused}")
        else:
            self._event(version, "somebody")

    def _people_look(self) -> None:
        for row in self._rows():
            if any(each.aside for each in row.pending.values()):
                version = row.version
                self.say(f"people send {version.short} again: {dict(row.stalls)}")
                self._mend(version)
                self.host.run(
                    "resend",
                    lambda world, now, _, version=version: poison.resend(version, world, now=now),
                    lambda *_: None,
                    what=version.short,
                )
        self.engine.after(PEOPLE_LOOK, self._people_look)

    def _mend(self, version: VersionId) -> None:
        """People take out regions that will never do, and that no ring wants: a former policy's, or a stranger's."""
        policy = self.host.world.policy.covering(version)
        if policy is None:
            return
        for definition in places(policy):
            facts = peek(self.house.galleries.version(definition.version(version.number), replication=True))
            seen = facts.replication.regions if facts and facts.replication else {}
            wanted = {region for ring in policy.rings if ring.definition == definition for region in ring.region_names}
            idle = {region for region, each in seen.items() if each.state is RegionState.FAILED} - wanted
            if facts and idle:
                left = tuple(target for target in facts.targets if target.region not in idle)
                with contextlib.suppress(Conflict):
                    peek(self.house.galleries.write_targets(facts, left, excluded=facts.excluded))

    # --- the platform -------------------------------------------------------------------------------------------------

    def _cast(self, spec: MachineSpec, _: int) -> Character:
        image = (spec.image.definition.name, str(spec.image.number))
        self._cast_in[*image, spec.region] += 1
        characters = self._characters[image]
        return characters[min(self._cast_in[*image, spec.region], len(characters)) - 1]

    def _know(self, policy: Policy) -> None:
        for each in policy.definitions.values():
            self.laws.policies[each.digest] = each

    # --- judging ------------------------------------------------------------------------------------------------------

    def _rows(self) -> list[Release]:
        async def read() -> list[Release]:
            return [stored.release async for stored in self.house.ledger.rows()]

        return peek(read())

    def _left(self) -> list[str]:
        return [part for part in self.house.machines.everything() if part not in self.laws.planted]

    def _missed(self, rows: list[Release]) -> list[str]:
        """Versions that the policy covers, and whose bearer has no release that ended."""
        known = {row.version: row for row in rows}
        missed: list[str] = []
        for definition in self.host.world.policy.definitions:
            for facts in peek(self.house.galleries.versions(definition)):
                row = known.get(facts.id)
                if row is None or row.incarnation != (facts.published_at and facts.published_at.isoformat()):
                    missed.append(facts.id.short)
        return missed

    def _open(self) -> list[str]:
        rows = self._rows()
        return [
            *(
                f"{row.version.short} {row.state} {dict(row.stalls)} {list(row.pending)} {row.history[-2:]}"
                for row in rows
                if not row.is_settled
            ),
            f"missed: {self._missed(rows)}; left: {self._left()}; {len(self.house.queues)} messages",
        ]

    def _ending(self) -> Ending:
        return Ending(
            self.house,
            self.laws,
            self.scenario,
            self.weather,
            self.scanners,
            self.host.world.policy,
            self._builds,
            self._disturbed,
            self._break,
        )

    def _broken(self, violation: Violation) -> None:
        self.say(f"BROKEN {violation}")
        if not self.outcome.violations:
            self.outcome.violations.append(violation)
        raise Stop

    def _break(self, law: int, text: str, run: Run | None = None) -> None:
        self._broken(Violation(law, text, self.engine.now, run))

    def say(self, text: str) -> None:
        if self._tell and not self.outcome.violations:
            self.outcome.history.append(f"{self.engine.now:%d %H:%M:%S} {text}")


def _shown(call: Call) -> str:
    first: Any = call.args[0] if call.args else ""
    if call.name == "queues.send":
        return f" {first.branch} #{first.seq} {call.kwargs.get('delay', '')}"
    if call.name in {"ledger.replace", "ledger.insert"}:
        row = call.args[-1]
        pending = {key: (each.command.seq, "sent" if each.sent else "unsent") for key, each in row.pending.items()}
        return f" {row.version.number} {row.state} #{row.seq} {pending}"
    return f" {getattr(first, 'short', first)}"[:160]
