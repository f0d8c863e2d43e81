"""Which published version a scan is compared with."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.image import DefinitionId, VersionNumber
from shared.domain.messages import Command, Kind
from shared.domain.policy import Severity
from shared.domain.release import Publication, Release, State
from shared.ports import Hop
from shared.scan_gate.baseline import published_baseline
from tests.flow.rehearsal import BEGIN, SMALL, SOURCE, Rehearsal

OTHER = replace(SOURCE, name="debian")
RULES = replace(SMALL.scan, no_new=(Severity.CRITICAL,))
LAST = SMALL.rings[-1].name


def release(
    number: str, state: State = State.RELEASED, *rings: str, of: DefinitionId = SOURCE, incarnation: str | None = "i"
) -> Release:
    published = tuple(Publication(ring, (), BEGIN) for ring in rings)
    version = of.version(VersionNumber.parse(number))
    return Release(version, state, 1, "d", BEGIN, BEGIN, incarnation, published=published)


async def compared_with(*others: Release) -> str | None:
    """The version that version 5.0.0 is compared with."""
    world = Rehearsal(SMALL, replace(SMALL, source=OTHER)).cloud.world
    own = release("5.0.0", State.QUALIFYING)
    for each in (own, *others):
        await world.ledger.insert(each)
    command = Command(Kind.SCAN, own.version, 1, BEGIN + timedelta(hours=1))
    found = await published_baseline(Hop(command, own, SMALL, world, BEGIN), RULES)
    return found.version if found else None


async def test_a_version_is_compared_with_the_highest_number_that_was_released() -> None:
    found = await compared_with(release("1.0.0"), release("2.0.0"), release("1.9.9"))
    assert found == release("2.0.0").version.short


@pytest.mark.parametrize(
    "other",
    [
        release("2.0.0", of=OTHER),
        release("2.0.0", State.REVOKED, LAST),
        release("2.0.0", State.REVOKING, LAST),
        release("2.0.0", State.REJECTED),
        release("2.0.0", State.TESTING),
        release("2.0.0", incarnation=None),
    ],
    ids=["another definition", "revoked", "being revoked", "rejected", "not published yet", "unknown incarnation"],
)
async def test_a_version_that_does_not_stand_is_passed_over(other: Release) -> None:
    assert await compared_with(release("1.0.0"), other) == release("1.0.0").version.short


async def test_a_version_that_is_published_in_the_last_ring_stands_before_it_is_released() -> None:
    found = await compared_with(release("1.0.0"), release("2.0.0", State.PUBLISHING, LAST))
    assert found == release("2.0.0").version.short


async def test_the_first_version_is_compared_with_nothing() -> None:
    assert await compared_with() is None
