"""One simulated run: the app, its cloud and everybody else, from a seed, with every law checked at every step."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from local.simulation.boots import with_boots
from local.simulation.calendar_and_health import with_calendar, with_health
from local.simulation.calls import Call, Injection, Invocation
from local.simulation.check_context import CheckContext
from local.simulation.cloud import OWN_WRITER, Cloud, run_now
from local.simulation.consumers import Consumers
from local.simulation.fault_injection import FaultInjection, UnexpectedError
from local.simulation.final_checks import FinalChecks
from local.simulation.functions_host import FunctionsHost, InvocationResult, WorldWrapper
from local.simulation.ground_truth import GroundTruth, ImageTruth
from local.simulation.instances import Instances
from local.simulation.invariants import Invariants
from local.simulation.laws import Law, Violation
from local.simulation.modes import USUAL, Modes
from local.simulation.observations import has_ended, key_of, publication_time, waits_for_version
from local.simulation.people import People, with_people
from local.simulation.scanners import ReportStore, Scanners
from local.simulation.scenario import BEGIN, HOME, TEST, Scenario, draw
from local.simulation.scheduler import Scheduler
from local.simulation.workload import OPERATOR_ROUND, Casting, Workload
from shared.domain.image import VersionId
from shared.domain.outcomes import HopResult
from shared.domain.policy import Policy
from shared.domain.release import Release, State
from shared.ports import ForeignTarget, PassingFault, Refused

RECONCILE: Final = timedelta(minutes=15)
TIME_LIMIT: Final = timedelta(days=4)
"""After the last injected fault, or after operators sent something again: what has not ended by then never will."""
LONGEST: Final = 3 * TIME_LIMIT
"""However often operators send something again."""
STEP_LIMIT: Final = 200_000
"""For a run of a few releases; a run with more steps loops."""


@dataclass(slots=True)
class Result:
    """What a run came to."""

    seed: str
    releases: int
    modes: Modes = field(default_factory=Modes)
    steps: int = 0
    invocations: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    history: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault that is built into the app on purpose, and the policies under which it matters."""

    wrap_world: WorldWrapper
    change_policy: Callable[[Policy], Policy] = lambda policy: policy
    needs: tuple[str, ...] = ()
    """The modes in which alone it matters."""


NO_MUTANT: Final = Mutant(lambda world: world)


class StopRun(BaseException):
    """A law is broken: the run ends here."""


def simulate(
    seed: str,
    releases: int = 4,
    *,
    modes: Modes | None = None,
    mutant: Mutant = NO_MUTANT,
    record_history: bool = False,
) -> Result:
    """Run a seed until everything has ended or a law is broken. ``modes`` None: the usual ones."""
    return Simulator(seed, releases, modes=modes or USUAL, mutant=mutant, record_history=record_history).run()


class Simulator:
    """The app, its cloud and everybody else, for one seed.

    The texts that seed the generators are part of what a seed means, and are never changed.
    """

    def __init__(
        self,
        seed: str,
        releases: int,
        *,
        modes: Modes,
        mutant: Mutant = NO_MUTANT,
        record_history: bool = False,
    ) -> None:
        modes = Modes.named({*modes.names, *mutant.needs})
        self.result = Result(seed, releases, modes)
        self._people_rng = Random(f"people {seed}")
        scenario = draw(seed, releases, ahead=modes.ahead)
        if modes.calendar:
            scenario = with_calendar(scenario, Random(f"calendar {seed}"))
        if modes.health:
            scenario = with_health(scenario, seed)
        if modes.boots:
            scenario = with_boots(scenario, Random(f"boots {seed}"))
        if modes.people:
            scenario = with_people(scenario, self._people_rng)
        self.scenario: Scenario = scenario.with_policies(mutant.change_policy)
        self.scheduler = Scheduler(BEGIN, Random(f"order {seed}"))
        self.rng = Random(f"host {seed}")
        casting = Casting()
        self.cloud = Cloud(
            self.scheduler.clock,
            self.scenario.union_policy(),
            home=HOME,
            replication=self.scenario.replication,
            casting=casting,
            own_writers=(OWN_WRITER,) if self.scenario.knows_own_writes else (),
        )
        self.cloud.health.plan = self.scenario.fleet
        faults_end_at = BEGIN + self.scenario.span
        self.fault_injection = FaultInjection.drawn(self.scheduler, Random(f"weather {seed}"), faults_end_at)
        self.truth = GroundTruth()
        self.invariants = Invariants(CheckContext(self.cloud, self.scheduler, self.truth, self._on_violation))
        self._record_history = record_history
        self._planned = 0
        self.instances = Instances(self.rng, Random(f"instances {seed}"), self.scenario.clock_skew)
        store = ReportStore(self.fault_injection.report_store_answers)
        self.host = self._host(store, mutant.wrap_world)
        self.scanners = Scanners(
            self.host, self, store, Random(f"scanners {seed}"), self.scenario.scanner_response_rate
        )
        self.workload = Workload(
            self.cloud, self.host, self.truth, casting, self, self.rng, self.instances, self.scanners.plan_scans
        )
        self.consumers = Consumers(self.cloud, Random(f"consumers {seed}"))

    def _host(self, store: ReportStore, wrap_world: WorldWrapper) -> FunctionsHost:
        host = FunctionsHost(
            self.scheduler,
            replace(self.cloud.world, policy=self.scenario.policy, report_source=store),
            self.cloud.queues,
            injector=self._inject,
            observer=self,
            parallel=8,
            instance=self.instances.next,
            deliver_message=self.fault_injection.deliver_message,
            wrap_world=wrap_world,
        )
        host.on_result, host.on_step = self._on_result, self._on_step
        return host

    # --- running ------------------------------------------------------------------------------------------------------

    def run(self) -> Result:
        """Run from the first event to the final checks."""
        self._prepare()
        try:
            if not self._run_to_the_end():
                law = Law.NOTHING_LEFT if self._is_done() else Law.NOTHING_LOST
                waited = self.scheduler.now - BEGIN - self.scenario.span
                self._break(law, f"not ended {waited} after the last fault: {self._unfinished()}")
            if not self.result.violations:
                self._final_checks().run()
        except StopRun:
            pass
        self.host.kill()
        result = self.result
        result.steps, result.faults = self.scheduler.steps, self.fault_injection.counts
        result.states.update(row.state.value for row in self.rows())
        return result

    def hangs(self, why: str) -> None:
        """Whoever runs this seed has waited long enough."""
        with contextlib.suppress(StopRun):
            self._break(Law.COST, f"{why}, at step {self.scheduler.steps}")

    def _run_to_the_end(self) -> bool:
        """Run until everything has ended. A release that operators sent again has a new deadline."""
        deadline = self.scheduler.now
        while deadline < (later := self.deadline()):
            deadline = later
            if self.scheduler.run_until(self._is_finished, deadline=deadline):
                return True
        return False

    def deadline(self) -> datetime:
        """When everything must have ended, as far as is known now."""
        faults_end = BEGIN + self.scenario.span
        return min(max(faults_end, self.workload.last_resent or BEGIN) + TIME_LIMIT, faults_end + LONGEST)

    def _prepare(self) -> None:
        self.truth.add_policy(self.scenario.policy)
        for definition in self.scenario.policy.definitions:
            run_now(self.cloud.ledger.adopted(definition, now=BEGIN))
        disks = (
            f"/subscriptions/{TEST.subscription}/resourcegroups/{TEST.resource_group}/providers/microsoft.compute/disks"
        )
        for name in ("rm-0123456789ab", "database"):
            self.cloud.machines.plant(f"{disks}/{name}", {})
            self.truth.foreign_resources.add(f"{disks}/{name}")
        for build in self.scenario.builds:
            self.plan(build.at, lambda build=build: self.workload.build(build))
            self.consumers.begin_to_use(build.version)
        for action in self.scenario.actions:
            self.plan(action.at, lambda action=action: self.workload.perform(action))
        self.scheduler.call_later(timedelta(minutes=1), lambda: self.host.reconcile_every(RECONCILE))
        self.scheduler.call_later(OPERATOR_ROUND, self.workload.operate)
        if self.result.modes.people:
            attention = Random(f"attention {self.result.seed}")
            People(self.host, self.truth, self.workload, self).begin(self.scenario, self._people_rng, attention)

    def _is_finished(self) -> bool:
        if self.result.violations:
            return True
        if self.scheduler.steps > STEP_LIMIT:
            self._break(Law.COST, f"{STEP_LIMIT} steps and no end: {self._unfinished()}")
        if self._planned or self.scheduler.now < BEGIN + self.scenario.span:
            return False
        return not self._leftovers() and self._is_done()

    def _is_done(self) -> bool:
        """Whether no message is left, every release has ended and none is missing."""
        if len(self.host.poison):
            return False
        rows = self.rows()
        waiting = [row for row in rows if waits_for_version(row)]
        settled_at = max((row.updated_at for row in rows if row not in waiting), default=BEGIN)
        has_looked = all(row.updated_at > settled_at + timedelta(minutes=2) for row in waiting)  # by any two clocks
        if len(self.cloud.queues) > len(waiting) or not has_looked:
            return False
        has_ended_all = all(has_ended(row) or self._is_left_to_people(row) for row in rows)
        return has_ended_all and not self._missed(rows)

    def _is_left_to_people(self, row: Release) -> bool:
        """Whether somebody revoked a version whose galleries the policy names no more: people must hide it there."""
        is_covered = row.version.definition in self.host.world.policy.definitions
        return row.state is State.REVOKING and not is_covered and all(each.parked for each in row.pending.values())

    # --- what workload and scanners need ------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The virtual time."""
        return self.scheduler.now

    def plan(self, delay: timedelta, act: Callable[[], None]) -> None:
        """Call something after a delay; the run does not end before."""

        def do() -> None:
            self._planned -= 1
            act()

        self._planned += 1
        self.scheduler.call_later(delay, do)

    def current_image(self, version: VersionId) -> ImageTruth | None:
        """The image that bears a version number now."""
        facts = run_now(self.cloud.galleries.version(version))
        return self.truth.image_of(facts) if facts else None

    def rows(self) -> list[Release]:
        """Every row of the ledger."""

        async def read() -> list[Release]:
            return [stored.release async for stored in self.cloud.ledger.rows()]

        return run_now(read())

    def record(self, text: str) -> None:
        """Add a line to the history."""
        if self._record_history and not self.result.violations:
            self.result.history.append(f"{self.scheduler.now:%d %H:%M:%S} {text}")

    # --- the app's host -----------------------------------------------------------------------------------------------

    def before_call(self, call: Call) -> None:
        """A call is about to take effect."""
        self.invariants.before_call(call)

    def after_call(self, call: Call, result: Any) -> None:
        """A call has taken effect."""
        if self._record_history:
            self.record(f"    {call.invocation.number} {call.name}{_shown(call)}")
        self.invariants.after_call(call, result)
        if call.name == "galleries.write_targets":
            self.workload.deliver_own_events(call.args[0].id)
        elif call.name == "galleries.copy_version":
            self.workload.deliver_own_events(call.args[1])
        elif call.name == "publisher.publish":
            self.scanners.on_announcement(call.args[0])

    def _inject(self, call: Call) -> Injection:
        injection = self.fault_injection(call)
        if self._record_history and (injection.error_before or injection.error_after):
            when = "before" if injection.error_before else "after"
            error = injection.error_before or injection.error_after
            self.record(f"    {call.invocation.number} {call.name}: {when}: {error!r}")
        return injection

    def _on_result(self, result: InvocationResult) -> None:
        self.result.invocations += 1
        self.invariants.invocation_ended(result.invocation)
        error = result.error
        if self._record_history:
            shown = f"{result.value if error is None else repr(error)}"
            self.record(f"  {result.invocation.number} {result.function} ended: {shown}"[:400])
        # A refusal that no stage handles is left to the queue's retry: the end of the release shows whether it may be.
        if isinstance(error, Exception) and not isinstance(error, (PassingFault, Refused, UnexpectedError)):
            law = Law.ACCESS if isinstance(error, ForeignTarget) else Law.OUTBOX
            self._break(law, f"{result.function} raised an error that no stage handles: {error!r}", result.invocation)

    def _on_step(self, invocation: Invocation, _: HopResult) -> None:
        command = invocation.command
        if self._record_history and command is not None:
            self.record(f"  {invocation.number} {command.release.number} {key_of(command)} #{command.seq}")

    # --- checking -----------------------------------------------------------------------------------------------------

    def _leftovers(self) -> list[str]:
        return [part for part in self.cloud.machines.everything() if part not in self.truth.foreign_resources]

    def _missed(self, rows: list[Release]) -> list[str]:
        """Versions that the policy covers, and whose current image has no release."""
        known = {row.version: row for row in rows}
        missed: list[str] = []
        for definition in self.host.world.policy.definitions:
            for facts in run_now(self.cloud.galleries.versions(definition)):
                row = known.get(facts.id)
                if row is None or row.incarnation != publication_time(facts):
                    missed.append(facts.id.short)
        return missed

    def _unfinished(self) -> list[str]:
        rows = self.rows()
        left = f"missed: {self._missed(rows)}; left: {self._leftovers()}; {len(self.cloud.queues)} messages"
        return [*(_described(row) for row in rows if not has_ended(row)), left]

    def _final_checks(self) -> FinalChecks:
        return FinalChecks(
            cloud=self.cloud,
            truth=self.truth,
            scenario=self.scenario,
            scanners=self.scanners,
            policy=self.host.world.policy,
            builds=self.workload.builds,
            consumers=self.consumers,
            disturbed=self.workload.disturbed,
            rows={row.version: row for row in self.rows()},
            has_lost_messages=bool(self.fault_injection.counts["message lost"]),
            broken=self._break,
        )

    def _on_violation(self, violation: Violation) -> None:
        self.record(f"BROKEN {violation}")
        if not self.result.violations:
            self.result.violations.append(violation)
        raise StopRun

    def _break(self, law: Law, text: str, invocation: Invocation | None = None) -> None:
        self._on_violation(Violation(law, text, self.scheduler.now, invocation))


def _described(row: Release) -> str:
    pending = {key: each.stalled for key, each in row.pending.items()}
    return f"{row.version.short} {row.state} {pending} {[line.text for line in row.history[-2:]]}"


def _shown(call: Call) -> str:
    first: Any = call.args[0] if call.args else ""
    if call.name == "queues.send":
        return f" {key_of(first)} #{first.seq} {call.kwargs.get('delay', '')}"
    if call.name in {"ledger.replace", "ledger.insert"}:
        row = call.args[-1]
        pending = {key: (each.command.seq, "sent" if each.sent else "unsent") for key, each in row.pending.items()}
        return f" {row.version.number} {row.state} #{row.seq} {pending}"
    return f" {getattr(first, 'short', first)}"[:160]
