"""What a seed brings: policies, versions with their characters, scans, strangers, and how the platform behaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
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
from shared.domain.image import DefinitionId, GalleryId, VersionId
from shared.domain.policy import (
    BootRules,
    DayAfter,
    DefinitionPolicy,
    Policy,
    RegionTarget,
    ReplicationRules,
    Ring,
    ScanRules,
    Severity,
    TestEnvironment,
)

SUBSCRIPTION: Final = "00000000-0000-4000-8000-000000000001"
BUILD: Final = GalleryId(SUBSCRIPTION, "rg-images", "gal_build")
PRODUCTION: Final = GalleryId("00000000-0000-4000-8000-000000000002", "rg-prod", "gal_prod")
HOME: Final = "westeurope"
REGIONS: Final = ("westeurope", "northeurope", "eastus")
TEST: Final = TestEnvironment(
    SUBSCRIPTION,
    "rg-test",
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-test/providers/Microsoft.Network"
    "/virtualNetworks/vnet-{region}/subnets/default",
)


def _s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


QUICK: Final = Character(
    "quick",
    _s(1),
    _s(5),
    _s(8),
    console=((_s(1), "Linux version 6.8.0"), (_s(9), "login: ")),
    probe_takes=_s(2),
    deletion_takes=_s(5),
)
"""Quick, since polls that find nothing new try no law; the other characters keep the platform's pace."""


def _hasty(character: Character, gives_up: float = 240) -> Character:
    """The same fate, sooner."""
    failure = replace(character.failure, after=_s(gives_up)) if character.failure else None
    return replace(character, failure=failure, deletion_takes=QUICK.deletion_takes)


CHARACTERS: Final[Sequence[tuple[int, bool, tuple[Character, ...]]]] = (
    (60, True, (QUICK,)),
    (6, True, (_hasty(NO_CAPACITY, 30), QUICK)),
    (4, True, (NO_QUOTA, NO_QUOTA, QUICK)),
    (4, True, (NO_AGENT, QUICK)),
    (6, True, (replace(LEAVES_DISK, powered_after=_s(1), provisioned_after=_s(5), agent_after=_s(8)),)),
    (7, False, (_hasty(PANICS),)),
    (7, False, (_hasty(NEVER_GENERALIZED),)),
    (6, False, (_hasty(KEEPS_ITS_NAME),)),
)
"""Weight, whether such an image boots in the end, and how its machines go, one after another in a region."""


@dataclass(frozen=True, slots=True)
class Build:
    """A version that a builder publishes. ``scans`` are its scanner's reports: when, and of which character."""

    version: VersionId
    at: timedelta
    boots: bool
    characters: tuple[Character, ...]
    scans: tuple[tuple[timedelta, str], ...]
    events: tuple[timedelta, ...]
    by_reference: bool = False
    """Whether its scanner says where its reports lie instead of sending them."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that people do: add a region, hide, delete, change the policy."""

    at: timedelta
    what: str
    version: VersionId | None = None
    policy: Policy | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that a seed decides before the first second."""

    policy: Policy
    builds: tuple[Build, ...]
    deeds: tuple[Deed, ...]
    replication: Callable[[VersionId, str, int], Replication]
    knows_own_writes: bool
    skew: timedelta
    answers: float
    """How likely scanners answer when they are asked to look again."""
    span: timedelta
    """Until when builders build, people act and the weather is bad."""

    def lasting(self, version: VersionId) -> bool:
        """Whether this version and its copies are replicated everywhere in the end."""
        copy = DefinitionId(PRODUCTION, version.definition.name).version(version.number)
        return all(self.replication(each, region, 99).fails is None for each in (version, copy) for region in REGIONS)

    def everything(self) -> Policy:
        """A policy that names whatever any policy of the run names: the galleries that exist."""
        policies = [self.policy, *(deed.policy for deed in self.deeds if deed.policy)]
        named: dict[DefinitionId, DefinitionPolicy] = {}
        for policy in policies:
            for source, each in policy.definitions.items():
                former = named[source].rings if source in named else ()
                named[source] = replace(each, rings=(*former, *each.rings))
        return Policy(TEST, named)


def draw(seed: str, releases: int) -> Scenario:
    """The scenario of a seed, the same on every machine."""
    rng = Random(f"scenario {seed}")
    policy = _policy(rng)
    span = timedelta(minutes=30 + 20 * releases)
    builds = _builds(rng, policy, releases, span)
    return Scenario(
        policy,
        builds,
        _deeds(rng, policy, builds, span),
        _replication(seed, rng.choice((0.0, 0.1, 0.3))),
        knows_own_writes=rng.random() < 0.5,
        skew=_s(rng.choice((0, 0, 5, 45))),
        answers=rng.choice((0.0, 0.5, 1.0)),
        span=span + timedelta(hours=2),
    )


def _policy(rng: Random) -> Policy:
    definitions: dict[DefinitionId, DefinitionPolicy] = {}
    for name in ("ubuntu", "debian")[: rng.choice((1, 1, 2))]:
        source = DefinitionId(BUILD, name)
        definitions[source] = DefinitionPolicy(
            name,
            source,
            _rings(rng, source),
            _scan_rules(rng),
            boot=BootRules(ready_within=timedelta(minutes=rng.choice((10, 10, 40)))),
            digest=f"{name}-1",
            replication=ReplicationRules(repairs=10),
        )
    return Policy(TEST, definitions)


def _scan_rules(rng: Random) -> ScanRules:
    return ScanRules(
        {Severity.CRITICAL: 0, Severity.HIGH: 5},
        deadline=timedelta(hours=8),
        day_after=rng.choice(tuple(DayAfter)),
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
    soon = _s(rng.uniform(0, 900))
    later = soon + _s(rng.uniform(60, 3600))
    found = later + _s(rng.uniform(0, 4 * 3600))
    mended = found + _s(rng.uniform(60, 3600))
    scans: tuple[tuple[timedelta, str], ...] = rng.choices(
        (
            ((soon, "clean"),),
            ((soon, "clean"), (later, "clean")),
            ((soon, "scan-without-system"), (later, "clean")),
            ((_s(-60), "clean"), (later, "clean")),
            ((soon, "critical-cve"),),
            ((_s(-60), "clean"),),
            (),
            ((soon, "clean"), (found, "critical-cve")),
            ((soon, "clean"), (found, "critical-cve"), (mended, "clean")),
        ),
        (50, 6, 5, 5, 9, 4, 5, 10, 6),
    )[0]
    events = tuple(
        _s(rng.uniform(-30, 600) if rng.random() < 0.9 else rng.uniform(600, 7200))
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))
    )
    return Build(version, at, boots, characters, scans, events, by_reference=rng.random() < 0.2)


def _deeds(rng: Random, policy: Policy, builds: tuple[Build, ...], span: timedelta) -> tuple[Deed, ...]:
    deeds: list[Deed] = []
    for build in builds:
        if rng.random() < 0.3:
            what = rng.choice(("add region", "add region", "hide", "delete", "write anew"))
            deeds.append(Deed(build.at + _s(rng.uniform(60, 3600)), what, build.version))
    if rng.random() < 0.3:
        deeds.extend(_changes(rng, policy, span))
    return tuple(sorted(deeds, key=lambda deed: deed.at))


def _changes(rng: Random, policy: Policy, span: timedelta) -> list[Deed]:
    source = rng.choice(list(policy.definitions))
    former = policy.definitions[source]
    changed = replace(former, digest=f"{former.name}-2", rings=_rings(rng, source))
    without = {key: each for key, each in policy.definitions.items() if key != source}
    deeds = [Deed(span * rng.random(), "policy", policy=Policy(TEST, {**policy.definitions, source: changed}))]
    if without and rng.random() < 0.5:
        deeds.append(Deed(span, "policy", policy=Policy(TEST, without)))
    return deeds


def _replication(seed: str, trouble: float) -> Callable[[VersionId, str, int], Replication]:
    def goes(version: VersionId, region: str, attempt: int) -> Replication:
        rng = Random(f"replication {seed} {version} {region}")
        takes = _s(rng.choice((5, 20, 60, 300)))
        failures = rng.choice((1, 1, 2, 3, 999)) if region in REGIONS[1:] and rng.random() < trouble else 0
        return Replication(takes, "Failed with internal server error." if attempt <= failures else None)

    return goes
