"""The judgement on the health of a published ring. No I/O.

Rules:

1. Each source answers *healthy*, *failed* or *unknown*. One failed source fails the ring; otherwise, one unknown source
   makes it unknown. No source is healthy because nothing was found: fewer than the policy's minimum is unknown, and so
   is a list that is not complete, unless what was read of it fails already.
2. A share above its limit fails. So does a share that is worse than that of the version before by the policy's factor,
   if both versions have enough samples. A share of nothing counts as that of one failure among the samples before.
3. An upgrade that failed, or was rolled back, fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from shared.domain.display import count
from shared.domain.health_rules import HealthRules, HttpRules, ProvisioningRules, QueryRules, ScaleSetRules, ShareLimit

EXAMPLES: Final = 5
"""How many failures a reason names."""


class HealthStatus(StrEnum):
    """The health of a source, or of a ring."""

    HEALTHY = "healthy"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many instances or machines of a version were good and bad. One that is neither is not counted."""

    good: int = 0
    bad: int = 0
    undecided: int = 0
    """Not monitored, still being created, or of unknown health."""
    failures: tuple[str, ...] = ()
    """The first failures, by name."""

    @property
    def total(self) -> int:
        return self.good + self.bad

    @property
    def share(self) -> float:
        """The share of the bad ones; 0 of nothing."""
        return self.bad / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class FleetFacts:
    """What runs the version, and what ran the version before."""

    instances: Tally = field(default_factory=Tally)
    instances_before: Tally = field(default_factory=Tally)
    machines: Tally = field(default_factory=Tally)
    machines_before: Tally = field(default_factory=Tally)
    failed_upgrades: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    """What could not be read, or was longer than a look may read."""


@dataclass(frozen=True, slots=True)
class QueryFacts:
    """The number that a query returned, and from how many samples."""

    value: float | None = None
    samples: float | None = None
    incomplete: str | None = None
    """Why the answer proves nothing."""


@dataclass(frozen=True, slots=True)
class HttpFacts:
    """The answer of an address: ``failure`` says why it is not the expected one, ``incomplete`` why there is none."""

    failure: str | None = None
    incomplete: str | None = None


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """Everything that one look found; None for a source that the policy does not name."""

    before: str | None = None
    """The number of the version before; None where the ring had none."""
    fleet: FleetFacts | None = None
    query: QueryFacts | None = None
    query_before: QueryFacts | None = None
    http: HttpFacts | None = None


@dataclass(frozen=True, slots=True)
class HealthVerdict:
    """The verdict on a ring, and why."""

    status: HealthStatus
    reasons: tuple[str, ...] = ()


type _Found = tuple[HealthStatus, str]


def judge_health(facts: HealthFacts, rules: HealthRules) -> HealthVerdict:
    """The verdict of one look."""
    found = [*_fleet(facts, rules), *_query(facts, rules), *_http(facts.http, rules.http)]
    for status in (HealthStatus.FAILED, HealthStatus.UNKNOWN):
        if reasons := tuple(text for each, text in found if each is status):
            return HealthVerdict(status, reasons)
    if not any(each is HealthStatus.HEALTHY for each, _ in found):
        return HealthVerdict(HealthStatus.UNKNOWN, ("nothing was looked at",))
    return HealthVerdict(HealthStatus.HEALTHY)


def _fleet(facts: HealthFacts, rules: HealthRules) -> Iterator[_Found]:
    if rules.scale_sets is None and rules.provisioning is None:
        return
    fleet = facts.fleet or FleetFacts(incomplete=("the machines were not read",))
    if rules.scale_sets is not None:
        yield from _scale_sets(fleet, rules.scale_sets, rules.minimum)
    if rules.provisioning is not None:
        yield from _machines(fleet, rules.provisioning, rules.minimum)
    for text in fleet.incomplete:
        yield HealthStatus.UNKNOWN, text


def _scale_sets(fleet: FleetFacts, rules: ScaleSetRules, minimum: int) -> Iterator[_Found]:
    what = ("scale-set instance", "is unhealthy", "are unhealthy")
    yield from _share(fleet.instances, fleet.instances_before, rules.unhealthy, minimum, what)
    for text in fleet.failed_upgrades if rules.failed_upgrades else ():
        yield HealthStatus.FAILED, text


def _machines(fleet: FleetFacts, rules: ProvisioningRules, minimum: int) -> Iterator[_Found]:
    what = ("virtual machine", "failed to provision", "failed to provision")
    yield from _share(fleet.machines, fleet.machines_before, rules.failed, minimum, what)


def _share(now: Tally, before: Tally, limit: ShareLimit, minimum: int, words: Sequence[str]) -> Iterator[_Found]:
    thing, is_bad, are_bad = words
    if now.total < minimum:
        undecided = f", and {now.undecided} whose state is not known" if now.undecided else ""
        yield HealthStatus.UNKNOWN, f"only {count(now.total, thing)} of the version{undecided}; {minimum} are needed"
        return
    told = f"{now.bad} of {count(now.total, thing)} {is_bad if now.bad == 1 else are_bad} ({now.share:.1%})"
    named = f": {'; '.join(now.failures[:EXAMPLES])}" if now.failures else ""
    if now.share > limit.most:
        yield HealthStatus.FAILED, f"{told}, more than {limit.most:.1%}{named}"
        return
    factor = limit.worse_than_before
    if factor is not None and before.total >= minimum:
        base = max(before.share, 1 / before.total)
        if now.share > factor * base:
            text = f"{told}, more than {factor:g} times as many as of the version before ({before.share:.1%}){named}"
            yield HealthStatus.FAILED, text
            return
    yield HealthStatus.HEALTHY, ""


def _query(facts: HealthFacts, rules: HealthRules) -> Iterator[_Found]:
    if rules.query is None:
        return
    query = rules.query
    found = facts.query or QueryFacts(incomplete="the query did not run")
    problem = _query_problem(found, query, rules.minimum)
    if found.value is None or problem is not None:
        yield HealthStatus.UNKNOWN, f"query: {problem or f'no row with a number in {query.column}'}"
    elif found.value > query.most:
        yield HealthStatus.FAILED, f"query: {query.column} is {found.value:g}, more than {query.most:g}"
    elif _is_worse(found.value, facts.query_before, query, rules.minimum):
        was = facts.query_before.value if facts.query_before else None
        yield HealthStatus.FAILED, f"query: {query.column} is {found.value:g}, and was {was:g} for the version before"
    else:
        yield HealthStatus.HEALTHY, ""


def _query_problem(found: QueryFacts, query: QueryRules, minimum: int) -> str | None:
    if found.incomplete is not None:
        return found.incomplete
    if query.samples is not None and (found.samples is None or found.samples < minimum):
        return f"only {found.samples or 0:g} samples; {minimum} are needed"
    return None


def _is_worse(value: float, before: QueryFacts | None, query: QueryRules, minimum: int) -> bool:
    if query.worse_than_before is None or before is None or before.value is None or before.value <= 0:
        return False
    return _query_problem(before, query, minimum) is None and value > query.worse_than_before * before.value


def _http(found: HttpFacts | None, rules: HttpRules | None) -> Iterator[_Found]:
    if rules is None:
        return
    if found is None or found.incomplete is not None:
        yield HealthStatus.UNKNOWN, (found.incomplete if found else None) or "the address was not asked"
    elif found.failure is not None:
        yield HealthStatus.FAILED, found.failure
    else:
        yield HealthStatus.HEALTHY, ""
