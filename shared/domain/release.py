"""A release: the rollout of one image version, which is one ledger row.

The row joins parallel branches, identifies duplicate messages, and shows the status. Rules:

* ``seq`` grows with every transition. A branch's pending command carries the ``seq`` that sent it; only that one
  counts.
* Commands are written into the row before they are sent (an outbox) and marked sent afterwards.
* A gate counts only with the incarnation of the version and the policy digest under which it passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.domain.actions import Action, ActionRecord
from shared.domain.boot_test.identities import BootedMachine
from shared.domain.image import VersionId
from shared.domain.messages import Branch, Command

BUILDERS: Final = "builders"
"""Name of the trait with the ids of whoever created the version, separated by spaces."""

HISTORY_KEPT = 120


class State(StrEnum):
    """The state of a release."""

    VALIDATING = "validating"
    QUALIFYING = "qualifying"
    REPLICATING = "replicating"
    TESTING = "testing"
    BAKING = "baking"
    AWAITING_APPROVAL = "awaiting_approval"
    PUBLISHING = "publishing"
    HELD = "held"
    REVOKING = "revoking"
    RELEASED = "released"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"

    @property
    def is_terminal(self) -> bool:
        return self in {State.RELEASED, State.REJECTED, State.SUPERSEDED, State.REVOKED}

    @property
    def heeds_health(self) -> bool:
        """Whether anything still depends on the health of the rings in which the version is published."""
        return self not in {State.REJECTED, State.SUPERSEDED, State.REVOKING, State.REVOKED}


class Gate(StrEnum):
    """A check that must pass before the next step."""

    VALIDATION = "validation"
    SCAN = "scan"
    BOOT_TEST = "boot_test"
    REPLICATION = "replication"
    BAKE = "bake"
    APPROVAL = "approval"
    PUBLICATION = "publication"
    RESCAN = "rescan"
    REVOCATION = "revocation"
    HIDING = "hiding"
    HEALTH = "health"
    IN_USE = "in_use"
    """Who uses a revoked version. It decides on nothing."""

    @property
    def words(self) -> str:
        """The gate's name in texts."""
        return self.value.replace("_", " ")


class Answer(StrEnum):
    """The result of a gate. Waiting is not a result."""

    PASS = "pass"  # noqa: S105 - an answer, not a password
    REJECT = "reject"
    UNKNOWN = "unknown"
    """Of health alone: there was too little to judge by. It is never a pass."""


@dataclass(frozen=True, slots=True)
class GateRecord:
    """One gate's verdict, with what makes it valid: incarnation, policy digest and the name of its evidence."""

    gate: Gate
    answer: Answer
    at: datetime
    incarnation: str
    policy_digest: str
    evidence: str
    reasons: tuple[str, ...] = ()
    ring: str | None = None
    region: str | None = None
    retryable: bool = False
    """Whether a rejection says nothing against the image: a missing scan, a replication that failed."""
    machine: BootedMachine | None = None
    """The machine of a boot test that passed."""


def health_warning(ring: str) -> str:
    """How a warning about the health of a ring begins. The next verdict replaces it."""
    return f"health of {ring}: "


@dataclass(frozen=True, slots=True)
class Pending:
    """A command that the row expects. ``due`` is its earliest delivery; ``sent`` whether a queue has it."""

    command: Command
    due: datetime
    sent: bool = False
    decided_at: datetime | None = None
    stalled: str | None = None
    """Why this branch needs attention; None if it does not."""
    parked: bool = False
    """Whether the branch is stopped until ``resend``: the command is in no queue, and no timer sends it."""
    fault: str | None = None
    """The last error of this command, for the case that it reaches the poison queue."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A ring in which the version is ``latest``'s candidate, with the regions where it was read back."""

    ring: str
    regions: tuple[str, ...]
    at: datetime


class DriftKind(StrEnum):
    """A way in which a gallery can differ from what was published."""

    REGION_REMOVED = "region_removed"
    REPLICAS_LOWERED = "replicas_lowered"
    STORAGE_CHANGED = "storage_changed"
    HIDDEN = "hidden"
    COPY_DELETED = "copy_deleted"
    FOREIGN_LATEST = "foreign_latest"
    """``latest`` resolves to a higher number that somebody else wrote."""


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """One difference, and whether Ringmaster can repair it."""

    kind: DriftKind
    ring: str
    region: str | None
    text: str
    repairable: bool = False


@dataclass(frozen=True, slots=True)
class DriftRecord:
    """What differs now, since when, and when repairs began. ``findings`` is empty once nothing differs."""

    at: datetime
    findings: tuple[DriftFinding, ...] = ()
    repairs: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of a release's history."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Release:
    """One ledger row."""

    version: VersionId
    state: State
    seq: int
    policy_digest: str
    started_at: datetime
    updated_at: datetime
    incarnation: str | None = None
    """Azure's ``publishedDate`` of the version. It differs for a reused version number."""
    ring: str | None = None
    pending: Mapping[str, Pending] = field(default_factory=dict[str, Pending])
    gates: tuple[GateRecord, ...] = ()
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    published: tuple[Publication, ...] = ()
    qualified_at: datetime | None = None
    history: tuple[HistoryEntry, ...] = ()
    traits: Mapping[str, str] = field(default_factory=dict[str, str])
    """Properties of the image that later hops need: operating system, state, architecture, home region."""
    traceparent: str | None = None
    actions: tuple[ActionRecord, ...] = ()
    """What people did, oldest first."""
    scan_failed_at: datetime | None = None
    """When a later scan of this image failed last: approvals that were given before do not count."""
    drift: DriftRecord | None = None
    """How the galleries differ from what was published; None if they never did."""
    builder: str | None = None
    """Application or object id of who wrote the version first, in lower case, where the event told."""

    @property
    def is_settled(self) -> bool:
        """Whether the release has ended without remaining commands."""
        return self.state.is_terminal and not self.pending

    @property
    def ended_as_gone(self) -> bool:
        """Whether the release ended because its version was not found: rejected, and by no gate."""
        own = (each for each in self.gates if each.incarnation == self.incarnation and each.gate is not Gate.HEALTH)
        return self.state is State.REJECTED and not any(each.answer is Answer.REJECT for each in own)

    @property
    def stalls(self) -> Mapping[str, str]:
        """Branches that need attention, with the reason."""
        return {branch: pending.stalled for branch, pending in self.pending.items() if pending.stalled}

    def taken(self, *actions: Action) -> tuple[ActionRecord, ...]:
        """The records of these actions that were taken on this incarnation, oldest first."""
        return tuple(each for each in self.actions if each.action in actions and each.incarnation == self.incarnation)

    @property
    def builders(self) -> frozenset[str]:
        """Every id under which whoever built the version is known: from the event, and from the Activity Log."""
        told = {self.builder.lower()} if self.builder else set[str]()
        return frozenset(told.union(self.traits.get(BUILDERS, "").split()))

    @property
    def hold(self) -> ActionRecord | None:
        """The action by which somebody holds this release; None when nobody does."""
        last = self.taken(Action.HOLD, Action.RESUME)[-1:]
        return last[0] if last and last[0].action is Action.HOLD else None

    def expects(self, command: Command) -> bool:
        """Whether this command is the one that its branch waits for."""
        pending = self.pending.get(str(command.branch))
        return pending is not None and pending.command.seq == command.seq

    def as_decided(self, command: Command) -> Command:
        """The command as the row decided on it, where its branch waits for it; else as it is.

        A message only triggers a hop. The row, which only Ringmaster writes, defines what the hop does. The number of
        attempts is in the message.
        """
        pending = self.pending.get(str(command.branch))
        if pending is None or pending.command.seq != command.seq:
            return command
        return replace(pending.command, attempt=command.attempt)

    def unsent(self) -> Iterator[Pending]:
        """Commands that are not in a queue yet, according to the row."""
        return (pending for pending in self.pending.values() if not pending.sent)

    def gate(self, gate: Gate, ring: str | None = None, region: str | None = None) -> GateRecord | None:
        """The last verdict of a gate that is valid for this incarnation under this policy, or None."""
        for record in reversed(self.gates):
            same_place = (record.gate, record.ring, record.region) == (gate, ring, region)
            valid = (record.incarnation, record.policy_digest) == (self.incarnation, self.policy_digest)
            if same_place and valid:
                return record
        return None

    def gate_any(self, gate: Gate) -> GateRecord | None:
        """The last verdict of a gate of this incarnation, wherever and under whatever policy it was given, or None."""
        found = (each for each in reversed(self.gates) if (each.gate, each.incarnation) == (gate, self.incarnation))
        return next(found, None)

    @property
    def health_failures(self) -> tuple[GateRecord, ...]:
        """Verdicts by which a ring's health failed, under whatever policy, and nobody has accepted that."""
        failed = (each for each in self.gates if each.gate is Gate.HEALTH and each.answer is Answer.REJECT)
        return tuple(each for each in failed if each.incarnation == self.incarnation)

    def with_health(self, ring: str, *records: GateRecord) -> Release:
        """The same release with these verdicts on the health of a ring, and no earlier ones."""
        others = (each for each in self.gates if (each.gate, each.ring) != (Gate.HEALTH, ring))
        warnings = (each for each in self.warnings if not each.startswith(health_warning(ring)))
        return replace(self, gates=(*others, *records), warnings=tuple(warnings))

    @property
    def last_scan(self) -> GateRecord | None:
        """The last verdict on scans of this incarnation, from before its release or after, or None."""
        found = [self.gate_any(gate) for gate in (Gate.SCAN, Gate.RESCAN)]
        return max((each for each in found if each is not None), key=lambda each: each.at, default=None)

    def published_in(self, ring: str) -> Publication | None:
        """The publication in a ring, or None."""
        return next((publication for publication in self.published if publication.ring == ring), None)

    def with_history(self, at: datetime, text: str) -> Release:
        """The same release with one more line of history; of more than HISTORY_KEPT lines the oldest are dropped."""
        return replace(self, history=(*self.history, HistoryEntry(at, text))[-HISTORY_KEPT:], updated_at=at)

    def with_pending(self, branch: Branch, pending: Pending | None) -> Release:
        """The same release with one branch's pending command set, or removed."""
        others = {key: value for key, value in self.pending.items() if key != str(branch)}
        return replace(self, pending=others if pending is None else {**others, str(branch): pending})
