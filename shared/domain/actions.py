"""What people do to a release, which role each action needs, and when it makes sense. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.domain.access import Actor, Role


class Action(StrEnum):
    """What somebody asks for. The value is the command's name."""

    APPROVE = "approve"
    REJECT = "reject"
    HOLD = "hold"
    RESUME = "resume"
    SKIP_BAKE = "skip-bake"
    RETRY = "retry"
    RESEND = "resend"
    REVOKE = "revoke"
    RESTORE = "restore"
    EMERGENCY = "emergency"
    ACKNOWLEDGE = "acknowledge"


ROLES: Final[Mapping[Action, Role]] = {
    Action.APPROVE: Role.APPROVER,
    Action.REJECT: Role.APPROVER,
    Action.HOLD: Role.OPERATOR,
    Action.RESUME: Role.OPERATOR,
    Action.SKIP_BAKE: Role.ADMIN,
    Action.RETRY: Role.OPERATOR,
    Action.RESEND: Role.OPERATOR,
    Action.REVOKE: Role.OPERATOR,
    Action.RESTORE: Role.ADMIN,
    Action.EMERGENCY: Role.ADMIN,
    Action.ACKNOWLEDGE: Role.OPERATOR,
}
"""The role that an action needs. An admin may do all of them."""

REASON_NEEDED: Final = frozenset(
    {Action.REJECT, Action.HOLD, Action.SKIP_BAKE, Action.REVOKE, Action.RESTORE, Action.EMERGENCY}
)
"""Actions that take something back, or skip a condition."""


@dataclass(frozen=True, slots=True)
class Request:
    """One action that somebody asks for."""

    action: Action
    actor: Actor
    key: str
    """Idempotency key: the same request again, by the same actor, is done once."""
    reason: str = ""
    ring: str | None = None
    incarnation: str | None = None
    """The incarnation that the actor saw; None where the actor did not say."""
    at: datetime | None = None
    """When a revocation begins; None for at once."""
    allow_empty: bool = False
    """Revoke also where ``latest`` would then be nothing."""


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """An action that was taken, as the row keeps it."""

    action: Action
    at: datetime
    by: str
    """The actor's id."""
    name: str
    """The actor's name, for people."""
    key: str
    incarnation: str | None
    policy_digest: str
    evidence: str
    reason: str = ""
    ring: str | None = None

    @property
    def actor(self) -> str:
        """Who it was, for people."""
        return self.name or self.by
