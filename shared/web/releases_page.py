"""The page of all releases: those that need attention first, then all by image definition, with pagination."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from shared.domain.display import relative_time
from shared.domain.image import VersionId
from shared.domain.release import Release, State
from shared.ports import DeadLetter, World
from shared.queries import status
from shared.web.query_parameters import Pagination, QueryParameters, page_url
from shared.web.templating import Page, render

PAGE_SIZE: Final = 100
MAX_STALLED: Final = 50
MAX_DEAD_LETTERS: Final = 20
MAX_WAITS: Final = 4


@dataclass(frozen=True, slots=True)
class Row:
    """A release in the list."""

    version: VersionId
    state: State
    ring: str
    waits: Sequence[Wait]
    more_waits: int
    stalls: Sequence[tuple[str, str]]
    reasons: Sequence[str]
    published: Sequence[str]
    updated: datetime

    @property
    def definition(self) -> str:
        """The names of gallery and definition."""
        return _definition(self.version)


@dataclass(frozen=True, slots=True)
class Wait:
    """What a release waits for, and the deadline."""

    what: str
    deadline: datetime
    distance: str
    stalled: bool


@dataclass(frozen=True, slots=True)
class Definition:
    """How many releases of an image definition are in each state."""

    name: str
    states: Sequence[tuple[str, int]]
    total: int
    href: str


async def show(query: QueryParameters, world: World, now: datetime) -> Page:
    """Show all releases, or those of one definition or state."""
    releases = [stored.release async for stored in world.ledger.rows()]
    dead_letters = [dead_letter async for dead_letter in world.ledger.dead_letters()]
    name, state = query.text("definition"), query.one_of("state", State)
    chosen = [each for each in releases if _matches(each, name, state)]
    chosen.sort(key=_sort_key)
    stalled = [each for each in chosen if each.stalls]
    paging = Pagination(len(chosen), query.page("page"), PAGE_SIZE)
    rows = [_row(each, now) for each in chosen[paging.start : paging.end]]
    return render(
        "releases",
        now=now,
        total=len(releases),
        name=name,
        state=state,
        stalled=[_row(each, now) for each in stalled[:MAX_STALLED]],
        stalled_more=max(0, len(stalled) - MAX_STALLED),
        dead_letters=_newest_first(dead_letters)[:MAX_DEAD_LETTERS],
        dead_letters_more=max(0, len(dead_letters) - MAX_DEAD_LETTERS),
        definitions=_definitions(releases),
        sections=[(each, list(same)) for each, same in groupby(rows, key=lambda row: row.definition)],
        paging=paging,
        href=lambda page: page_url("releases", definition=name, state=state, page=page),
    )


def _matches(release: Release, name: str, state: State | None) -> bool:
    return name in {"", _definition(release.version)} and state in {None, release.state}


def _sort_key(release: Release) -> tuple[Any, ...]:
    """By definition; within it, stalled releases first, then releases in progress, then the highest version number."""
    number = release.version.number
    place = (-number.major, -number.minor, -number.patch)
    return _definition(release.version), str(release.version.definition), not release.stalls, release.is_settled, place


def _definition(version: VersionId) -> str:
    return f"{version.definition.gallery.name}/{version.definition.name}"


def _newest_first(dead_letters: list[DeadLetter]) -> list[DeadLetter]:
    return sorted(dead_letters, key=lambda dead_letter: dead_letter.at, reverse=True)


def _definitions(releases: Sequence[Release]) -> list[Definition]:
    states: dict[str, Counter[str]] = {}
    for release in releases:
        states.setdefault(_definition(release.version), Counter())[release.state.value] += 1
    order = {state.value: place for place, state in enumerate(State)}
    return [
        Definition(
            name,
            sorted(counts.items(), key=lambda each: order[each[0]]),
            counts.total(),
            page_url("releases", definition=name),
        )
        for name, counts in sorted(states.items())
    ]


def _row(release: Release, now: datetime) -> Row:
    short = status.summary(release)
    waits = [_wait(each, now) for each in short["waiting_for"]]
    return Row(
        version=release.version,
        state=release.state,
        ring=release.ring or "",
        waits=waits[:MAX_WAITS],
        more_waits=max(0, len(waits) - MAX_WAITS),
        stalls=sorted(release.stalls.items()),
        reasons=release.reasons[:1],
        published=[each.ring for each in release.published] if release.state is not State.REVOKED else [],
        updated=release.updated_at,
    )


def _wait(waiting: dict[str, Any], now: datetime) -> Wait:
    what = f"{waiting['what']} ({waiting['step']})" if waiting["step"] else waiting["what"]
    deadline = datetime.fromisoformat(waiting["deadline"])
    return Wait(what, deadline, relative_time(deadline, now), bool(waiting["stalled"]))
