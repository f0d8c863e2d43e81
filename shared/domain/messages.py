"""Commands, which are sent through queues, and events.

A command belongs to one *branch* of a release: validation, the scan, the boot test of one ring in one region, …
Each branch has at most one command that counts, the one whose ``seq`` the ledger row names. Any other command is a
duplicate or arrived too late, and is dropped: law 5 (repeated messages change nothing). A command with ``seq`` 0 has no
row behind it: it is a hint ("look again", "a report arrived"), and the state that it finds decides what it means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from shared.domain.hop_states import HopState, NoState
from shared.domain.image import VersionId

HINT_LIFE: Final = timedelta(hours=6)
"""How long Ringmaster tries to deliver a hint. Reconciliation finds the change that a lost hint was about."""


class Kind(StrEnum):
    """The kind of a command. Each kind has one queue and one stage."""

    VALIDATE = "validate"
    SCAN = "scan"
    FETCH_REPORT = "fetch_report"
    BOOT_TEST = "boot_test"
    REPLICATE = "replicate"
    PROMOTE = "promote"
    REVOKE = "revoke"
    HIDE = "hide"
    HEALTH = "health"
    IN_USE = "in_use"
    ANNOUNCE = "announce"
    CLEAN_UP = "clean_up"

    @property
    def is_gate(self) -> bool:
        """Whether a release waits for the end of this branch before its next state.

        A revocation can be ordered for later, and the health of a published ring is watched, beside all states.
        """
        beside = {
            Kind.HIDE,
            Kind.HEALTH,
            Kind.ANNOUNCE,
            Kind.CLEAN_UP,
            Kind.FETCH_REPORT,
            Kind.REVOKE,
            Kind.IN_USE,
        }
        return self not in beside


class Branch(NamedTuple):
    """A part of a release that runs independently."""

    kind: Kind
    ring: str | None = None
    region: str | None = None

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


@dataclass(frozen=True, slots=True)
class Command:
    """A command for one hop. ``state`` has what this hop needs from the previous ones."""

    kind: Kind
    release: VersionId
    seq: int
    not_after: datetime
    ring: str | None = None
    region: str | None = None
    attempt: int = 0
    traceparent: str | None = None
    state: HopState = field(default_factory=NoState)

    @property
    def branch(self) -> Branch:
        return Branch(self.kind, self.ring, self.region)

    @property
    def is_hint(self) -> bool:
        """Whether this command has no ledger row."""
        return self.seq == 0


@dataclass(frozen=True, slots=True)
class VersionWritten:
    """An image version was written, by a builder, a user or Ringmaster. The facts are read from Azure."""

    version: VersionId
    event_id: str
    at: datetime
    writer: str | None = None
    """Application or object id of the writer, where the event tells."""


@dataclass(frozen=True, slots=True)
class ScanFinished:
    """A scanner's report for a version is in the report store under ``report``."""

    version: VersionId
    report: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Announcement:
    """An announcement to consumers of images, which is sent as a CloudEvent."""

    type: str
    version: VersionId
    at: datetime
    id: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
