"""The workload of a run: what builders and users do to the cloud and the app, as the scenario says."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final, Protocol

from local.simulation.calls import Invocation
from local.simulation.cloud import OWN_WRITER, Cloud, run_now
from local.simulation.functions_host import FunctionsHost
from local.simulation.ground_truth import ActionOrder, GroundTruth, ImageTruth
from local.simulation.instances import Instances
from local.simulation.observations import definitions_written, waits_for_decision_on_health
from local.simulation.scenario import HOME, OPERATOR, SUBSCRIPTION, ActionKind, Build, UserAction
from shared.adapters.memory.characters import Character
from shared.domain.actions import Action, Request
from shared.domain.facts import ProvisioningState, RegionState, RegionTargetFacts, VersionFacts
from shared.domain.image import VersionId
from shared.domain.messages import VersionWritten
from shared.domain.release import Answer, Gate, Release
from shared.engine.act import act
from shared.engine.apply_action import ActionDenied
from shared.ports import Conflict, MachineSpec, Refused, World

OPERATOR_ROUND: Final = timedelta(hours=1)
"""How often operators look for releases that have stalled."""
FOREIGN_REGION: Final = "japaneast"
"""A region that no ring names, and that users add."""


class Casting:
    """Which character each boot-test machine has: the next one of its image's, counted in each region."""

    def __init__(self) -> None:
        """Begin without images."""
        self._characters: dict[tuple[str, str], tuple[Character, ...]] = {}
        self._made: Counter[tuple[str, str, str]] = Counter()

    def __call__(self, spec: MachineSpec, _: int) -> Character:
        """The character of a new machine."""
        image = (spec.image.definition.name, str(spec.image.number))
        self._made[*image, spec.region] += 1
        characters = self._characters[image]
        return characters[min(self._made[*image, spec.region], len(characters)) - 1]

    def assign(self, version: VersionId, characters: tuple[Character, ...]) -> None:
        """A new image bears this number from now on."""
        image = (version.definition.name, str(version.number))
        self._characters[image] = characters
        for key in [key for key in self._made if key[:2] == image]:
            del self._made[key]


class Timeline(Protocol):
    """What the workload needs of the run that it is part of."""

    def plan(self, delay: timedelta, act: Callable[[], None]) -> None:
        """Call something after a delay; the run does not end before."""
        ...

    def rows(self) -> list[Release]:
        """Every row of the ledger."""
        ...

    def record(self, text: str) -> None:
        """Add a line to the history."""
        ...


@dataclass(slots=True)
class Workload:
    """Builders and users."""

    cloud: Cloud
    host: FunctionsHost
    truth: GroundTruth
    casting: Casting
    timeline: Timeline
    rng: Random
    instances: Instances
    plan_scans: Callable[[Build, ImageTruth], None]
    """Tells the scanners of a new version."""
    builds: dict[VersionId, Build] = field(default_factory=dict)
    """The newest build of each version."""
    disturbed: set[VersionId] = field(default_factory=set)
    """Versions that users deleted, or whose numbers were used again: how they end is up to users."""
    last_resent: datetime | None = None
    """When operators last sent something again."""
    _events: int = 0
    _requests: int = 0

    # --- builders -----------------------------------------------------------------------------------------------------

    def build(self, build: Build) -> None:
        """Publish a version, and have its events delivered and its scans made."""
        version = build.version
        names, shown = [each.name for each in build.characters], ", visible" if build.is_visible else ""
        self.timeline.record(f"built {version.short}{shown}: {names}, scans {build.scans}")
        if version in self.builds:
            self.disturbed.add(version)
        self.builds[version] = build
        self.casting.assign(version, build.characters)
        made = self.cloud.galleries.build(
            VersionFacts(
                version,
                ProvisioningState.CREATING,
                HOME,
                source_id=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/images/base",
                targets=(RegionTargetFacts(HOME, excluded=not build.is_visible),),
                excluded=not build.is_visible,
                os_disk_gb=30,
            )
        )
        self.cloud.activity_log.record(version, "builder")
        assert made.published_at is not None
        truth = ImageTruth(build.boots, made.published_at)
        self.truth.images[version, made.published_at.isoformat()] = truth
        for at in build.events:
            self.timeline.plan(max(at, timedelta(0)), lambda: self.deliver_event(version, "builder"))
        self.plan_scans(build, truth)

    def deliver_event(self, version: VersionId, writer: str) -> None:
        """Event Grid delivers that somebody wrote a version."""
        self._events += 1
        self.host.deliver_event(VersionWritten(version, f"event-{self._events}", self.host.scheduler.now, writer))

    def deliver_own_events(self, version: VersionId) -> None:
        """The app wrote a version: its event is delivered later, perhaps twice or never."""
        for _ in range(self.rng.choice((0, 1, 1, 1, 2))):
            wait = timedelta(seconds=self.rng.uniform(1, 600))
            self.timeline.plan(wait, lambda: self.deliver_event(version, OWN_WRITER))

    # --- users --------------------------------------------------------------------------------------------------------

    def perform(self, action: UserAction) -> None:
        """Do what a user does."""
        self.timeline.record(f"user: {action.kind} {action.version.short if action.version else ''}")
        if action.policy is not None:
            self.truth.add_policy(action.policy)
            self.timeline.plan(self.instances.deploy(self.host.world.policy), self.instances.roll_out)
            self.host.world = replace(self.host.world, policy=action.policy)
        elif action.version is None:
            raise ValueError(f"{action.kind} needs a version or a policy")
        elif action.kind is ActionKind.DELETE:
            self.disturbed.add(action.version)
            self.cloud.galleries.remove(action.version)
        elif action.kind is ActionKind.REWRITE:
            self.deliver_event(action.version, "user")
        else:
            self._write(action.version, action.kind)

    def _write(self, version: VersionId, kind: ActionKind) -> None:
        """Read the version, change it and write it, as a user's script does."""
        galleries = self.cloud.galleries
        facts = run_now(galleries.version(version))
        if facts is None:
            return
        targets, excluded = facts.targets, facts.excluded
        if kind is ActionKind.ADD_REGION:
            targets = (*targets, RegionTargetFacts(FOREIGN_REGION, excluded=True))
        else:
            targets, excluded = tuple(replace(target, excluded=True) for target in targets), True
        try:
            run_now(galleries.write_targets(facts, targets, excluded=excluded))
        except Conflict:
            self.timeline.plan(timedelta(seconds=self.rng.uniform(5, 40)), lambda: self._write(version, kind))
        except Refused as refused:
            self.timeline.record(f"user was refused: {refused}")
        else:
            self.deliver_event(version, "user")

    def operate(self) -> None:
        """Operators send again what has stalled, in this round and in every later one."""
        for row in self.timeline.rows():
            if waits_for_decision_on_health(row):
                self._decide_on_health(row)
            if any(each.parked for each in row.pending.values()):
                version = row.version
                self.timeline.record(f"operators send {version.short} again: {dict(row.stalls)}")
                self._remove_failed_regions(version)
                self.host.invoke(
                    "resend",
                    self._acting(version, Action.RESEND),
                    self._on_resent,
                    subject=version.short,
                )
        self.host.scheduler.call_later(OPERATOR_ROUND, self.operate)

    def _decide_on_health(self, row: Release) -> None:
        """Operators watch again what failed, or accept it, by turns; what is not known they can only accept."""
        failed = any(each.gate is Gate.HEALTH and each.answer is Answer.REJECT for each in row.gates)
        action = Action.RETRY if failed and self._requests % 2 else Action.RESUME
        self.timeline.record(f"operators {action} {row.version.short}: its health waits for a decision")
        self.host.invoke("act", self._acting(row.version, action), self._on_resent, subject=row.version.short)

    def _on_resent(self, said: str | None, _: BaseException | None) -> None:
        if said is not None and said.startswith("taken"):
            self.last_resent = self.host.scheduler.now

    def _acting(self, version: VersionId, action: Action) -> Callable[[World, datetime, Invocation], Awaitable[str]]:
        """A call of the HTTP API: what it denies is an answer, and no fault."""
        self._requests += 1
        request = Request(action, OPERATOR, f"operator-{self._requests:08}", reason="the cause is corrected")
        self.truth.add_order(version, request.key, ActionOrder(action, OPERATOR, request.reason))

        async def call(world: World, now: datetime, _: Invocation) -> str:
            try:
                taken = await act(version, request, world, now=now)
            except ActionDenied as denied:
                return f"denied: {denied}"
            return f"taken: {taken.record.action.value}"

        return call

    def _remove_failed_regions(self, version: VersionId) -> None:
        """Operators remove regions that will never replicate and that no ring wants: a former policy's, or a user's."""
        policy = self.host.world.policy.definitions.get(version.definition)
        if policy is None:
            return
        for definition in definitions_written(policy):
            facts = run_now(self.cloud.galleries.version(definition.version(version.number), replication=True))
            seen = facts.replication.regions if facts and facts.replication else {}
            wanted = {region for ring in policy.rings if ring.definition == definition for region in ring.region_names}
            idle = {region for region, each in seen.items() if each.state is RegionState.FAILED} - wanted
            if facts and idle:
                left = tuple(target for target in facts.targets if target.region not in idle)
                with contextlib.suppress(Conflict):
                    run_now(self.cloud.galleries.write_targets(facts, left, excluded=facts.excluded))
