"""Requests for scans of published versions: vulnerabilities are found in images that have not changed.

A CloudEvent names the version. Scanners that subscribe scan it and send their report as usual. A scan is requested for
versions that are ``latest`` in a ring according to the ledger and whose last evaluated scan is too old, and for
versions that wait for a scan: held versions, versions before a ring with its own scan rules and no usable report, and
new versions without a usable report after half of the deadline. There is at most one request in a period, over all
instances. If an event is lost, the next one follows after a period.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from shared.codec.release_events import event_data
from shared.domain.events import ScanRequested
from shared.domain.hop_states import AwaitScan, Publish, ReportArrived
from shared.domain.image import VersionId
from shared.domain.messages import HINT_LIFE, Announcement, Command, Kind
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import Release, State
from shared.domain.release_summary import ReleaseSummary
from shared.ports import World

EVENT: Final = ScanRequested.TYPE
PERIOD: Final = timedelta(days=1)


async def run(world: World, *, now: datetime) -> list[str]:
    """Request the scans that are due. Returns the versions for which a scan was requested."""
    asked: list[str] = []
    for definition, policy in world.policy.definitions.items():
        # What waits has commands, so its row is read. What is published is settled as a rule, and may be thousands.
        waiting = {
            stored.release.version: waits
            async for stored in world.ledger.rows(definition=definition, unsettled=True)
            if (waits := _waits(stored.release, world.paced(policy.scan.deadline), now))
        }
        releases = [each async for each in world.ledger.summaries(definition)]
        for release, why in _due(releases, waiting, policy, world, now):
            if await _ask(release, why, policy, world, now):
                asked.append(release.version.short)
    return asked


def _due(
    releases: Iterable[ReleaseSummary],
    waiting: Mapping[VersionId, str],
    policy: DefinitionPolicy,
    world: World,
    now: datetime,
) -> Iterator[tuple[ReleaseSummary, str]]:
    newest: dict[str, ReleaseSummary] = {}
    for release in releases:
        if release.state in {State.REVOKING, State.REVOKED} or release.incarnation is None:
            continue
        if waits := waiting.get(release.version):
            yield release, waits
            continue
        for ring in policy.rings:
            known = newest.get(ring.name)
            if ring.name in release.published and (known is None or known.version.number < release.version.number):
                newest[ring.name] = release
    allowed = world.paced(policy.scan.rescan_after or policy.scan.max_age)
    for release in {each.version: each for each in newest.values()}.values():
        last = release.last_scan
        if last is None or now - last > allowed:
            yield release, f"last evaluated on {last:%Y-%m-%d}" if last else "never evaluated"


def _waits(release: Release, allowed: timedelta, now: datetime) -> str:
    if release.state is State.HELD:
        return "held until a scan passes"
    for pending in release.pending.values():
        match pending.command.state:
            case Publish(deadline=datetime()):
                return f"waiting for a scan before it is published in {pending.command.ring}"
            case AwaitScan(deadline) if (
                release.state is State.QUALIFYING and timedelta(0) < deadline - now < allowed / 2
            ):
                return "no usable report arrived in the first half of the scan deadline"
            case _:
                pass
    return ""


async def _ask(release: ReleaseSummary, why: str, policy: DefinitionPolicy, world: World, now: datetime) -> bool:
    period = world.paced(PERIOD)
    key = f"rescan:{release.version}:{release.incarnation}"
    if not await world.ledger.claim_once(key, until=now + period, now=now):
        return False
    last = release.last_scan
    kept = await world.evidence.reports(release.version)
    if kept and (last is None or kept[0].at > last):
        # A report is stored, but its hint was lost.
        state = ReportArrived(kept[0].name)
        await world.queues.send(Command(Kind.SCAN, release.version, seq=0, not_after=now + HINT_LIFE, state=state))
    await world.publisher.publish(
        Announcement(
            type=EVENT,
            version=release.version,
            at=now,
            id=f"{release.version}#scan-{int(now.timestamp() // period.total_seconds())}",
            data=event_data(
                ScanRequested,
                {
                    "version": str(release.version),
                    "why": why,
                    "last_judged": last.isoformat() if last else None,
                    "formats": policy.scan.formats,
                    "required": policy.scan.required,
                },
            ),
        )
    )
    return True
