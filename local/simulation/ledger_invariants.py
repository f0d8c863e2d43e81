"""What must hold whenever the app reads or writes a row of the ledger, or sends a command."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from local.simulation.action_invariants import ActionInvariants
from local.simulation.calls import Call, Invocation
from local.simulation.check_context import CheckContext, InvocationMemory
from local.simulation.cloud import run_now
from local.simulation.laws import Law
from local.simulation.observations import (
    CARRIES_RELEASE,
    ENDED,
    CommandKey,
    is_hint,
    is_visible,
    key_of,
    pending_like,
    publication_time,
    ring_named,
)
from shared.domain.image import VersionId
from shared.domain.messages import Command, Kind
from shared.domain.release import GateRecord, Pending, Publication, Release, State
from shared.ports import Stored

type _Sent = tuple[VersionId, CommandKey, int]


class LedgerInvariants:
    """Checks every row and every command."""

    def __init__(self, context: CheckContext, actions: ActionInvariants) -> None:
        """Begin with an empty ledger."""
        self._context, self._actions = context, actions
        self._recorded: set[_Sent] = set()
        self._sent: set[_Sent] = set()
        self._waits_since: dict[VersionId, datetime] = {}
        """Since when a scan is waited for, by no instance's clock. A function reads its clock once, when it starts."""

    def row_read(self, call: Call, stored: Stored | None, memory: InvocationMemory) -> None:
        """A function read a row: does it wait for the command that the function works on?"""
        command = call.invocation.command
        if command is None or is_hint(command) or memory.has_written or stored is None:
            return
        expected = pending_like(stored.release, command)
        memory.is_stale = expected is None or expected.command.seq != command.seq

    def row_inserted(self, call: Call, stored: Stored) -> None:
        """A release began."""
        self._keep(call.invocation, None, stored.release)

    def row_replaced(self, call: Call, stored: Stored, memory: InvocationMemory) -> None:
        """A row was replaced, and perhaps the row of the number's former image archived."""
        row, former = stored.release, call.kwargs.get("archive")
        before = self._context.rows.get(row.version)
        if former is not None:
            self._check_reuse(call.invocation, former)
        for publication in row.published:
            if before is None or publication not in before.published:
                self._check_publication(call.invocation, row, publication, memory)
        self._keep(call.invocation, before, row)

    def command_sent(self, call: Call) -> None:
        """A command was sent."""
        command: Command = call.args[0]
        if is_hint(command):
            return
        sent = (command.release, key_of(command), command.seq)
        if sent not in self._recorded:
            text = f"{key_of(command)} #{command.seq} of {command.release.short} was sent and never recorded"
            self._context.broken(Law.OUTBOX, text, call.invocation)
        self._sent.add(sent)

    def _keep(self, invocation: Invocation, before: Release | None, row: Release) -> None:
        self._context.rows[row.version] = row
        self._actions.row_written(invocation, before, row)
        for pending in row.pending.values():
            self._recorded.add((row.version, key_of(pending.command), pending.command.seq))
            self._check_mark(invocation, row, pending)
        if row.state not in ENDED and not any(each.command.kind in CARRIES_RELEASE for each in row.pending.values()):
            text = f"{row.version.short} is {row.state} and waits for nothing"
            self._context.broken(Law.NOTHING_LOST, text, invocation)
        self._check_told(invocation, before, row)
        if row.state is State.QUALIFYING and (before is None or before.state is not State.QUALIFYING):
            self._waits_since[row.version] = invocation.started_at
        known = set(before.gates) if before else set()
        for record in row.gates:
            if record not in known:
                self._check_evidence(invocation, row, record, before.state if before else None)

    def _check_told(self, invocation: Invocation, before: Release | None, row: Release) -> None:
        """A release that stalls, or that goes on again, orders with the same write to tell so."""
        was, now = bool(before and _needs_people(before)), _needs_people(row)
        if was == now:
            return
        new = {key for key in row.pending if before is None or key not in before.pending}
        if not any(key.startswith("announce/") and key.endswith("stalled" if now else "-unstalled") for key in new):
            text = f"{row.version.short} {'stalled' if now else 'goes on again'}, and nobody is told"
            self._context.broken(Law.OUTBOX, text, invocation)

    def _check_reuse(self, invocation: Invocation, former: Release) -> None:
        facts = run_now(self._context.cloud.galleries.version(former.version))
        if facts is not None and publication_time(facts) == former.incarnation:
            text = f"{former.version.short} started again although its image is the same"
            self._context.broken(Law.OWN_WRITES, text, invocation)

    def _check_publication(
        self, invocation: Invocation, row: Release, publication: Publication, memory: InvocationMemory
    ) -> None:
        policy = self._context.truth.policies[row.policy_digest]
        target = ring_named(policy, publication.ring).definition.version(row.version.number)
        facts = run_now(self._context.cloud.galleries.version(target))
        for region in publication.regions:
            visible = facts is not None and is_visible(facts, region)
            if not visible and (target, region) not in memory.seen_visible:
                text = f"{target.short} is recorded as published in {region} and is not"
                self._context.broken(Law.LATEST, text, invocation)

    def _check_mark(self, invocation: Invocation, row: Release, pending: Pending) -> None:
        command = pending.command
        if pending.sent and not pending.parked and (row.version, key_of(command), command.seq) not in self._sent:
            text = f"{key_of(command)} #{command.seq} of {row.version.short} is marked as sent and was not sent"
            self._context.broken(Law.OUTBOX, text, invocation)

    def _check_evidence(self, invocation: Invocation, row: Release, record: GateRecord, before: State | None) -> None:
        evidence = self._context.proof.evidence(record.evidence)
        if evidence is None:
            text = f"{row.version.short} has a verdict without evidence: {record.evidence}"
            self._context.broken(Law.PROOF, text, invocation)
        elif not evidence.says(row, record):
            text = f"the evidence {record.evidence} says something else than the verdict"
            self._context.broken(Law.PROOF, text, invocation)
        elif before is State.QUALIFYING and "deadline" in evidence.document["facts"]:
            self._check_deadline(invocation, row, record)

    def _check_deadline(self, invocation: Invocation, row: Release, record: GateRecord) -> None:
        """No clock that is ahead ends the wait for a scan before its time."""
        policy = self._context.truth.policies[record.policy_digest]
        waited = invocation.started_at - self._waits_since[row.version]
        if waited < policy.scan.deadline:
            text = f"{row.version.short} waited for its scan for {waited} of {policy.scan.deadline}"
            self._context.broken(Law.NOTHING_LOST, text, invocation)


def _needs_people(row: Release) -> bool:
    return any(each.stalled and each.command.kind is not Kind.ANNOUNCE for each in row.pending.values())


def repeats_itself(call: Call) -> bool:
    """Whether a function sends the very command again that it works on. That changes nothing, so a stale one may."""
    command = call.invocation.command
    if call.name != "queues.send" or command is None:
        return False
    sent: Command = call.args[0]
    return (key_of(sent), sent.seq) == (key_of(command), command.seq)


def only_adds_publication(call: Call) -> bool:
    """Whether a function only records what it published before the row moved on. A stale one may."""
    if call.name != "ledger.replace":
        return False
    before: Release = call.args[0].release
    after: Release = call.args[1]
    added = {"published": after.published, "history": after.history, "updated_at": after.updated_at}
    return len(after.published) > len(before.published) and replace(before, **added) == after
