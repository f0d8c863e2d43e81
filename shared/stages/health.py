"""The health of a published ring: one look for each hop, until the watch ends or the health has failed.

The verdict becomes evidence. *Unknown* is a verdict of its own and never a pass: by policy, the release goes on with a
warning, or the watch goes on. A failure is a verdict on what follows the ring, and stops further publications until a
person has decided (``shared.domain.approvals.health_wait``). It may also hide the version in the ring.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any, Final

from shared.domain.health import HealthFacts, HealthStatus, HealthVerdict, QueryFacts, judge_health
from shared.domain.health_rules import HealthRules, OnUnknown, QueryRules
from shared.domain.hop_states import Watch
from shared.domain.image import VersionId, VersionNumber
from shared.domain.outcomes import Decided, Finished, HopResult, Requeue, Stalled
from shared.domain.policy import Ring
from shared.domain.release import Answer, Gate, Publication
from shared.ports import FleetQuestion, Hop

LOOK_WITHIN: Final = timedelta(hours=24)
"""How long a look is tried while a service does not answer, before the watch stalls."""
LONGEST_WATCH: Final = timedelta(days=14)
"""How long after its end a watch goes on while the health is unknown. Each look costs requests."""
AT_ONCE: Final = timedelta(0)


async def run(hop: Hop) -> HopResult:
    """One look."""
    match hop.command.state:
        case Watch() as state:
            pass
        case state:
            raise TypeError(f"the health of a ring has no step {state}")
    name = hop.command.ring or ""
    ring = next((each for each in hop.policy.rings if each.name == name), None)
    publication = hop.release.published_in(name)
    if ring is None or ring.health is None or publication is None or not hop.release.state.heeds_health:
        return Finished(f"the health of {name} is not watched any more")
    facts = await _look(hop, ring, ring.health, publication)
    return _judged(hop, state, ring.health, facts)


async def _look(hop: Hop, ring: Ring, rules: HealthRules, publication: Publication) -> HealthFacts:
    health, before = hop.world.health, await _version_before(hop, ring)
    number = None if before is None else str(before)
    fleet = query = query_before = http = None
    if rules.scale_sets is not None or rules.provisioning is not None:
        fleet = await health.fleet(_question(hop.target, before, ring, rules, publication))
    if rules.query is not None:
        query = await _query(hop, rules.query, hop.release.version.number)
        if before is not None and rules.query.worse_than_before is not None:
            query_before = await _query(hop, rules.query, before)
    if rules.http is not None:
        http = await health.check(rules.http.url, contains=rules.http.contains)
    return HealthFacts(number, fleet, query, query_before, http)


async def _version_before(hop: Hop, ring: Ring) -> VersionNumber | None:
    """The highest lower number that ``latest`` could resolve to in the ring."""
    versions = await hop.world.galleries.versions(ring.definition)
    numbers = (
        each.id.number
        for each in versions
        if each.id.number < hop.release.version.number and any(map(each.visible_in, ring.region_names))
    )
    return max(numbers, default=None)


def _question(
    version: VersionId, before: VersionNumber | None, ring: Ring, rules: HealthRules, publication: Publication
) -> FleetQuestion:
    sets, machines = rules.scale_sets, rules.provisioning
    return FleetQuestion(
        version,
        before,
        ring.region_names,
        publication.at,
        scale_sets=sets.ids if sets else (),
        scale_set_subscriptions=sets.subscriptions if sets else (),
        machine_subscriptions=machines.subscriptions if machines else (),
    )


async def _query(hop: Hop, rules: QueryRules, number: VersionNumber) -> QueryFacts:
    kql = rules.of(number)
    return await hop.world.health.query(
        rules.workspace, kql, column=rules.column, samples=rules.samples, period=rules.period
    )


def _judged(hop: Hop, state: Watch, rules: HealthRules, facts: HealthFacts) -> HopResult:
    verdict = judge_health(facts, rules)
    is_over = hop.now >= state.until
    match verdict.status:
        case HealthStatus.FAILED:
            failures = state.failures + 1
            if failures >= rules.failure_threshold:
                return _decided(Answer.REJECT, verdict, rules, facts)
            told = f"look {failures} of {rules.failure_threshold} that fails: {'; '.join(verdict.reasons)}"
            return _again(hop, replace(state, failures=failures, unknown=""), rules, told)
        case HealthStatus.HEALTHY if is_over:
            return _decided(Answer.PASS, verdict, rules, facts)
        case HealthStatus.UNKNOWN if is_over:
            return _unknown(hop, state, rules, facts, verdict)
        case _:
            return _again(hop, replace(state, failures=0), rules)


def _unknown(hop: Hop, state: Watch, rules: HealthRules, facts: HealthFacts, verdict: HealthVerdict) -> HopResult:
    """The watch is over. Nobody waits for the verdict on the last ring."""
    if rules.on_unknown is OnUnknown.PROCEED or hop.policy.ring_after(hop.command.ring) is None:
        return _decided(Answer.UNKNOWN, verdict, rules, facts)
    why = "; ".join(verdict.reasons)
    waiting = replace(state, failures=0, unknown=why)
    if hop.now >= state.until + LONGEST_WATCH / hop.world.pace:
        return Stalled(
            f"the health of {hop.command.ring} is still unknown: {why}. Resume or reject the release", waiting
        )
    told = f"the health of {hop.command.ring} is unknown: {why}"
    again = _again(hop, waiting, rules, None if state.unknown == why else told)
    return replace(again, stalled=told)


def _again(hop: Hop, state: Watch, rules: HealthRules, note: str | None = None) -> Requeue:
    """Look again after the interval, and at the end of the watch at the latest."""
    pace = hop.world.pace
    wait = rules.every / pace
    if hop.now < state.until:
        wait = min(wait, state.until - hop.now)
    return Requeue(state, AT_ONCE, note=note, at_least=wait, within=LOOK_WITHIN / pace)


def _decided(answer: Answer, verdict: HealthVerdict, rules: HealthRules, facts: HealthFacts) -> Decided:
    return Decided(Gate.HEALTH, answer, verdict.reasons, facts=asdict(facts), rules=_shown(rules), retryable=True)


def _shown(rules: HealthRules) -> dict[str, Any]:
    """The rules as evidence has them: durations in seconds."""
    return {name: _plain(value) for name, value in asdict(rules).items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
    return value
