"""Scenarios with a calendar, and with what follows published rings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta
from random import Random

from local.simulation.scenario import HOME, INSTANCES_NEEDED, Scenario
from shared.adapters.common.fleet import FleetMachine
from shared.adapters.memory.health import Fleet, FleetPlan
from shared.domain.health_rules import HealthRules, OnBreach, OnUnknown, ScaleSetRules, ShareLimit
from shared.domain.image import VersionId
from shared.domain.policy import DayLimit, DefinitionPolicy, Policy, Supersede
from shared.domain.publish_window import Window
from shared.ports import FleetQuestion


def with_calendar(scenario: Scenario, rng: Random) -> Scenario:
    """The scenario with bake times that count in some hours, a maximum of rings a day, and rules of succession."""
    drawn = {source: _calendar(rng) for source in sorted(scenario.policy.definitions)}

    def ruled(policy: Policy) -> Policy:
        changed = {source: drawn[source](each) for source, each in policy.definitions.items()}
        return replace(policy, definitions=changed)

    return scenario.with_policies(ruled)


def _calendar(rng: Random) -> Callable[[DefinitionPolicy], DefinitionPolicy]:
    opens = rng.choice((8, 9, 10))
    hours = Window(frozenset(range(7)), time(opens), time(opens + rng.choice((1, 3, 8))), "UTC")
    bake_in = hours if rng.random() < 0.2 else None
    rule = rng.choice((*[Supersede.BOTH] * 5, *Supersede))
    limit = DayLimit(2) if rule is not Supersede.QUEUE and rng.random() < 0.2 else None

    def ruled(definition: DefinitionPolicy) -> DefinitionPolicy:
        rings = tuple(replace(ring, bake_in=bake_in if ring.bake else None) for ring in definition.rings)
        return replace(definition, rings=rings, supersede=rule, max_rings_per_day=limit)

    return ruled


def with_health(scenario: Scenario, seed: str) -> Scenario:
    """The scenario with rings whose health is watched, and with what runs in them."""
    rng = Random(f"health {seed}")
    drawn = {source: _health(rng) for source in sorted(scenario.policy.definitions)}

    def ruled(policy: Policy) -> Policy:
        changed = {
            source: replace(each, rings=tuple(replace(ring, health=drawn[source]) for ring in each.rings))
            for source, each in policy.definitions.items()
        }
        return replace(policy, definitions=changed)

    return replace(scenario.with_policies(ruled), fleet=_fleets(seed))


def _health(rng: Random) -> HealthRules | None:
    rules = HealthRules(
        watch_for=timedelta(minutes=rng.choice((10, 30))),
        every=timedelta(minutes=5),
        minimum=INSTANCES_NEEDED,
        failure_threshold=rng.choice((1, 2)),
        on_breach=rng.choice(tuple(OnBreach)),
        on_unknown=rng.choice(tuple(OnUnknown)),
        scale_sets=ScaleSetRules(ids=("scale-set",), unhealthy=ShareLimit(0.1)),
    )
    return rules if rng.random() < 0.4 else None


def _fleets(seed: str) -> FleetPlan:
    """What runs a version in a ring: most are healthy, some few, and some sick for some hours."""
    asked_first: dict[tuple[VersionId, tuple[str, ...]], datetime] = {}

    def plan(question: FleetQuestion, now: datetime) -> Fleet:
        place = (question.version, question.regions)
        since = asked_first.setdefault(place, now)
        rng = Random(f"fleet {seed} {question.version} {question.regions}")
        kind = rng.choices(("healthy", "few", "sick", "sick later"), (60, 15, 15, 10))[0]
        lasts, begins = timedelta(hours=rng.choice((1, 4))), timedelta(minutes=10 if kind == "sick later" else 0)
        is_sick = kind.startswith("sick") and begins <= now - since < lasts
        few = kind == "few" and now - since < lasts
        good, bad = (INSTANCES_NEEDED - 1, 0) if few else (10, 10) if is_sick else (20, 0)
        codes = ["HealthState/healthy"] * good + ["HealthState/unhealthy"] * bad
        return Fleet(
            tuple(
                FleetMachine(f"vm-{number}", question.version, HOME, "Succeeded", code, in_scale_set=True)
                for number, code in enumerate(codes)
            )
        )

    return plan
