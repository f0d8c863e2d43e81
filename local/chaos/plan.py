"""What a run of chaos consists of: versions, policy, faults and blows, all from one seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from local.demo.scenario import GALLERY, GROUP, PRODUCTION, RINGS, SOURCE, TEST_GROUP, Story
from local.stack.options import SECOND_HOST

PER_DEFINITION: Final = 4
"""Versions of one definition. More of them would overtake each other more often than they are released."""
AZURITE_EVERY: Final = 4
"""Every so many blows, the storage emulator is stopped in order and started again on its data."""
OUTAGE: Final = (20.0, 40.0)
"""Real seconds for which storage is away in an outage."""
HOSTS: Final = ("host", SECOND_HOST)


@dataclass(frozen=True, slots=True)
class Kind:
    """A character, how often it is drawn, and how its versions must end."""

    character: str
    weight: int
    good: bool
    reason: str | None = None


KINDS: Final = (
    Kind("clean", 8, good=True),
    Kind("critical-cve", 2, good=False, reason=r"CVE-2021-44228"),
    Kind("replication-fails-once:northeurope", 2, good=True),
    Kind("never-generalized", 1, good=False, reason=r"guest agent was detected running"),
    Kind("slow", 2, good=True),
    Kind("panics-at-boot", 1, good=False, reason=r"console: kernel panic"),
    Kind("allocation-fails-once", 2, good=True),
    Kind("replication-fails-once:eastus2", 2, good=True),
)


@dataclass(frozen=True, slots=True)
class Blow:
    """What befalls the stack: ``after`` real seconds of peace, ``hosts`` are dead for ``down`` seconds.

    Without hosts, storage is away for that long instead.
    """

    after: float
    down: float
    azurite: bool
    hosts: tuple[str, ...]
    publish: tuple[Story, ...]
    """The versions that are published in the peace before."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """A whole run. The same numbers give the same scheme."""

    stories: tuple[Story, ...]
    blows: tuple[Blow, ...]
    last: tuple[Story, ...]
    """Published after the last blow."""

    @property
    def definitions(self) -> tuple[str, ...]:
        return tuple(sorted({story.definition for story in self.stories}))


def scheme(
    releases: int, kills: int, seed: int, *, pause: tuple[float, float], hosts: int = 1, outages: int = 0
) -> Scheme:
    """Draw a run. ``pause`` bounds the real seconds of peace before a blow; storage outages lie between kills."""
    dice = Random(f"chaos/{seed}")
    stories = _stories(releases, dice)
    total = kills + outages
    parts = [stories[index * releases // (total + 1) : (index + 1) * releases // (total + 1)] for index in range(total)]
    away = {(index + 1) * total // (outages + 1) for index in range(outages)}
    blows = tuple(
        Blow(
            after=dice.uniform(*pause),
            down=dice.uniform(*(OUTAGE if number in away else (0.0, 2.0))),
            azurite=number not in away and number % AZURITE_EVERY == min(AZURITE_EVERY, total) - 1,
            hosts=() if number in away else _struck(hosts, dice),
            publish=parts[number],
        )
        for number in range(total)
    )
    return Scheme(stories, blows, stories[sum(map(len, parts)) :])


def _struck(hosts: int, dice: Random) -> tuple[str, ...]:
    """One host, or now and then both at once."""
    if hosts == 1:
        return HOSTS[:1]
    return dice.choice((HOSTS[:1], HOSTS[1:], HOSTS))


def _stories(releases: int, dice: Random) -> tuple[Story, ...]:
    """Versions in the order of their publication; numbers of one definition rise, as a builder's do."""
    weighted = [kind for kind in KINDS for _ in range(kind.weight)]
    once = list(KINDS[:releases])
    kinds = once + [weighted[index % len(weighted)] for index in range(releases - len(once))]
    dice.shuffle(kinds)
    definitions = [f"image-{index:02d}" for index in range(-(-releases // PER_DEFINITION))]
    turns = [definitions[index % len(definitions)] for index in range(releases)]
    dice.shuffle(turns)
    counts = dict.fromkeys(definitions, 0)
    stories = []
    for definition, kind in zip(turns, kinds, strict=True):
        counts[definition] += 1
        state = "released" if kind.good else "rejected"
        stories.append(
            Story(definition, f"1.{counts[definition]}.0", kind.character, kind.character, state, kind.reason)
        )
    return tuple(stories)


def policy(definitions: tuple[str, ...]) -> str:
    """The policy of the run, as text: three rings each; short bakes, since time alone proves nothing here."""
    production = f"/subscriptions/{PRODUCTION}/resourceGroups/rg-prod/providers/Microsoft.Compute/galleries/gal_prod"
    network = f"/subscriptions/{SOURCE}/resourceGroups/{TEST_GROUP}/providers/Microsoft.Network"
    rings: list[dict[str, Any]] = [
        {"name": "canary", "regions": list(RINGS["canary"])},
        {"name": "early", "bake": "10m", "regions": list(RINGS["early"])},
        {"name": "production", "bake": "10m", "gallery": production, "regions": list(RINGS["production"])},
    ]
    gallery = f"/subscriptions/{SOURCE}/resourceGroups/{GROUP}/providers/Microsoft.Compute/galleries/{GALLERY}"
    document = {
        "version": 1,
        "test": {
            "subscription": SOURCE,
            "resourceGroup": TEST_GROUP,
            "subnet": f"{network}/virtualNetworks/vnet-{{region}}/subnets/default",
        },
        "definitions": [
            {
                "name": name,
                "source": f"{gallery}/images/{name}",
                "scan": {"limits": {"critical": 0, "high": 5}, "onlyFixable": True, "deadline": "7d"},
                "rings": rings,
            }
            for name in definitions
        ],
    }
    return json.dumps(document, indent=1)


def faults() -> list[dict[str, Any]]:
    """The ARM simulator's misfortunes, each by its own dice. Seconds are real ones."""
    prod = "/galleries/gal_prod/images/[^/]+/versions/"
    return [
        {"fault": "throttle", "probability": 0.03, "retry_after": 1},
        {"fault": "throttle", "probability": 0.02},
        {"fault": "error", "probability": 0.02},
        {"fault": "error", "probability": 0.02, "status": 503, "code": "ServiceUnavailable"},
        {"fault": "latency", "probability": 0.05, "seconds": 0.5},
        {"fault": "timeout", "probability": 0.01, "seconds": 3},
        *(
            {"fault": "drop_response_after_effect", "method": method, "probability": 0.06}
            for method in ("PUT", "PATCH", "DELETE")
        ),
        # The operation was accepted and fails later: a copy, an update, a machine, a deletion.
        {"fault": "fail_operation", "method": "PUT", "resource": prod, "probability": 0.04},
        {"fault": "fail_operation", "method": "PATCH", "resource": "/versions/", "probability": 0.03},
        {"fault": "fail_operation", "method": "PUT", "resource": "/virtualMachines/[^/]+$", "probability": 0.03},
        {"fault": "fail_operation", "method": "DELETE", "resource": "/virtualMachines/[^/]+$", "probability": 0.05},
    ]
