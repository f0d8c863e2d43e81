"""The laws of the product as invariants over the ledger, the galleries, the machines and the messages.

The numbers are those of the design. Every check asks the cloud for the truth and never the app: a law that the app
believes it keeps and doesn't is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from local.simulation.calls import Call, Invocation
from local.simulation.cloud import Cloud, run_now
from local.simulation.ground_truth import GroundTruth
from local.simulation.scheduler import Scheduler
from shared.domain.facts import RegionState, VersionFacts
from shared.domain.image import DefinitionId, VersionId, VersionNumber
from shared.domain.lifecycle import missing_proof
from shared.domain.messages import Command, Kind
from shared.domain.policy import DefinitionPolicy, Ring
from shared.domain.release import Answer, Pending, Release
from shared.gallery.incarnation import incarnation_of
from shared.ports import INCARNATION_TAG, Stored

WRITES: Final = frozenset(
    {
        "galleries.write_targets",
        "galleries.copy_version",
        "machines.create",
        "machines.start_probe",
        "machines.delete",
        "machines.delete_part",
        "ledger.insert",
        "ledger.replace",
        "evidence.put",
        "publisher.publish",
        "queues.send",
    }
)
SKEW: Final = timedelta(minutes=2)
"""How wrong two clocks together may be."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken law."""

    law: int
    text: str
    at: datetime
    invocation: Invocation | None

    def __str__(self) -> str:
        who = f" in invocation {self.invocation.number} ({self.invocation.function})" if self.invocation else ""
        return f"law {self.law} at {self.at:%d %H:%M:%S}{who}: {self.text}"


@dataclass(slots=True)
class _Memory:
    """What is remembered of one run."""

    read_at: dict[VersionId, int] = field(default_factory=dict)
    seen: set[tuple[VersionId, str]] = field(default_factory=set)
    wrote: bool = False
    stale: bool = False


@dataclass(slots=True)
class _Before:
    """How things stood before a write to a gallery."""

    facts: VersionFacts | None
    statuses: Mapping[str, RegionState]
    latest: Mapping[str, VersionNumber | None]


class Invariants:
    """Checks every call, before and after it takes effect."""

    def __init__(
        self, cloud: Cloud, scheduler: Scheduler, truth: GroundTruth, on_violation: Callable[[Violation], None]
    ) -> None:
        """``on_violation`` is told of every violation."""
        self._cloud, self._scheduler, self._truth, self._on_violation = cloud, scheduler, truth, on_violation
        self._memories: dict[int, _Memory] = {}
        self._sent: set[tuple[VersionId, str, int]] = set()
        self._decided: set[tuple[VersionId, str, int]] = set()
        self._rows: dict[VersionId, Release] = {}
        self._wrote: dict[VersionId, tuple[int, int]] = {}
        self._count = 0
        self._before: dict[int, _Before] = {}

    # --- the watcher --------------------------------------------------------------------------------------------------

    def before_call(self, call: Call) -> None:
        """A call is about to take effect."""
        if call.name == "galleries.write_targets":
            self._before[call.invocation.number] = self._standing(call.args[0].id)

    def after_call(self, call: Call, result: Any) -> None:
        """A call took effect."""
        self._count += 1
        memory = self._memories.get(call.invocation.number)
        if memory is None:
            memory = self._memories[call.invocation.number] = _Memory()
        if call.name in WRITES and not _postpones(call) and not _remembers(call):
            if memory.stale:
                self._break(5, f"a stale command still did {call.name}", call.invocation)
            memory.wrote = True
        check = _CHECKS.get(call.name)
        if check is not None:
            check(self, call, result, memory)

    def invocation_ended(self, invocation: Invocation) -> None:
        """An invocation of a function is over."""
        self._memories.pop(invocation.number, None)

    def _break(self, law: int, text: str, invocation: Invocation | None) -> None:
        self._on_violation(Violation(law, text, self._scheduler.now, invocation))

    # --- galleries ----------------------------------------------------------------------------------------------------

    def _standing(self, version: VersionId) -> _Before:
        facts = run_now(self._cloud.galleries.version(version, replication=True))
        regions = self._regions(version.definition)
        latest = {region: self._cloud.galleries.resolve_latest(version.definition, region) for region in regions}
        seen = facts.replication.regions if facts and facts.replication else {}
        return _Before(facts, {region: each.state for region, each in seen.items()}, latest)

    def _regions(self, definition: DefinitionId) -> set[str]:
        versions = run_now(self._cloud.galleries.versions(definition))
        return {region for facts in versions for region in facts.regions}

    def _read(self, call: Call, _: Any, memory: _Memory) -> None:
        memory.read_at[call.args[0]] = self._count

    def _listed(self, call: Call, result: Any, memory: _Memory) -> None:
        for facts in result:
            memory.read_at[facts.id] = self._count
            for region in facts.regions:
                if facts.visible_in(region):
                    memory.seen.add((facts.id, region))

    def _written(self, call: Call, _: Any, memory: _Memory) -> None:
        version: VersionId = call.args[0].id
        before, now = self._before.pop(call.invocation.number), self._standing(version)
        assert now.facts is not None, "a write to what is not there is refused"
        if before.facts is not None:
            self._not_dropped(call.invocation, before, now.facts)
            self._proven(call.invocation, before.facts, now.facts, memory)
        for region, was in before.latest.items():
            then = now.latest.get(region)
            backwards = was is not None and (then is None or then < was)
            if backwards and not self._ordered(call, then) and not (was == version.number and self._unproven(before)):
                self._break(3, f"latest in {region} went from {was} to {then or 'nothing'}", call.invocation)
        self._not_stale(call.invocation, version, memory)
        self._wrote[version] = (self._count, call.invocation.number)

    def _ordered(self, call: Call, then: VersionNumber | None) -> bool:
        """Whether ``latest`` may go back: a revocation was ordered, and where it goes empty, the policy allows that."""
        command = call.invocation.command
        if command is None or command.kind is not Kind.REVOKE:
            return False
        policy = self._truth.policies[self._rows[command.release].policy_digest]
        return then is not None or policy.scan.revoke_to_empty

    def _unproven(self, before: _Before) -> bool:
        """Whether what was hidden bears its number since after the proof: published in between, it must go again."""
        facts = before.facts
        row = self._rows.get(self._truth.source_of(facts.id)) if facts else None
        return facts is not None and row is not None and self.bearer_of(facts) != row.incarnation

    def bearer_of(self, facts: VersionFacts) -> str | None:
        """The incarnation of a version, or of the version that it is a copy of."""
        return incarnation_of(facts) if self._truth.source_of(facts.id) == facts.id else facts.tags.get(INCARNATION_TAG)

    def _not_dropped(self, invocation: Invocation, before: _Before, facts: VersionFacts) -> None:
        assert before.facts is not None
        for region in before.facts.regions:
            if region not in facts.regions and before.statuses.get(region) is not RegionState.FAILED:
                self._break(4, f"{region} was dropped from {facts.id.short}", invocation)

    def _not_stale(self, invocation: Invocation, version: VersionId, memory: _Memory) -> None:
        last = self._wrote.get(version)
        read = memory.read_at.get(version, 0)
        if last is not None and last[1] != invocation.number and last[0] > read:
            text = f"{version.short} was written on the ground of facts from before the write of invocation {last[1]}"
            self._break(4, text, invocation)

    # --- proof --------------------------------------------------------------------------------------------------------

    def _proven(self, invocation: Invocation, before: VersionFacts, facts: VersionFacts, memory: _Memory) -> None:
        shown = [region for region in facts.regions if facts.visible_in(region) and not before.visible_in(region)]
        if not shown:
            return
        source = self._truth.source_of(facts.id)
        row = self._rows.get(source)
        if row is None:
            self._break(2, f"{facts.id.short} was published without a release", invocation)
            return
        incarnation = self.bearer_of(facts)
        if facts.published_at and facts.published_at >= invocation.started_at:
            # Versions have no ETag: nothing can prevent this when the number is used again between the read and the
            # write of one hop. It must be hidden again; whether it was is judged in the end.
            return
        if incarnation != row.incarnation:
            self._break(2, f"another bearer of {facts.id.short} was published than the proven one", invocation)
            return
        truth = self._truth.images.get((source, incarnation or ""))
        if truth is None or not truth.boots or not truth.has_clean_scan:
            self._break(2, f"{facts.id.short} was published and is bad: {truth}", invocation)
        policy = self._truth.policies[row.policy_digest]
        for region in shown:
            rings = [
                ring for ring in policy.rings if ring.definition == facts.id.definition and region in ring.region_names
            ]
            if not any(self._ring_proven(row, policy, ring) for ring in rings):
                self._break(2, f"{facts.id.short} was published in {region} without complete proof", invocation)

    def _ring_proven(self, row: Release, policy: DefinitionPolicy, ring: Ring) -> bool:
        return not missing_proof(row, policy, ring) and row.ring == ring.name and self._baked(row, policy, ring)

    def _baked(self, row: Release, policy: DefinitionPolicy, ring: Ring) -> bool:
        index = [each.name for each in policy.rings].index(ring.name)
        before = row.published_in(policy.rings[index - 1].name) if index else None
        since = before.at if before else row.qualified_at
        if since is None or (index and before is None):
            return False
        return self._scheduler.now + SKEW >= since + ring.bake

    # --- the ledger and the queues ------------------------------------------------------------------------------------

    def _row_read(self, call: Call, result: Stored | None, memory: _Memory) -> None:
        command = call.invocation.command
        if command is None or command.is_hint or memory.wrote or result is None:
            return
        expected = result.release.pending.get(str(command.branch))
        memory.stale = expected is None or expected.command.seq != command.seq

    def _inserted(self, call: Call, result: Stored, _: _Memory) -> None:
        self._keep(call.invocation, None, result.release)

    def _replaced(self, call: Call, result: Stored, memory: _Memory) -> None:
        row, former = result.release, call.kwargs.get("archive")
        before = self._rows.get(row.version)
        if former is not None:
            self._really_reused(call.invocation, former)
        for publication in row.published:
            if before is None or publication not in before.published:
                self._holds(call.invocation, row, publication.ring, publication.regions, memory)
        self._keep(call.invocation, before, row)

    def _really_reused(self, invocation: Invocation, former: Release) -> None:
        facts = run_now(self._cloud.galleries.version(former.version))
        if facts is not None and incarnation_of(facts) == former.incarnation:
            self._break(10, f"{former.version.short} began anew although its bearer is the same", invocation)

    def _holds(
        self, invocation: Invocation, row: Release, ring: str, regions: tuple[str, ...], memory: _Memory
    ) -> None:
        policy = self._truth.policies[row.policy_digest]
        target = policy.ring(ring).definition.version(row.version.number)
        facts = run_now(self._cloud.galleries.version(target))
        for region in regions:
            visible = facts is not None and facts.visible_in(region)
            if not visible and (target, region) not in memory.seen:
                self._break(3, f"{target.short} counts as published in {region} and is not", invocation)

    def _keep(self, invocation: Invocation, before: Release | None, row: Release) -> None:
        self._rows[row.version] = row
        for branch, pending in row.pending.items():
            self._decided.add((row.version, branch, pending.command.seq))
            self._marked(invocation, row, branch, pending, before)
        if not row.state.is_terminal and not any(each.command.kind.is_gate for each in row.pending.values()):
            self._break(1, f"{row.version.short} is {row.state} and waits for nothing", invocation)
        known = set(before.gates) if before else set()
        for record in row.gates:
            if record not in known:
                self._evident(invocation, row, record.evidence, record.answer)

    def _marked(
        self, invocation: Invocation, row: Release, branch: str, pending: Pending, before: Release | None
    ) -> None:
        key = (row.version, branch, pending.command.seq)
        if pending.sent and not pending.aside and key not in self._sent:
            self._break(
                6, f"{branch} #{pending.command.seq} of {row.version.short} counts as sent and was not", invocation
            )

    def _evident(self, invocation: Invocation, row: Release, name: str, answer: Answer) -> None:
        document = run_now(self._cloud.evidence.get(name))
        if document is None:
            self._break(2, f"{row.version.short} has a verdict without evidence: {name}", invocation)
        elif document["answer"] != answer or document["version"] != str(row.version):
            self._break(2, f"the evidence {name} says something else than the verdict", invocation)

    def _queued(self, call: Call, _: Any, __: _Memory) -> None:
        command: Command = call.args[0]
        if command.is_hint:
            return
        key = (command.release, str(command.branch), command.seq)
        if key not in self._decided:
            self._break(
                6,
                f"{command.branch} #{command.seq} of {command.release.short} was sent and never decided",
                call.invocation,
            )
        self._sent.add(key)

    # --- machines -----------------------------------------------------------------------------------------------------

    def _deleted(self, call: Call, _: Any, __: _Memory) -> None:
        if call.function != "reconcile":
            return
        for row in self._rows.values():
            for pending in row.pending.values():
                command = pending.command
                if command.kind is Kind.BOOT_TEST and command.state.get("vm") == call.args[0]:
                    self._break(7, f"{call.args[0]} was swept while its test is running", call.invocation)

    def _part_deleted(self, call: Call, _: Any, __: _Memory) -> None:
        if call.args[0].lower() in self._truth.foreign_resources:
            self._break(7, f"{call.args[0]} is not ours and was deleted", call.invocation)


def _postpones(call: Call) -> bool:
    """Whether a run sends the very command again that it was asked to do: it changes nothing, and may know nothing."""
    command = call.invocation.command
    if call.name != "queues.send" or command is None:
        return False
    sent: Command = call.args[0]
    return (sent.branch, sent.seq) == (command.branch, command.seq)


def _remembers(call: Call) -> bool:
    """Whether a run only has the row know what it published before the row moved on."""
    if call.name != "ledger.replace":
        return False
    before: Release = call.args[0].release
    after: Release = call.args[1]
    gone = {"published": after.published, "history": after.history, "updated_at": after.updated_at}
    return len(after.published) > len(before.published) and replace(before, **gone) == after


type _Check = Callable[[Invariants, Call, Any, _Memory], None]
_CHECKS: Final[Mapping[str, _Check]] = {
    "galleries.version": Invariants._read,  # noqa: SLF001 - its own methods, by the name of the call that they check
    "galleries.versions": Invariants._listed,  # noqa: SLF001
    "galleries.write_targets": Invariants._written,  # noqa: SLF001
    "ledger.read": Invariants._row_read,  # noqa: SLF001
    "ledger.insert": Invariants._inserted,  # noqa: SLF001
    "ledger.replace": Invariants._replaced,  # noqa: SLF001
    "queues.send": Invariants._queued,  # noqa: SLF001
    "machines.delete": Invariants._deleted,  # noqa: SLF001
    "machines.delete_part": Invariants._part_deleted,  # noqa: SLF001
}
