"""Boot tests that restart machines and compare them, and the images that they find.

A seed has them where its number says so, with draws of their own: what a seed means without them stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Final

from local.simulation.scenario import FAST, Build, Scenario
from shared.adapters.memory.characters import Character
from shared.domain.policy import ConsoleRule, DefinitionPolicy, Policy, Twins

CLONED: Final = replace(FAST, name="cloned", is_cloned=True)
NEW_IDENTITY: Final = replace(FAST, name="another identity after a reboot", changes_identity=True)
NEVER_BACK: Final = replace(FAST, name="never comes back from a reboot", back_after=None)
SLOW: Final = replace(
    FAST,
    name="slow",
    provisioned_after=timedelta(seconds=100),
    agent_after=timedelta(seconds=130),
    back_after=timedelta(seconds=120),
)
BLANK: Final = replace(FAST, name="blank console", console=())

CHARACTERS: Final[Sequence[tuple[int, bool, tuple[Character, ...]]]] = (
    (50, True, (FAST,)),
    (12, False, (CLONED,)),
    (6, False, (NEW_IDENTITY,)),
    (8, False, (NEVER_BACK,)),
    (8, True, (NEVER_BACK, FAST)),
    (8, True, (SLOW,)),
    (8, True, (BLANK,)),
)
"""Weight, whether such an image is a good one, and the characters of its machines in a region, in order."""


def with_boots(scenario: Scenario, rng: Random) -> Scenario:
    """The scenario with restarts, twins and consoles in its policies, and with images that only they tell apart."""
    console = rng.choice((ConsoleRule.EXPECTED, ConsoleRule.EXPECTED, ConsoleRule.IGNORED, ConsoleRule.REQUIRED))
    slowdown = rng.choice((None, 1.5))

    def ruled(definition: DefinitionPolicy) -> DefinitionPolicy:
        # Without a second machine before the first publication, no test can find a clone.
        twins = Twins.COMPARED if definition.rings[0].boot_test else Twins.PAIR
        boot = replace(
            definition.boot,
            reboot=True,
            reboot_within=timedelta(minutes=5),
            console=console,
            twins=twins,
            max_slowdown=slowdown,
        )
        return replace(definition, boot=boot)

    def changed(policy: Policy) -> Policy:
        return replace(policy, definitions={source: ruled(each) for source, each in policy.definitions.items()})

    builds = tuple(_build(build, console, rng) for build in scenario.builds)
    return replace(scenario, builds=builds).with_policies(changed)


def _build(build: Build, console: ConsoleRule, rng: Random) -> Build:
    """The build with another image, if its image is one that boots as any other."""
    _, is_good, characters = rng.choices(CHARACTERS, [each[0] for each in CHARACTERS])[0]
    if build.characters != (FAST,):
        return build
    if characters == (BLANK,) and console is ConsoleRule.REQUIRED:
        is_good = False
    return replace(build, boots=is_good, characters=characters)
