"""The scenario of a seed: policies, image versions and their scans, user actions, and how the platform behaves.

The text that seeds a random generator, and the order of its draws, is part of what a seed means: neither changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Final

from shared.adapters.memory.characters import (
    KEEPS_ITS_NAME,
    LEAVES_DISK,
    NEVER_GENERALIZED,
    NO_AGENT,
    NO_CAPACITY,
    NO_QUOTA,
    PANICS,
    Character,
)
from shared.adapters.memory.galleries import Replication
from shared.adapters.memory.health import Fleet, FleetPlan
from shared.domain.access import Access, Actor, Role
from shared.domain.image import DefinitionId, GalleryId, VersionId
from shared.domain.policy import (
    Ahead,
    BootRules,
    DefinitionPolicy,
    FailedRescanAction,
    Policy,
    RegionTarget,
    ReplicationRules,
    Ring,
    ScanRules,
    Severity,
    TestEnvironment,
    ValidationRules,
    VisibleBeforeProof,
)

BEGIN: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)
SUBSCRIPTION: Final = "00000000-0000-4000-8000-000000000001"
BUILD: Final = GalleryId(SUBSCRIPTION, "rg-images", "gal_build")
PRODUCTION: Final = GalleryId("00000000-0000-4000-8000-000000000002", "rg-prod", "gal_prod")
HOME: Final = "westeurope"
OPERATOR: Final = Actor("operator", frozenset({"operator"}))
ACCESS: Final = Access({Role.OPERATOR: OPERATOR.ids})
REGIONS: Final = ("westeurope", "northeurope", "eastus")
TEST: Final = TestEnvironment(
    SUBSCRIPTION,
    "rg-test",
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-test/providers/Microsoft.Network"
    "/virtualNetworks/vnet-{region}/subnets/default",
)


INSTANCES_NEEDED: Final = 5
"""From how many instances on the health of a ring is known."""
VISIBLE: Final = 0.15
"""The share of versions whose builders leave them visible to ``latest``."""


def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


FAST: Final = Character(
    "fast",
    _seconds(1),
    _seconds(5),
    _seconds(8),
    console=((_seconds(1), "Linux version 6.8.0"), (_seconds(9), "login: ")),
    probe_takes=_seconds(2),
    restart_takes=_seconds(2),
    back_after=_seconds(4),
    deletion_takes=_seconds(5),
)
"""Fast, since polls that find nothing new test no law; the other characters take as long as on the platform."""


def _shortened(character: Character, fails_after: float = 240) -> Character:
    """The same character, failing sooner."""
    failure = replace(character.failure, after=_seconds(fails_after)) if character.failure else None
    return replace(character, failure=failure, deletion_takes=FAST.deletion_takes)


CHARACTERS: Final[Sequence[tuple[int, bool, tuple[Character, ...]]]] = (
    (60, True, (FAST,)),
    (6, True, (_shortened(NO_CAPACITY, 30), FAST)),
    (4, True, (NO_QUOTA, NO_QUOTA, FAST)),
    (4, True, (NO_AGENT, FAST)),
    (
        6,
        True,
        (replace(LEAVES_DISK, powered_after=_seconds(1), provisioned_after=_seconds(5), agent_after=_seconds(8)),),
    ),
    (7, False, (_shortened(PANICS),)),
    (7, False, (_shortened(NEVER_GENERALIZED),)),
    (6, False, (_shortened(KEEPS_ITS_NAME),)),
)
"""Weight, whether such an image boots in the end, and the characters of its machines in a region, in order."""


@dataclass(frozen=True, slots=True)
class Build:
    """A version that a builder publishes. ``scans`` are its scanner's reports: when, and of which content."""

    version: VersionId
    at: timedelta
    boots: bool
    characters: tuple[Character, ...]
    scans: tuple[tuple[timedelta, str], ...]
    events: tuple[timedelta, ...]
    by_reference: bool = False
    """Whether its scanner sends the address of each report instead of the report."""
    is_visible: bool = False
    """Whether its builder forgets to exclude it from ``latest``."""


class ActionKind(StrEnum):
    """What a user does to a version, or to the policy."""

    ADD_REGION = "add region"
    HIDE = "hide"
    DELETE = "delete"
    REWRITE = "write unchanged"
    CHANGE_POLICY = "change policy"


@dataclass(frozen=True, slots=True)
class UserAction:
    """Something that a user does, with a version or a new policy."""

    at: timedelta
    kind: ActionKind
    version: VersionId | None = None
    policy: Policy | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that a seed decides before the run."""

    policy: Policy
    builds: tuple[Build, ...]
    actions: tuple[UserAction, ...]
    replication: Callable[[VersionId, str, int], Replication]
    knows_own_writes: bool
    """Whether the app is configured with the id under which it writes."""
    clock_skew: timedelta
    """How far the clocks of the two instances of the app are apart."""
    scanner_response_rate: float
    """The probability that scanners respond to a request for a scan."""
    span: timedelta
    """Until when builders build, users act and faults are injected."""
    fleet: FleetPlan = lambda _question, _now: Fleet()
    """What runs a version in a ring."""

    def replicates_everywhere(self, version: VersionId) -> bool:
        """Whether this version and its copies are replicated to every region in the end."""
        copy = DefinitionId(PRODUCTION, version.definition.name).version(version.number)
        return all(self.replication(each, region, 99).fails is None for each in (version, copy) for region in REGIONS)

    def with_policies(self, change: Callable[[Policy], Policy]) -> Scenario:
        """The same scenario with every policy changed."""
        actions = (replace(each, policy=change(each.policy)) if each.policy else each for each in self.actions)
        return replace(self, policy=change(self.policy), actions=tuple(actions))

    def union_policy(self) -> Policy:
        """A policy that names whatever any policy of the run names: the galleries that exist."""
        policies = [self.policy, *(action.policy for action in self.actions if action.policy)]
        named: dict[DefinitionId, DefinitionPolicy] = {}
        for policy in policies:
            for source, each in policy.definitions.items():
                former = named[source].rings if source in named else ()
                named[source] = replace(each, rings=(*former, *each.rings))
        return Policy(TEST, named)


def draw(seed: str, releases: int, *, ahead: bool) -> Scenario:
    """The scenario of a seed. It is the same on every machine. Without ``ahead``, no ring is filled ahead."""
    rng = Random(f"scenario {seed}")
    policy = _policy(rng)
    span = timedelta(minutes=30 + 20 * releases)
    builds = _builds(rng, policy, releases, span)
    scenario = Scenario(
        policy,
        builds,
        _actions(rng, policy, builds, span),
        _replication(seed, rng.choice((0.0, 0.1, 0.3))),
        knows_own_writes=rng.random() < 0.5,
        clock_skew=_seconds(rng.choice((0, 0, 45, 90))),
        scanner_response_rate=rng.choice((0.0, 0.5, 1.0)),
        span=span + timedelta(hours=2),
    )
    scenario = _with_visible(scenario, Random(f"visible {seed}"))
    return _with_rings_ahead(scenario, Random(f"ahead {seed}") if ahead else None)


def _with_rings_ahead(scenario: Scenario, rng: Random | None) -> Scenario:
    """The scenario with policies that fill rings ahead. What changes a policy may change this as well."""

    def ruled(policy: Policy) -> Policy:
        changed = {
            source: replace(each, ahead=rng.choice(tuple(Ahead)) if rng else Ahead.NONE)
            for source, each in policy.definitions.items()
        }
        return replace(policy, definitions=changed)

    return scenario.with_policies(ruled)


def _with_visible(scenario: Scenario, rng: Random) -> Scenario:
    """The scenario with forgetful builders, and with what its policies do about visible versions."""
    builds = tuple(replace(build, is_visible=rng.random() < VISIBLE) for build in scenario.builds)
    rules = ValidationRules(visible_before_proof=rng.choice((*[VisibleBeforeProof.HIDE] * 4, *VisibleBeforeProof)))

    def ruled(policy: Policy) -> Policy:
        changed = {source: replace(each, validation=rules) for source, each in policy.definitions.items()}
        return replace(policy, definitions=changed)

    return replace(scenario, builds=builds).with_policies(ruled)


def _policy(rng: Random) -> Policy:
    definitions: dict[DefinitionId, DefinitionPolicy] = {}
    for name in ("ubuntu", "debian")[: rng.choice((1, 1, 2))]:
        source = DefinitionId(BUILD, name)
        definitions[source] = DefinitionPolicy(
            name,
            source,
            _rings(rng, source),
            _scan_rules(rng),
            boot=BootRules(ready_within=timedelta(minutes=rng.choice((10, 10, 40))), reboot=False),
            digest=f"{name}-1",
            replication=ReplicationRules(repairs=10),
            access=ACCESS,
        )
    return Policy(TEST, definitions)


def _scan_rules(rng: Random) -> ScanRules:
    return ScanRules(
        {Severity.CRITICAL: 0, Severity.HIGH: 5},
        deadline=timedelta(hours=8),
        on_failed_rescan=rng.choice(tuple(FailedRescanAction)),
        rescan_after=rng.choice((None, timedelta(minutes=40))),
        hold_for=timedelta(hours=rng.choice((1, 6))),
        revoke_to_empty=rng.random() < 0.5,
    )


def _rings(rng: Random, source: DefinitionId) -> tuple[Ring, ...]:
    count = rng.choice((1, 2, 2, 3))
    rings: list[Ring] = []
    for index in range(count):
        elsewhere = index > 0 and rng.random() < 0.5
        definition = DefinitionId(PRODUCTION, source.name) if elsewhere else source
        regions = rng.sample(REGIONS, rng.choice((1, 1, 2)))
        bake = timedelta(minutes=rng.choice((0, 0, 10, 45)))
        targets = tuple(RegionTarget(region) for region in regions)
        rings.append(Ring(f"ring-{index + 1}", definition, targets, bake, boot_test=rng.random() < 0.7))
    return tuple(rings)


def _builds(rng: Random, policy: Policy, releases: int, span: timedelta) -> tuple[Build, ...]:
    builds: list[Build] = []
    number = 0
    sources = list(policy.definitions)
    for _ in range(releases):
        source = rng.choice(sources)
        at = span * rng.random()
        former = [each for each in builds if each.version.definition == source]
        if former and rng.random() < 0.15:
            version = rng.choice(former).version
        else:
            number += 1
            version = VersionId.parse(f"{source}/versions/1.0.{number}")
        builds.append(_build(rng, version, at))
    return tuple(sorted(builds, key=lambda build: build.at))


def _build(rng: Random, version: VersionId, at: timedelta) -> Build:
    _, boots, characters = rng.choices(CHARACTERS, [each[0] for each in CHARACTERS])[0]
    soon = _seconds(rng.uniform(0, 900))
    later = soon + _seconds(rng.uniform(60, 3600))
    found = later + _seconds(rng.uniform(0, 4 * 3600))
    fixed = found + _seconds(rng.uniform(60, 3600))
    scans: tuple[tuple[timedelta, str], ...] = rng.choices(
        (
            ((soon, "clean"),),
            ((soon, "clean"), (later, "clean")),
            ((soon, "scan-without-system"), (later, "clean")),
            ((_seconds(-60), "clean"), (later, "clean")),
            ((soon, "critical-cve"),),
            ((_seconds(-60), "clean"),),
            (),
            ((soon, "clean"), (found, "critical-cve")),
            ((soon, "clean"), (found, "critical-cve"), (fixed, "clean")),
        ),
        (50, 6, 5, 5, 9, 4, 5, 10, 6),
    )[0]
    events = tuple(
        _seconds(rng.uniform(-30, 600) if rng.random() < 0.9 else rng.uniform(600, 7200))
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))
    )
    return Build(version, at, boots, characters, scans, events, by_reference=rng.random() < 0.2)


def _actions(rng: Random, policy: Policy, builds: tuple[Build, ...], span: timedelta) -> tuple[UserAction, ...]:
    actions: list[UserAction] = []
    kinds = (ActionKind.ADD_REGION, ActionKind.ADD_REGION, ActionKind.HIDE, ActionKind.DELETE, ActionKind.REWRITE)
    for build in builds:
        if rng.random() < 0.3:
            kind = rng.choice(kinds)
            actions.append(UserAction(build.at + _seconds(rng.uniform(60, 3600)), kind, build.version))
    if rng.random() < 0.3:
        actions.extend(_policy_changes(rng, policy, span))
    return tuple(sorted(actions, key=lambda action: action.at))


def _policy_changes(rng: Random, policy: Policy, span: timedelta) -> list[UserAction]:
    source = rng.choice(list(policy.definitions))
    former = policy.definitions[source]
    changed = replace(former, digest=f"{former.name}-2", rings=_rings(rng, source))
    without = {key: each for key, each in policy.definitions.items() if key != source}
    changes = [_policy_change(span * rng.random(), {**policy.definitions, source: changed})]
    if without and rng.random() < 0.5:
        changes.append(_policy_change(span, without))
    return changes


def _policy_change(at: timedelta, definitions: Mapping[DefinitionId, DefinitionPolicy]) -> UserAction:
    return UserAction(at, ActionKind.CHANGE_POLICY, policy=Policy(TEST, definitions))


def _replication(seed: str, failure_rate: float) -> Callable[[VersionId, str, int], Replication]:
    def plan(version: VersionId, region: str, attempt: int) -> Replication:
        rng = Random(f"replication {seed} {version} {region}")
        takes = _seconds(rng.choice((5, 20, 60, 300)))
        failures = rng.choice((1, 1, 2, 3, 999)) if region in REGIONS[1:] and rng.random() < failure_rate else 0
        return Replication(takes, "Failed with internal server error." if attempt <= failures else None)

    return plan
