"""Drift of what is published: told once, and repaired where the policy says so.

The timer has read the lists of versions and the summaries of releases for other purposes. Only the row of a release
that seems to differ is read. What differs is written into the row with an event and, where it is to be repaired, with
the command that repairs it: replicate the ring, then publish it (``engine.repair``).

Who made the change is in Azure's Activity Log, not in the lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

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
from shared.domain.moment import Moment
from shared.domain.orders import LONGEST_WHY, announce_beside, announce_stalls, order_repair
from shared.domain.policy import DefinitionPolicy, DriftAction
from shared.domain.release import DriftFinding, DriftRecord, Release, State
from shared.domain.release_summary import ReleaseSummary
from shared.engine.commit import send_pending
from shared.ports import Conflict, World


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
    after = _told(before, findings, policy, moment) if findings else _cleared(before, moment)
    try:
        written = await world.ledger.replace(stored, announce_stalls(before, after, moment))
    except Conflict:
        return []  # the next round compares again
    await send_pending(written, world, now=now, since=before.seq)
    return [f"{version.short}: {each.text}" for each in findings] or [f"{version.short} has what was published"]


def _expected(release: Release, policy: DefinitionPolicy) -> Expected:
    published = {each.ring: each.regions for each in release.published}
    return Expected(release.version.number, published, release.policy_digest == policy.digest)


def _told(release: Release, findings: tuple[DriftFinding, ...], policy: DefinitionPolicy, moment: Moment) -> Release:
    """The row with the findings and their event, and with a repair where one is due."""
    ring = _ring_to_repair(release, findings, policy)
    text = "; ".join(each.text for each in findings)
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
    }
    moved = replace(release, drift=record).with_history(moment.now, f"drift found: {text}"[:LONGEST_WHY])
    moved = announce_beside(moved, DRIFT_FOUND, moment, why=text, details=details)
    if ring is None:
        return moved
    stalled = (
        None
        if has_left
        else (
            f"drift was repaired {REPAIRS_A_DAY} times within a day, and somebody undid it again: {text}. Find out who "
            "does, then resend to repair it"
        )
    )
    return order_repair(moved, ring, moment, stalled=stalled)


def _ring_to_repair(release: Release, findings: tuple[DriftFinding, ...], policy: DefinitionPolicy) -> str | None:
    """The ring to repair now. Evidence under another policy is no proof, so such a release is only reported."""
    is_repaired = policy.drift is DriftAction.REPAIR and release.policy_digest == policy.digest
    return ring_to_repair(findings) if is_repaired and release.state is State.RELEASED else None


def _cleared(release: Release, moment: Moment) -> Release:
    record = DriftRecord(moment.now, (), recent_repairs(release.drift, moment.now))
    moved = replace(release, drift=record).with_history(moment.now, "no drift any more")
    return announce_beside(moved, DRIFT_REPAIRED, moment)
