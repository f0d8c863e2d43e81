"""Ask scanners to look again at what is published: vulnerabilities are found in images that have not changed.

A CloudEvent names the version; scanners that listen scan it and send their report as always. Asked for are versions
that are ``latest`` in some ring by the ledger, when their last judged scan is older than the policy wants; and those
that wait for a scan: held ones, ones before a ring whose own rules no report on hand can answer, and new ones that no
usable report came for in half of the time that they have. Each at most once in a period, over all instances. An event
that is lost costs a period.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from shared.domain.hop_states import AwaitScan, Publish, ReportArrived
from shared.domain.messages import HINT_LIFE, Announcement, Command, Kind
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import Gate, GateRecord, Release, State
from shared.ports import World

EVENT: Final = "Ringmaster.ScanRequested"
PERIOD: Final = timedelta(days=1)


async def run(world: World, *, now: datetime) -> list[str]:
    """Ask for what is due. Returns the versions that were asked for."""
    asked: list[str] = []
    for definition, policy in world.policy.definitions.items():
        releases = [stored.release async for stored in world.ledger.rows(definition=definition)]
        for release, why in _due(releases, policy, world, now):
            if await _ask(release, why, policy, world, now):
                asked.append(release.version.short)
    return asked


def _due(
    releases: Iterable[Release], policy: DefinitionPolicy, world: World, now: datetime
) -> Iterator[tuple[Release, str]]:
    newest: dict[str, Release] = {}
    for release in releases:
        if release.state in {State.REVOKING, State.REVOKED} or release.incarnation is None:
            continue
        if waits := _waits(release, world.paced(policy.scan.deadline), now):
            yield release, waits
            continue
        for ring in policy.rings:
            known = newest.get(ring.name)
            if release.published_in(ring.name) and (known is None or known.version.number < release.version.number):
                newest[ring.name] = release
    allowed = world.paced(policy.scan.rescan_after or policy.scan.max_age)
    for release in {each.version: each for each in newest.values()}.values():
        last = _last(release)
        if last is None or now - last.at > allowed:
            yield release, f"last evaluated on {last.at:%Y-%m-%d}" if last else "never evaluated"


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


def _last(release: Release) -> GateRecord | None:
    found = [release.gate_any(gate) for gate in (Gate.SCAN, Gate.RESCAN)]
    return max((each for each in found if each is not None), key=lambda each: each.at, default=None)


async def _ask(release: Release, why: str, policy: DefinitionPolicy, world: World, now: datetime) -> bool:
    period = world.paced(PERIOD)
    key = f"rescan:{release.version}:{release.incarnation}"
    if not await world.ledger.claim_once(key, until=now + period, now=now):
        return False
    last = _last(release)
    kept = await world.evidence.reports(release.version)
    if kept and (last is None or kept[0].at > last.at):
        # A report came and nobody was told: what was hinted got lost.
        state = ReportArrived(kept[0].name)
        await world.queues.send(Command(Kind.SCAN, release.version, seq=0, not_after=now + HINT_LIFE, state=state))
    await world.publisher.publish(
        Announcement(
            type=EVENT,
            version=release.version,
            at=now,
            id=f"{release.version}#scan-{int(now.timestamp() // period.total_seconds())}",
            data={
                "version": str(release.version),
                "why": why,
                "lastJudged": last.at.isoformat() if last else None,
                "formats": list(policy.scan.formats),
                "required": list(policy.scan.required),
            },
        )
    )
    return True
