"""Boot times: how long the phases of a boot test took, compared with those of the published version.

Times are compared for the same region and VM size, of the same ring if it has them. A machine is looked at every ten
seconds or less often, so that small differences mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from shared.domain.boot_test.identities import BootedMachine
from shared.domain.hop_states import MachineState
from shared.domain.release import Gate, GateRecord, Release
from shared.ports import Hop
from shared.scan_gate.baseline import newest_published

PHASES: Final = {
    "provisioned": "provisioning",
    "agent": "the time until the agent was ready",
    "reboot": "the restart",
}
"""The phases that are compared, and their names in texts."""
LEAST_DIFFERENCE: Final = 30
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Slowdown:
    """Phases that took longer than the policy allows, and the version that they were compared with."""

    texts: tuple[str, ...] = ()
    compared_with: str | None = None
    """None where the policy compares nothing. Otherwise a version, or why there is none to compare with."""


async def slower_phases(hop: Hop, state: MachineState) -> Slowdown:
    """Compare the times of a machine with those of the published version, where the policy says so."""
    limit = hop.policy.boot.max_slowdown
    if limit is None:
        return Slowdown()
    published = await newest_published(hop)
    if published is None:
        return Slowdown(compared_with="nothing: no version is published")
    before = _machine_of(published, hop, state)
    if before is None:
        where = f"{state.region} with {state.size}"
        return Slowdown(compared_with=f"nothing: boot times of {published.version.short} are not known in {where}")
    texts = tuple(_slower(state, before, limit, published.version.short))
    return Slowdown(texts, published.version.short)


def _slower(state: MachineState, before: BootedMachine, limit: float, version: str) -> Iterator[str]:
    for phase, words in PHASES.items():
        now, then = state.seconds.get(phase), before.seconds.get(phase)
        if now is None or then is None or now - then < LEAST_DIFFERENCE or now <= then * limit:
            continue
        yield f"{words} took {now} s instead of {then} s with {version} ({state.region}, {state.size})"


def _machine_of(published: Release, hop: Hop, state: MachineState) -> BootedMachine | None:
    """The last machine of the published version in the same region and size, of the same ring if there is one."""
    found: list[tuple[bool, GateRecord, BootedMachine]] = []
    for record in published.gates:
        machine = record.machine
        if record.gate is not Gate.BOOT_TEST or record.incarnation != published.incarnation or machine is None:
            continue
        if (machine.region, machine.size) == (state.region, state.size):
            found.append((record.ring == hop.command.ring, record, machine))
    best = max(found, key=lambda each: (each[0], each[1].at), default=None)
    return best[2] if best else None
