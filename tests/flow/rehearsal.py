"""A rehearsal: the whole pipeline over the memory adapters, one function at a time, on a clock that it sets itself."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from local.scanner.report import report_for
from local.simulation.calls import Call, Invocation
from local.simulation.cloud import OWN_WRITER, Cloud, run_now
from local.simulation.functions_host import FunctionsHost, InvocationResult
from local.simulation.instances import ONLY_INSTANCE, Instance
from local.simulation.scheduler import Scheduler
from shared.adapters.memory.characters import CLEAN, Character
from shared.adapters.memory.galleries import Replication
from shared.domain.access import Access, Actor, Role
from shared.domain.actions import Action, Request
from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.image import DefinitionId, GalleryId, VersionId, VersionNumber
from shared.domain.messages import Kind, ScanFinished, VersionWritten
from shared.domain.outcomes import HopResult
from shared.domain.policy import (
    BootRules,
    DefinitionPolicy,
    Policy,
    RegionTarget,
    Ring,
    ScanRules,
    Severity,
    TestEnvironment,
    ValidationRules,
    VisibleBeforeProof,
)
from shared.domain.release import Gate, Release
from shared.engine.act import Taken, act
from shared.ports import MachineSpec, Stored, World
from shared.scan_gate import reports
from tests.flow.misfortunes import AnyMisfortune, Misfortunes

BEGIN = datetime(2026, 3, 2, 8, tzinfo=UTC)
SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
OTHER_SUBSCRIPTION = "00000000-0000-4000-8000-000000000002"
SOURCE = DefinitionId(GalleryId(SUBSCRIPTION, "rg-images", "gal_build"), "ubuntu")
PRODUCTION = DefinitionId(GalleryId(OTHER_SUBSCRIPTION, "rg-prod", "gal_prod"), "ubuntu")
HOME = "westeurope"
TEST = TestEnvironment(
    SUBSCRIPTION,
    "rg-test",
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-test/providers/Microsoft.Network/virtualNetworks/vnet-{{region}}/subnets/default",
)


def ring(name: str, definition: DefinitionId, *regions: str, bake: int = 0, boot_test: bool = True) -> Ring:
    """A ring; ``bake`` in minutes."""
    targets = tuple(RegionTarget(region) for region in regions)
    return Ring(name, definition, targets, bake=timedelta(minutes=bake), boot_test=boot_test)


READER, OPERATOR, APPROVER, SECOND_APPROVER, ADMIN = (
    Actor(
        f"00000000-0000-4000-8000-0000000000{number}", frozenset({f"00000000-0000-4000-8000-0000000000{number}"}), name
    )
    for number, name in ((11, "reader"), (12, "operator"), (13, "approver"), (14, "second approver"), (15, "admin"))
)
ACCESS = Access(
    {
        Role.READER: READER.ids,
        Role.OPERATOR: OPERATOR.ids,
        Role.APPROVER: APPROVER.ids | SECOND_APPROVER.ids,
        Role.ADMIN: ADMIN.ids,
    }
)
DEFINITION = DefinitionPolicy(
    "ubuntu",
    SOURCE,
    (
        ring("canary", SOURCE, "westeurope", "northeurope"),
        ring("early", SOURCE, "eastus", "westus2", bake=30),
        ring("production", PRODUCTION, "eastus2", "westeurope", bake=120),
    ),
    ScanRules({Severity.CRITICAL: 0, Severity.HIGH: 5}, deadline=timedelta(hours=24)),
    digest="digest-1",
    boot=BootRules(),
    access=ACCESS,
)
WARNING = replace(DEFINITION, validation=ValidationRules(visible_before_proof=VisibleBeforeProof.WARN))
"""The same, where nothing is hidden but by a revocation."""
SMALL = replace(DEFINITION, rings=DEFINITION.rings[:1])
"""One ring in the source gallery: for what the number of rings has no part in."""


def policy_of(*definitions: DefinitionPolicy) -> Policy:
    """A policy with these definitions."""
    return Policy(TEST, {each.source: each for each in definitions})


def small_report(words: str, version: VersionId, at: datetime) -> bytes:
    """A Trivy report of this character; of what every Ubuntu has, only a little."""
    document = report_for(words, str(version), at)
    for result in document.get("Results", ()):
        result["Packages"] = result["Packages"][:4]
        if words == "clean":
            result["Vulnerabilities"] = result["Vulnerabilities"][:3]
    return json.dumps(document).encode()


class Rehearsal:
    """A cloud in memory, the host, and people, builders and scanners who do things."""

    def __init__(
        self,
        *definitions: DefinitionPolicy,
        misfortunes: Sequence[AnyMisfortune] = (),
        replication: Callable[[VersionId, str, int], Replication] = lambda *_: Replication(),
        own_writers: Sequence[str] = (OWN_WRITER,),
        own_events: bool = True,
        absent: Sequence[DefinitionId] = (),
        reconcile: bool = True,
        adopt: bool = True,
        instance: Callable[[datetime], Instance] = lambda _: ONLY_INSTANCE,
    ) -> None:
        """``own_events``: our own writes to galleries raise events, as Azure's do.

        ``instance``: on which instance of the app a function runs, by the time.
        """
        self.scheduler = Scheduler(BEGIN)
        self.misfortunes = Misfortunes(self.scheduler.clock, misfortunes)
        self.characters: dict[VersionNumber, Sequence[Character]] = {}
        self.characters_in: dict[str, Character] = {}
        """What machines of a region are, whatever their image."""
        self.cloud = Cloud(
            self.scheduler.clock,
            policy_of(*(definitions or (DEFINITION,))),
            home=HOME,
            replication=replication,
            casting=self._cast,
            own_writers=own_writers,
            absent=absent,
        )
        self.hops: list[tuple[Invocation, HopResult]] = []
        self.done: list[tuple[datetime, Call]] = []
        self.events = 0
        self._keys = 0
        self._planned = 0
        self.host = FunctionsHost(
            self.scheduler,
            self.cloud.world,
            self.cloud.queues,
            injector=self.misfortunes,
            observer=_Observer(self._observe),
            instance=lambda: instance(self.scheduler.now),
        )
        self.host.on_step = lambda invocation, step: self.hops.append((invocation, step))
        self._own_events = own_events
        if adopt:
            self.adopt()
        if reconcile:
            self.scheduler.call_later(timedelta(minutes=5), lambda: self.host.reconcile_every(timedelta(minutes=5)))

    # --- what builders, scanners and people do ------------------------------------------------------------------------

    def publish(
        self,
        number: str = "1.0.0",
        *,
        definition: DefinitionId = SOURCE,
        character: Character | Sequence[Character] = CLEAN,
        scan: str | None = "clean",
        scan_after: timedelta = timedelta(minutes=10),
        events: Sequence[timedelta] = (timedelta(minutes=4),),
        excluded: bool = True,
        regions: Sequence[str] = (HOME,),
        writer: str = "builder",
    ) -> VersionId:
        """A builder publishes a version now; its events come after these times, a scan's report after its own."""
        version = definition.version(VersionNumber.parse(number))
        self.characters[version.number] = [character] if isinstance(character, Character) else character
        self.cloud.galleries.build(
            VersionFacts(
                version,
                ProvisioningState.CREATING,
                HOME,
                source_id=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/images/base",
                targets=tuple(RegionTargetFacts(region, excluded=excluded) for region in regions),
                excluded=excluded,
                os_disk_gb=30,
            )
        )
        self.cloud.activity_log.record(version, writer)
        for wait in events:
            self._plan(wait, lambda: self.event(version, writer))
        if scan is not None:
            self._plan(scan_after, lambda: self.scan(version, scan))
        return version

    def event(self, version: VersionId, writer: str | None = "builder") -> None:
        """Event Grid delivers that somebody wrote a version."""
        self.events += 1
        self.host.deliver_event(VersionWritten(version, f"event-{self.events}", self.scheduler.now, writer))

    def scan(self, version: VersionId, words: str = "clean", *, body: bytes | None = None) -> None:
        """A scanner posts its report: of this character, or these very bytes."""
        report = small_report(words, version, self.scheduler.now) if body is None else body

        async def post(world: World, now: datetime, _: Invocation) -> str:
            name = await world.evidence.save_report(version, "trivy", report, at=now)
            return await reports.scan_finished(ScanFinished(version, name, now), world, now=now)

        self.host.post_report(post, version.short)

    def take(
        self, action: Action, version: VersionId, by: Actor = OPERATOR, reason: str = "because", **more: Any
    ) -> Taken:
        """Somebody takes an action now. Raises ActionDenied."""
        self._keys += 1
        request = Request(action, by, more.pop("key", f"key-{self._keys:08}"), reason, **more)
        return run_now(act(version, request, self.host.world, now=self.scheduler.now))

    def change_policy(self, *definitions: DefinitionPolicy) -> None:
        """A new policy is deployed."""
        self.host.world = replace(self.host.world, policy=policy_of(*definitions))

    def adopt(self) -> None:
        """The app looks after its definitions from now on."""
        for definition in self.host.world.policy.definitions:
            run_now(self.cloud.ledger.adopted(definition, now=self.scheduler.now))

    def after(self, minutes: float, act: Callable[[], Any]) -> None:
        """Do something later."""
        self._plan(timedelta(minutes=minutes), act)

    def _plan(self, wait: timedelta, act: Callable[[], Any]) -> None:
        def do() -> None:
            self._planned -= 1
            act()

        self._planned += 1
        self.scheduler.call_later(wait, do)

    # --- running ------------------------------------------------------------------------------------------------------

    def run(self, limit: timedelta = timedelta(days=4)) -> "Rehearsal":
        """Let it all happen until every release has settled, no message is left and nothing of ours runs.

        Fails when that takes longer than ``limit``. At least one round of reconciliation comes to pass.
        """
        at_least = self.scheduler.now + timedelta(minutes=6)
        finished = self.scheduler.run_until(
            lambda: self.scheduler.now >= at_least and self._quiet(), deadline=self.scheduler.now + limit
        )
        assert finished, f"not settled after {limit}: {self.open()}"
        return self

    def wait(self, hours: float = 0, *, minutes: float = 0) -> "Rehearsal":
        """Let time pass, whatever happens."""
        self.scheduler.run_until(lambda: False, deadline=self.scheduler.now + timedelta(hours=hours, minutes=minutes))
        return self

    def until(self, state: Callable[[], bool], limit: timedelta = timedelta(days=4)) -> "Rehearsal":
        """Let things happen until something holds."""
        assert self.scheduler.run_until(state, deadline=self.scheduler.now + limit), "it never came to that"
        return self

    def open(self) -> list[str]:
        """What has not settled, for whoever reads a failed test."""
        rows = [
            f"{row.version.short} {row.state}: {dict(row.stalls) or list(row.pending)} {row.history[-3:]}"
            for row in self.rows()
            if not row.is_settled
        ]
        return [*rows, f"{len(self.cloud.queues)} messages", *self.left()]

    def _quiet(self) -> bool:
        if self._planned or len(self.cloud.queues) or len(self.host.poison) or self.left():
            return False
        rows = self.rows()
        return bool(rows) and all(row.is_settled for row in rows)

    # --- what came of it ----------------------------------------------------------------------------------------------

    def rows(self) -> list[Release]:
        """Every release."""

        async def read() -> list[Release]:
            return [stored.release async for stored in self.cloud.ledger.rows()]

        return run_now(read())

    def release(self, version: VersionId) -> Release:
        """The release of a version."""
        return self.stored(version).release

    def stored(self, version: VersionId) -> Stored:
        """Its row."""
        stored = run_now(self.cloud.ledger.read(version))
        assert stored is not None, f"no release of {version.short}"
        return stored

    def has(self, version: VersionId) -> bool:
        """Whether there is a release of a version."""
        return run_now(self.cloud.ledger.read(version)) is not None

    def latest(self, definition: DefinitionId, region: str) -> str | None:
        """What Azure deploys there when no version is named."""
        found = self.cloud.galleries.resolve_latest(definition, region)
        return str(found) if found else None

    def left(self) -> Sequence[str]:
        """What of boot tests is left in the test resource group."""
        return [part for part in self.cloud.machines.everything() if "/rm-" in part]

    def effects(self, method: str) -> list[Call]:
        """The calls of a port's method that took effect."""
        return [call for _, call in self.done if call.name == method]

    def runs(self, function: str) -> list[InvocationResult]:
        """The runs of a function."""
        return [each for each in self.host.results if each.function == function]

    def crashes(self) -> int:
        """How many functions ended other than by returning."""
        return sum(each.error is not None for each in self.host.results)

    def gate(self, version: VersionId, gate: Gate) -> Any:
        """The last verdict of a gate that has no ring."""
        return self.release(version).gate(gate)

    def hints(self, kind: Kind) -> list[Invocation]:
        """The runs that a hint asked for."""
        return [run for run, _ in self.hops if run.command and run.command.is_hint and run.command.kind is kind]

    def letters(self) -> list[Any]:
        """Dead letters."""

        async def read() -> list[Any]:
            return [letter async for letter in self.cloud.ledger.dead_letters()]

        return run_now(read())

    def put(self, kind: Kind, body: bytes) -> None:
        """Somebody puts bytes into a queue."""
        self.cloud.queues.put(kind, body)

    def do(self, work: Callable[[World, datetime], Any]) -> Any:
        """Run something with the bare world, as the command line would."""
        return run_now(work(self.cloud.world, self.scheduler.now))

    # --- the platform -------------------------------------------------------------------------------------------------

    def _cast(self, spec: MachineSpec, asked: int) -> Character:
        if spec.region in self.characters_in:
            return self.characters_in[spec.region]
        characters = self.characters[spec.image.number]
        return characters[min(asked, len(characters)) - 1]

    def _observe(self, call: Call) -> None:
        self.done.append((self.scheduler.now, call))
        if not self._own_events:
            return
        if call.name == "galleries.write_targets":
            self.after(1, lambda: self.event(call.args[0].id, OWN_WRITER))
        elif call.name == "galleries.copy_version":
            self.after(1, lambda: self.event(call.args[1], OWN_WRITER))


class _Observer:
    """Tells of every call that took effect."""

    def __init__(self, tell: Callable[[Call], None]) -> None:
        self._tell = tell

    def before_call(self, call: Call) -> None:
        pass

    def after_call(self, call: Call, result: Any) -> None:
        self._tell(call)
