"""The page of one release: its rings, gates with reasons and evidence, pending work and history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.domain.ahead import standing as standing_ahead
from shared.domain.display import format_duration, relative_time
from shared.domain.policy import DefinitionPolicy, Ring
from shared.domain.release import Answer, Gate, GateRecord, Release, State
from shared.ports import World
from shared.queries import status
from shared.web.evidence_page import evidence_key, read_release
from shared.web.query_parameters import QueryParameters, page_url
from shared.web.templating import Page, render

GATES: Final = 200
_SCANS: Final = {Gate.SCAN, Gate.RESCAN}


@dataclass(frozen=True, slots=True)
class RingRow:
    """A ring, and the state of the version in it."""

    name: str
    gallery: str
    regions: str
    bake: str
    standing: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class GateRow:
    """A gate's verdict.

    ``valid`` is false when it applies to another incarnation or policy than the release has now.
    """

    record: GateRecord
    place: str
    valid: bool
    evidence: str
    scan: str

    @property
    def passed(self) -> bool:
        """Whether the gate passed."""
        return self.record.answer is Answer.PASS


async def show(query: QueryParameters, world: World, now: datetime) -> Page:
    """Show the release of the requested version."""
    release = await read_release(query, world)
    short = status.summary(release)
    gates = sorted(release.gates, key=lambda each: each.at, reverse=True)
    return render(
        "release",
        now=now,
        release=release,
        short=short,
        took=format_duration(timedelta(seconds=short["seconds"])),
        ago=relative_time(release.started_at, now),
        waits=[_wait(each, now) for each in short["waiting_for"]],
        rings=_rings(release, world.policy.covering(release.version)),
        gates=[_gate(each, release) for each in gates[:GATES]],
        gates_more=max(0, len(gates) - GATES),
        history=release.history[::-1],
        scan=page_url("scan", version=release.version) if any(each.gate in _SCANS for each in gates) else "",
    )


def _wait(waiting: dict[str, Any], now: datetime) -> dict[str, Any]:
    due, deadline = (datetime.fromisoformat(waiting[name]) for name in ("next_look", "deadline"))
    return {
        **waiting,
        "what": f"{waiting['what']} ({waiting['step']})" if waiting["step"] else waiting["what"],
        "due": f"{due:%Y-%m-%d %H:%M} UTC ({relative_time(due, now)})",
        "until": f"{deadline:%Y-%m-%d %H:%M} UTC ({relative_time(deadline, now)})",
        "trouble": waiting["stalled"] or waiting["fault"] or waiting["waits_for"] or "",
    }


def _rings(release: Release, policy: DefinitionPolicy | None) -> list[RingRow]:
    known = [_ring(each, release) for each in policy.rings] if policy else []
    named = {each.name for each in known}
    others = [each for each in release.published if each.ring not in named]
    return [
        *known,
        *(
            RingRow(
                each.ring,
                "not in the policy",
                ", ".join(each.regions),
                "",
                _publication_state(release),
                each.at,
            )
            for each in others
        ),
    ]


def _publication_state(release: Release) -> str:
    """The state of a ring that was published. A revocation applies to all published rings."""
    return {State.REVOKING: "being revoked", State.REVOKED: "revoked"}.get(release.state, "published")


def _ring(ring: Ring, release: Release) -> RingRow:
    published = release.published_in(ring.name)
    under_way = ring.name == release.ring and not release.state.is_terminal
    ahead = standing_ahead(release).get(ring.name)
    not_yet = f"filled ahead: {ahead}" if ahead else "not started"
    standing = _publication_state(release) if published else release.state.value if under_way else not_yet
    if standing == "not started" and release.state.is_terminal:
        standing = "not published"
    regions: Sequence[str] = published.regions if published else ring.region_names
    return RingRow(
        ring.name,
        ring.definition.gallery.name,
        ", ".join(regions),
        format_duration(ring.bake) if ring.bake else "none",
        standing,
        published.at if published else None,
    )


def _gate(record: GateRecord, release: Release) -> GateRow:
    version = release.version
    here = (release.incarnation, release.policy_digest)
    is_scan = record.gate in _SCANS and record.evidence
    return GateRow(
        record,
        "/".join(part for part in (record.ring, record.region) if part),
        (record.incarnation, record.policy_digest) == here,
        page_url("evidence", version=version, evidence=evidence_key(record)) if record.evidence else "",
        page_url("scan", version=version, evidence=evidence_key(record)) if is_scan else "",
    )
