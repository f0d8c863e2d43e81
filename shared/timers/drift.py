"""Drift of what is published: told once, and repaired where the policy says so.

The timer has read the lists of versions and the summaries of releases for other purposes. Only the row of a release
that seems to differ is read. What differs is written into the row with an event and, where it is to be repaired, with
the command that repairs it: replicate the ring, then publish it (``engine.repair``).

Who else wrote the version in the last day is read from the Activity Log, only for news.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.activity import ActivityRecord
from shared.domain.drift import (
    REPAIRS_A_DAY,
    Expected,
    Listed,
    Standing,
    find_drift,
    may_have_drifted,
    recent_repairs,
    repairs_left,
    ring_to_repair,
)
from shared.domain.events import DRIFT_FOUND, DRIFT_REPAIRED
from shared.domain.image import VersionId
from shared.domain.latest import latest_in
from shared.domain.moment import Moment
from shared.domain.orders import LONGEST_WHY, announce_beside, announce_stalls, order_repair
from shared.domain.policy import DefinitionPolicy, DriftAction
from shared.domain.release import DriftFinding, DriftKind, DriftRecord, Release, State
from shared.domain.release_summary import ReleaseSummary
from shared.engine.commit import send_pending
from shared.ports import Conflict, PassingFault, Refused, World

log = logging.getLogger("ringmaster.drift")

LOOKBACK: Final = timedelta(hours=24)


async def run(
    policy: DefinitionPolicy,
    releases: Mapping[VersionId, ReleaseSummary],
    listed: Listed,
    world: World,
    *,
    now: datetime,
) -> list[str]:
    """Compare one definition's rings. Returns what is new, for the log."""
    standing = Standing.of(policy, releases.values())
    news: list[str] = []
    for version, summary in releases.items():
        if may_have_drifted(summary, policy, standing, listed):
            news += await _compare(version, policy, standing, listed, world, now)
    return news


async def _compare(
    version: VersionId, policy: DefinitionPolicy, standing: Standing, listed: Listed, world: World, now: datetime
) -> list[str]:
    stored = await world.ledger.read(version)
    if stored is None or not stored.release.is_settled or stored.release.updated_at > now:
        return []  # what was listed is older than the row
    before = stored.release
    findings = find_drift(_expected(before, policy), policy, standing, listed)
    is_known = findings == (before.drift.findings if before.drift else ())
    if is_known and _ring_to_repair(before, findings, policy) is None:
        return []
    moment = Moment(now, world.pace)
    if findings:
        writers = await _writers(before, findings, policy, listed, world, now)
        after = _told(before, findings, policy, moment, writers)
    else:
        after = _cleared(before, moment)
    try:
        written = await world.ledger.replace(stored, announce_stalls(before, after, moment))
    except Conflict:
        return []  # the next round compares again
    await send_pending(written, world, now=now, since=before.seq)
    return [f"{version.short}: {each.text}" for each in findings] or [f"{version.short} has what was published"]


def _expected(release: Release, policy: DefinitionPolicy) -> Expected:
    published = {each.ring: each.regions for each in release.published}
    return Expected(release.version.number, published, release.policy_digest == policy.digest)


async def _writers(
    release: Release,
    findings: Sequence[DriftFinding],
    policy: DefinitionPolicy,
    listed: Listed,
    world: World,
    now: datetime,
) -> tuple[ActivityRecord, ...]:
    """Who else wrote or deleted what differs, by the Activity Log, as far as it can be read."""
    rings = {ring.name: ring.definition for ring in policy.rings}
    own = release.version.number
    targets: dict[VersionId, None] = {}
    for each in findings:
        definition = rings[each.ring]
        is_foreign = each.kind is DriftKind.FOREIGN_LATEST and each.region is not None
        number = latest_in(listed.get(definition, ()), each.region or "") if is_foreign else own
        targets[definition.version(number or own)] = None
    since = max(now - LOOKBACK, release.updated_at)  # what was written before that was not drift
    found: dict[tuple[str, ...], ActivityRecord] = {}
    for target in targets:
        try:
            records = await world.activity_log.writes(target, since=since, until=now)
        except (PassingFault, Refused) as fault:
            log.warning("who changed %s is not known: %s", target.short, fault)
            continue
        found |= {each.ids: each for each in records if each.ids and world.own_writers.isdisjoint(each.ids)}
    return tuple(found.values())


def _told(
    release: Release,
    findings: tuple[DriftFinding, ...],
    policy: DefinitionPolicy,
    moment: Moment,
    writers: Sequence[ActivityRecord],
) -> Release:
    """The row with the findings and their event, and with a repair where one is due."""
    ring = _ring_to_repair(release, findings, policy)
    who = ", ".join(each.caller or each.ids[0] for each in writers)
    text = "; ".join(each.text for each in findings) + (f" (written by {who} in the last 24 hours)" if who else "")
    repairs = recent_repairs(release.drift, moment.now)
    has_left = repairs_left(release.drift, moment.now) > 0
    if ring is not None and has_left:
        repairs = (*repairs, moment.now)
    record = DriftRecord(moment.now, findings, repairs)
    details = {
        "findings": [
            {
                "kind": each.kind.value,
                "ring": each.ring,
                "region": each.region,
                "text": each.text,
                "repairable": each.repairable,
            }
            for each in findings
        ],
        "repair": ring is not None and has_left,
        "writers": [{"id": each.object_id or each.ids[0], "name": each.caller} for each in writers],
    }
    moved = replace(release, drift=record).with_history(moment.now, f"drift found: {text}"[:LONGEST_WHY])
    moved = announce_beside(moved, DRIFT_FOUND, moment, why=text, details=details)
    if ring is None:
        return moved
    blocked = (
        None
        if has_left
        else (
            f"drift was repaired {REPAIRS_A_DAY} times within a day, and somebody undid it again: {text}. Find out who "
            "does, then resend to repair it"
        )
    )
    return order_repair(moved, ring, moment, blocked=blocked)


def _ring_to_repair(release: Release, findings: tuple[DriftFinding, ...], policy: DefinitionPolicy) -> str | None:
    """The ring to repair now. Evidence under another policy is no proof, so such a release is only reported."""
    is_repaired = policy.drift is DriftAction.REPAIR and release.policy_digest == policy.digest
    return ring_to_repair(findings) if is_repaired and release.state is State.RELEASED else None


def _cleared(release: Release, moment: Moment) -> Release:
    record = DriftRecord(moment.now, (), recent_repairs(release.drift, moment.now))
    moved = replace(release, drift=record).with_history(moment.now, "no drift any more")
    return announce_beside(moved, DRIFT_REPAIRED, moment)
