"""Health in memory: a fleet, answers of queries and addresses, with the same counting as on Azure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.adapters.common.fleet import MOST_SCALE_SETS, FleetMachine, FleetUpgrade, counted
from shared.domain.health import FleetFacts, HttpFacts, QueryFacts
from shared.ports.health import FleetQuestion


@dataclass(frozen=True, slots=True)
class Fleet:
    """What runs at a time. ``machines`` are those that the question can find."""

    machines: Sequence[FleetMachine] = ()
    upgrades: Sequence[FleetUpgrade] = ()
    incomplete: tuple[str, ...] = ()


type FleetPlan = Callable[[FleetQuestion, datetime], Fleet]
"""What runs when a question is asked."""


@dataclass(slots=True)
class MemoryHealth:
    """``Health`` for a planned fleet. An exception instead of an answer is raised."""

    clock: Callable[[], datetime]
    plan: FleetPlan = lambda _question, _now: Fleet()
    queries: Mapping[str, QueryFacts | Exception] = field(default_factory=dict[str, "QueryFacts | Exception"])
    """By the text of the query."""
    addresses: Mapping[str, HttpFacts | Exception] = field(default_factory=dict[str, "HttpFacts | Exception"])

    async def fleet(self, question: FleetQuestion) -> FleetFacts:
        found = self.plan(question, self.clock())
        incomplete = found.incomplete
        if len(question.scale_sets) > MOST_SCALE_SETS:
            incomplete = (*incomplete, f"only {MOST_SCALE_SETS} scale sets are read")
        return counted(question, found.machines, found.upgrades, incomplete)

    async def query(
        self, workspace: str, kql: str, *, column: str, samples: str | None, period: timedelta
    ) -> QueryFacts:
        answer = self.queries.get(kql, QueryFacts())
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def check(self, url: str, *, contains: str | None) -> HttpFacts:
        answer = self.addresses.get(url, HttpFacts(failure=f"{url} did not answer"))
        if isinstance(answer, Exception):
            raise answer
        return answer
