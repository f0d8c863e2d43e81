"""Who may do what: roles, who has them, and the people and workloads that act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What somebody may do. Whoever has any role may read."""

    READER = "reader"
    """See releases, evidence and pages."""
    OPERATOR = "operator"
    """Hold, resume, retry and resend a release, and revoke a version."""
    APPROVER = "approver"
    """Approve a ring, or reject the version."""
    ADMIN = "admin"
    """Everything, also what skips a condition: an emergency promotion."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, as Microsoft Entra says it: never what a request says of itself."""

    id: str
    """Object id, or the application id of a workload without one; in lower case."""
    ids: frozenset[str] = frozenset()
    """``id``, the application id, and the object ids of the groups; in lower case."""
    name: str = ""
    """The user principal name or application id, for people. It grants nothing."""
    groups_left_out: bool = False
    """Whether the token had too many groups to list them ("groups overage"): then a role by group cannot be seen."""

    def __str__(self) -> str:
        return self.name or self.id


@dataclass(frozen=True, slots=True)
class Access:
    """Who has which role: object ids of users, groups and service principals, or application ids, in lower case."""

    holders: Mapping[Role, frozenset[str]] = field(default_factory=dict[Role, frozenset[str]])

    def allows(self, actor: Actor, role: Role) -> bool:
        """Whether the actor has the role, or one that includes it."""
        including = tuple(Role) if role is Role.READER else (role, Role.ADMIN)
        return any(not actor.ids.isdisjoint(self.holders.get(each, ())) for each in including)

    def with_more(self, other: Access) -> Access:
        """Both grants together."""
        return Access(
            {role: self.holders.get(role, frozenset()) | other.holders.get(role, frozenset()) for role in Role}
        )
