"""Who uses a version, asked now: all subscriptions side by side, within a bound on pages. Asks; writes nothing.

A look for a person does not wait for a service that fails: what did not answer, and what the bound left unread, is
marked. After a revocation, ``shared.stages.in_use`` looks with patience.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from shared.domain.image import VersionId
from shared.domain.in_use import InUse
from shared.domain.look import Look, begin, given_up, with_failure
from shared.domain.usage import Coverage, Mention
from shared.gallery.usage_look import Subject, as_document, found_users, read_next, subject_of
from shared.ports import PassingFault, World

MOST_PAGES: Final = 600
"""Pages that one request reads. At eight side by side and 0.3 seconds a page, that is half a minute."""
SIDE_BY_SIDE: Final = 8


@dataclass(slots=True)
class _Budget:
    pages: int
    slots: asyncio.Semaphore

    def take(self) -> bool:
        """Whether one more page may be read."""
        self.pages -= 1
        return self.pages >= 0


async def in_use(version: VersionId, world: World, *, now: datetime, most_pages: int = MOST_PAGES) -> dict[str, Any]:
    """The users and descendants of a version, and how complete that is, as JSON values.

    A version that the policy does not cover is looked for too, without copies. Raises PassingFault when its own gallery
    does not answer.
    """
    found = await look_now(version, world, now=now, most_pages=most_pages)
    return {"version": str(version), "at": now.isoformat(), **as_document(found, world.policy)}


async def look_now(version: VersionId, world: World, *, now: datetime, most_pages: int = MOST_PAGES) -> InUse:
    """The users of a version. Raises PassingFault when its own gallery does not answer."""
    stored = await world.ledger.read(version)
    subject = await subject_of(version, stored.release if stored else None, world)
    budget = _Budget(most_pages, asyncio.Semaphore(SIDE_BY_SIDE))
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_look(Look((lookup,)), subject, world, now, budget))
            for lookup in begin(world.policy.looked_at).left
        ]
    mentions = [mention for task in tasks for mention in task.result()[1]]
    coverage = [each for task in tasks for each in task.result()[0]]
    return found_users(subject, mentions, _merged(coverage), world.policy, now)


async def _look(
    look: Look, subject: Subject, world: World, now: datetime, budget: _Budget
) -> tuple[tuple[Coverage, ...], list[Mention]]:
    """Read one subscription, or one table of Resource Graph, to its end."""
    rules, mentions = world.policy.looked_at, list[Mention]()
    while not look.is_finished:
        if not budget.take():
            look = given_up(look, "not reached: the limit of pages for one request", rules, now)
            break
        try:
            async with budget.slots:
                look, found = await read_next(look, subject, world, now=now)
        except PassingFault as fault:
            look = with_failure(look, str(fault), rules, now)
        else:
            mentions += found
    return look.coverage, mentions


def _merged(coverage: list[Coverage]) -> tuple[Coverage, ...]:
    """One entry a subscription and type: the tables of Resource Graph were asked one by one."""
    merged: dict[tuple[str, str], Coverage] = {}
    for each in coverage:
        key = each.subscription, each.kind
        before = merged.setdefault(key, each)
        if before is not each:
            worse = before if before.reason else each
            merged[key] = replace(worse, resources=before.resources + each.resources)
    return tuple(merged.values())
