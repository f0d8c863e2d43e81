"""Mutants: faults built into the app on purpose, one protection switched off at a time.

They show that the simulation detects what the protection prevents. In a mutant, a port lacks what the protection rests
on, or the app reads another policy than the checks; the app's own code stays as it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from local.simulation.people import PEOPLE
from local.simulation.scenario import INSTANCES_NEEDED
from local.simulation.simulator import Mutant
from shared.adapters.memory.usage import COMPUTE
from shared.domain.access import Access, Role
from shared.domain.actions import Action, ActionRecord
from shared.domain.facts import RegionTargetFacts, VersionFacts
from shared.domain.health import FleetFacts
from shared.domain.health_rules import HealthRules, OnUnknown, ScaleSetRules
from shared.domain.image import DefinitionId, VersionId
from shared.domain.messages import Command
from shared.domain.policy import DefinitionPolicy, Policy, Twins, ValidationRules, VisibleBeforeProof
from shared.domain.release import Answer, Gate, GateRecord, Release
from shared.domain.usage import SCALE_SETS, Lookup, UsagePage
from shared.ports import FleetQuestion, OwnMachine, PassingFault, Refused, Stored


@dataclass
class _Port:
    """A port that does what the real one does, except for what a mutant changes."""

    port: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)


class NoOutbox(_Port):
    """Every command is marked as sent with the write of the row: nothing is left to send again."""

    async def insert(self, release: Release) -> Stored:
        return _unmarked(await self.port.insert(_all_sent(release)), release)

    async def replace(self, stored: Stored, release: Release, *, archive: Release | None = None) -> Stored:
        return _unmarked(await self.port.replace(stored, _all_sent(release), archive=archive), release)


def _all_sent(release: Release) -> Release:
    return replace(release, pending={key: replace(each, sent=True) for key, each in release.pending.items()})


def _unmarked(stored: Stored, release: Release) -> Stored:
    # The engine still sees what it has to send; only the row says that it is sent.
    return Stored(release, stored.etag)


class AnySequence(Release):
    """A release that accepts any command of a branch that waits for one."""

    def expects(self, command: Command) -> bool:
        return str(command.branch) in self.pending


class AllProven(Release):
    """A release of which every gate counts as passed that only ``missing_proof`` asks for.

    A ring's replicas and boot tests are left out if they have passed: without them, nothing would be published at all.
    """

    def gate(self, gate: Gate, ring: str | None = None, region: str | None = None) -> GateRecord | None:
        if ring is not None and gate in {Gate.REPLICATION, Gate.BOOT_TEST}:
            return super().gate(gate, ring, region)
        incarnation, evidence = self.incarnation or "", "assumed"
        return GateRecord(
            gate, Answer.PASS, self.updated_at, incarnation, self.policy_digest, evidence, ring=ring, region=region
        )


class NoLease(_Port):
    """Every writer gets the lease at any time."""

    async def acquire_lease(self, definition: DefinitionId, holder: str, *, until: datetime, now: datetime) -> bool:
        return True


class NoMerge(_Port):
    """A write names the regions that it adds and the home region, and drops the others."""

    async def write_targets(
        self, version: VersionFacts, targets: Sequence[RegionTargetFacts], *, excluded: bool
    ) -> None:
        known = {target.region: target for target in version.targets}
        wanted = [each for each in targets if each != known.get(each.region) or each.region == version.location]
        await self.port.write_targets(version, wanted, excluded=excluded)


class NotHidden(_Port):
    """A replica that is added is visible to ``latest`` at once: its ring is published ahead of its turn."""

    async def write_targets(
        self, version: VersionFacts, targets: Sequence[RegionTargetFacts], *, excluded: bool
    ) -> None:
        shown = [each if each.region in version.regions else replace(each, excluded=False) for each in targets]
        await self.port.write_targets(version, shown, excluded=excluded)


class AnyRing(Release):
    """A release in which the verdict of a gate in one ring counts in every ring, as for a ring ahead."""

    def gate(self, gate: Gate, ring: str | None = None, region: str | None = None) -> GateRecord | None:
        found = super().gate(gate, ring, region)
        rings = {each.ring: each.region for each in self.gates if ring and each.gate is gate and each.ring}
        others = (super(AnyRing, self).gate(gate, name, place) for name, place in rings.items())
        return found or next((each for each in others if each is not None), None)


@dataclass
class NoReadBack(_Port):
    """Reads return what was written, whether or not it is there."""

    written: dict[VersionId, tuple[tuple[RegionTargetFacts, ...], bool]]

    async def write_targets(
        self, version: VersionFacts, targets: Sequence[RegionTargetFacts], *, excluded: bool
    ) -> None:
        self.written[version.id] = (tuple(targets), excluded)
        await self.port.write_targets(version, targets, excluded=excluded)

    async def versions(self, definition: DefinitionId) -> Sequence[VersionFacts]:
        return [self._believed(facts) for facts in await self.port.versions(definition)]

    def _believed(self, facts: VersionFacts) -> VersionFacts:
        if facts.id not in self.written:
            return facts
        targets, excluded = self.written[facts.id]
        return replace(facts, targets=targets, excluded=excluded)


class NoEvidence(_Port):
    """A verdict counts although its evidence could not be written."""

    async def put(self, name: str, document: Mapping[str, Any]) -> None:
        try:
            await self.port.put(name, document)
        except PassingFault:
            return


class NoRecognition(_Port):
    """A version is identified by its last write, not by its publication: the app's own writes make it another."""

    async def version(self, version: VersionId, *, replication: bool = False) -> VersionFacts | None:
        return self._dated(await self.port.version(version, replication=replication))

    async def versions(self, definition: DefinitionId) -> Sequence[VersionFacts]:
        return [self._dated(facts) for facts in await self.port.versions(definition)]

    def _dated(self, facts: VersionFacts | None) -> Any:
        if facts is None or facts.published_at is None:
            return facts
        writes = sum(target.excluded is False for target in facts.targets) + len(facts.targets) - 1
        return replace(facts, published_at=facts.published_at + timedelta(microseconds=writes))


class NoSweep(_Port):
    """The sweep finds nothing that a crash left behind."""

    async def ours(self) -> Sequence[OwnMachine]:
        return []


class NoTimer(_Port):
    """No command in the ledger is ever sent again."""

    async def rows(self, *, definition: DefinitionId | None = None, unsettled: bool = False) -> AsyncIterator[Stored]:
        if not unsettled:
            async for stored in self.port.rows(definition=definition):
                yield stored


class NotHeld(Release):
    """A release that nobody holds, whatever people ordered."""

    @property
    def hold(self) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return None


class AllApproved(Release):
    """A release whose ring has the approvals of two people, whatever people ordered."""

    def taken(self, *actions: Action) -> tuple[ActionRecord, ...]:
        taken = super().taken(*actions)
        return (*taken, self._approval("one"), self._approval("two")) if Action.APPROVE in actions else taken

    def _approval(self, by: str) -> ActionRecord:
        incarnation, digest = self.incarnation, self.policy_digest
        return ActionRecord(
            Action.APPROVE, datetime.max.replace(tzinfo=UTC), by, by, by, incarnation, digest, by, ring=self.ring
        )


@dataclass
class ReadAs(_Port):
    """A ledger whose rows are read as a type that finds something fulfilled which is not."""

    row_type: type[Release]

    async def read(self, version: VersionId) -> Stored | None:
        stored = await self.port.read(version)
        if stored is None:
            return None
        values = {name: getattr(stored.release, name) for name in Release.__dataclass_fields__}
        return Stored(self.row_type(**values), stored.etag)


class FewAreMany(_Port):
    """Too few instances count as many: what is not known counts as what it seems to be."""

    async def fleet(self, question: FleetQuestion) -> FleetFacts:
        found: FleetFacts = await self.port.fleet(question)
        return replace(found, instances=replace(found.instances, good=found.instances.good * 100))


class NoFailure(_Port):
    """Rows in which no health of a ring has failed."""

    async def read(self, version: VersionId) -> Stored | None:
        stored = await self.port.read(version)
        if stored is None:
            return None
        gates = tuple(each for each in stored.release.gates if each not in stored.release.health_failures)
        return Stored(replace(stored.release, gates=gates), stored.etag)


class NoKeys(_Port):
    """Rows in which no action has the idempotency key of its request."""

    async def read(self, version: VersionId) -> Stored | None:
        stored = await self.port.read(version)
        return None if stored is None else Stored(_with_keys(stored.release, lambda key: f"{key}~"), stored.etag)

    async def insert(self, release: Release) -> Stored:
        return await self.port.insert(_with_keys(release, _own_key))

    async def replace(self, stored: Stored, release: Release, *, archive: Release | None = None) -> Stored:
        return await self.port.replace(stored, _with_keys(release, _own_key), archive=archive)


def _own_key(key: str) -> str:
    return key.removesuffix("~")


def _with_keys(release: Release, change: Callable[[str], str]) -> Release:
    return replace(release, actions=tuple(replace(each, key=change(each.key)) for each in release.actions))


class NoInstances(_Port):
    """Scale sets have no list of instances: only their models are looked at."""

    async def page(self, lookup: Lookup) -> UsagePage:
        page: UsagePage = await self.port.page(lookup)
        return replace(page, below=()) if lookup.kind == SCALE_SETS else page


class NoRefusal(_Port):
    """What may not be read counts as empty."""

    async def registered(self, subscription: str) -> Sequence[str]:
        try:
            return await self.port.registered(subscription)
        except Refused:
            return [COMPUTE]

    async def page(self, lookup: Lookup) -> UsagePage:
        try:
            return await self.port.page(lookup)
        except Refused:
            return UsagePage()


def without_roles(policy: Policy) -> Policy:
    """The policy by which everybody who acts in a run is an administrator."""
    access = Access({Role.ADMIN: frozenset().union(*(each.ids for each in PEOPLE))})
    return replace(
        policy, definitions={source: replace(each, access=access) for source, each in policy.definitions.items()}
    )


def without_hiding(policy: Policy) -> Policy:
    """The policy by which a version that is visible without proof is only warned of."""
    rules = ValidationRules(visible_before_proof=VisibleBeforeProof.WARN)
    changed = {source: replace(each, validation=rules) for source, each in policy.definitions.items()}
    return replace(policy, definitions=changed)


def with_boot_rules(**rules: Any) -> Callable[[Policy], Policy]:
    """The policy with other rules of the boot test."""

    def change(policy: Policy) -> Policy:
        changed = {
            source: replace(each, boot=replace(each.boot, **rules)) for source, each in policy.definitions.items()
        }
        return replace(policy, definitions=changed)

    return change


def with_health(policy: Policy) -> Policy:
    """The policy by which the health of every ring is watched, and stops further rings when it fails."""
    rules = HealthRules(
        watch_for=timedelta(minutes=10),
        every=timedelta(minutes=5),
        minimum=INSTANCES_NEEDED,
        failure_threshold=1,
        on_unknown=OnUnknown.WAIT,
        scale_sets=ScaleSetRules(ids=("scale-set",)),
    )
    return replace(
        policy,
        definitions={
            source: replace(each, rings=tuple(replace(ring, health=rules) for ring in each.rings))
            for source, each in policy.definitions.items()
        },
    )


def with_ring_scans(policy: Policy) -> Policy:
    """The policy with scan rules of its own in every ring: only ``missing_proof`` asks for those scans."""
    return replace(policy, definitions={source: _scanned_rings(each) for source, each in policy.definitions.items()})


def _scanned_rings(definition: DefinitionPolicy) -> DefinitionPolicy:
    return replace(definition, rings=tuple(replace(ring, scan=definition.scan) for ring in definition.rings))


def _without_read_back() -> Mutant:
    written: dict[VersionId, tuple[tuple[RegionTargetFacts, ...], bool]] = {}
    return Mutant(lambda world: replace(world, galleries=NoReadBack(world.galleries, written)))


MUTANTS: Final[Mapping[str, Callable[[], Mutant]]] = {
    "outbox": lambda: Mutant(lambda world: replace(world, ledger=NoOutbox(world.ledger))),
    "sequence check": lambda: Mutant(lambda world: replace(world, ledger=ReadAs(world.ledger, AnySequence))),
    "lease": lambda: Mutant(lambda world: replace(world, ledger=NoLease(world.ledger))),
    "merge of regions": lambda: Mutant(lambda world: replace(world, galleries=NoMerge(world.galleries))),
    "hiding of replicas": lambda: Mutant(lambda world: replace(world, galleries=NotHidden(world.galleries))),
    "proof of each ring": lambda: Mutant(lambda world: replace(world, ledger=ReadAs(world.ledger, AnyRing))),
    "read-back": _without_read_back,
    "evidence requirement": lambda: Mutant(lambda world: replace(world, evidence=NoEvidence(world.evidence))),
    "proof check": lambda: Mutant(
        lambda world: replace(world, ledger=ReadAs(world.ledger, AllProven)), change_policy=with_ring_scans
    ),
    "hiding": lambda: Mutant(lambda world: replace(world, policy=without_hiding(world.policy))),
    "own-write recognition": lambda: Mutant(lambda world: replace(world, galleries=NoRecognition(world.galleries))),
    "sweep": lambda: Mutant(lambda world: replace(world, machines=NoSweep(world.machines))),
    "hold": lambda: Mutant(lambda world: replace(world, ledger=ReadAs(world.ledger, NotHeld)), needs=("people",)),
    "approvals": lambda: Mutant(
        lambda world: replace(world, ledger=ReadAs(world.ledger, AllApproved)), needs=("people",)
    ),
    "roles": lambda: Mutant(lambda world: replace(world, policy=without_roles(world.policy)), needs=("people",)),
    "idempotency key": lambda: Mutant(lambda world: replace(world, ledger=NoKeys(world.ledger)), needs=("people",)),
    "twins": lambda: Mutant(lambda world: world, change_policy=with_boot_rules(twins=Twins.IGNORED), needs=("boots",)),
    "restart of machines": lambda: Mutant(
        lambda world: world, change_policy=with_boot_rules(reboot=False), needs=("boots",)
    ),
    "unknown health": lambda: Mutant(
        lambda world: replace(world, health=FewAreMany(world.health)), change_policy=with_health
    ),
    "failed health": lambda: Mutant(
        lambda world: replace(world, ledger=NoFailure(world.ledger)), change_policy=with_health
    ),
    "instances of scale sets": lambda: Mutant(
        lambda world: replace(world, usage=NoInstances(world.usage)), needs=("people",)
    ),
    "incomplete looks": lambda: Mutant(lambda world: replace(world, usage=NoRefusal(world.usage)), needs=("people",)),
    "repetition of commands": lambda: Mutant(lambda world: replace(world, ledger=NoTimer(world.ledger))),
}
"""Protection that is switched off -> a factory of the mutant without it, called once for each run."""
