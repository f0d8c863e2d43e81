"""The policy's rules on the health of what follows a published ring."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class OnBreach(StrEnum):
    """What follows when the health of a ring fails."""

    STOP = "stop"
    """No further ring is published before somebody decides."""
    HIDE = "hide"
    """As ``STOP``, and the version is excluded from ``latest`` in the ring."""


class OnUnknown(StrEnum):
    """What follows when the health of a ring is still unknown at the end of its watch."""

    PROCEED = "proceed"
    """The release goes on with a warning. The verdict stays *unknown*."""
    WAIT = "wait"
    """The watch goes on until the health is known, or somebody decides."""


@dataclass(frozen=True, slots=True)
class ShareLimit:
    """How large a share may be, from 0 to 1, and how much larger than that of the version before."""

    most: float
    worse_than_before: float | None = None
    """A factor: 2 for twice the share of the version before; None for no comparison."""


@dataclass(frozen=True, slots=True)
class ScaleSetRules:
    """The instances of scale sets that run the version, and the upgrades to it."""

    ids: tuple[str, ...] = ()
    """Resource ids, in lower case."""
    subscriptions: tuple[str, ...] = ()
    """Subscriptions whose scale sets in the ring's regions are watched where their model names the definition."""
    unhealthy: ShareLimit = field(default_factory=lambda: ShareLimit(0.1))
    failed_upgrades: bool = True
    """Whether an upgrade that failed or was rolled back is a failure of the version."""


@dataclass(frozen=True, slots=True)
class ProvisioningRules:
    """Virtual machines of the version in the ring's regions whose provisioning failed."""

    subscriptions: tuple[str, ...]
    failed: ShareLimit = field(default_factory=lambda: ShareLimit(0.05))


@dataclass(frozen=True, slots=True)
class QueryRules:
    """A Kusto query whose first row has a number. ``{version}`` stands for the version number."""

    workspace: str
    kql: str
    column: str
    most: float
    worse_than_before: float | None = None
    samples: str | None = None
    """The column that says from how many samples the number is; None where the number always counts."""
    period: timedelta = timedelta(hours=1)

    def of(self, number: object) -> str:
        """The query about a version number, which has digits and dots only."""
        return self.kql.replace("{version}", str(number))


@dataclass(frozen=True, slots=True)
class HttpRules:
    """An address that must answer 200, with a text in its body where one is given."""

    url: str
    contains: str | None = None


@dataclass(frozen=True, slots=True)
class HealthRules:
    """How the health of a ring is watched after its publication, and what follows."""

    watch_for: timedelta = timedelta(hours=2)
    """How long at least. The watch lasts until the next ring has baked, if that is later."""
    every: timedelta = timedelta(minutes=10)
    minimum: int = 5
    """From how many instances, machines or samples on a share says anything."""
    failure_threshold: int = 2
    """How many looks one after the other must fail."""
    on_breach: OnBreach = OnBreach.STOP
    on_unknown: OnUnknown = OnUnknown.PROCEED
    scale_sets: ScaleSetRules | None = None
    provisioning: ProvisioningRules | None = None
    query: QueryRules | None = None
    http: HttpRules | None = None
