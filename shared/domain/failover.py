"""Failover: what consumers point to when the galleries of the active rings are lost, and whether it is there.

A ring that is a standing twin (``standby: true``) has a gallery of its own in another region. It is complete when what
the active rings have as their newest published version is published there too, under the ledger's proof, and is what
``latest`` resolves to in every one of its regions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.domain.facts import RegionState, VersionFacts
from shared.domain.image import DefinitionId, VersionNumber
from shared.domain.latest import latest_in
from shared.domain.policy import DefinitionPolicy, Ring


@dataclass(frozen=True, slots=True)
class FailoverPlan:
    """One standing twin. It is complete when nothing is ``missing``."""

    ring: str
    point_to: DefinitionId
    instead_of: tuple[DefinitionId, ...]
    """The image definitions that consumers use now."""
    regions: tuple[str, ...]
    version: VersionNumber | None
    """The version that consumers get by ``latest`` in every region of the twin; None where they differ."""
    missing: tuple[str, ...]


def plan_failover(
    policy: DefinitionPolicy,
    versions: Mapping[DefinitionId, Sequence[VersionFacts]],
    published: Mapping[str, Sequence[VersionNumber]],
) -> tuple[FailoverPlan, ...]:
    """The plan of each standing twin.

    ``versions`` are those of every image definition, with the replication of the newest ones; ``published`` are the
    numbers that the ledger calls published, by ring, newest first.
    """
    active = tuple(ring for ring in policy.rings if not ring.standby)
    newest = max((published[ring.name][0] for ring in active if published.get(ring.name)), default=None)
    return tuple(_plan(ring, active, newest, versions, published) for ring in policy.rings if ring.standby)


def _plan(
    twin: Ring,
    active: Sequence[Ring],
    newest: VersionNumber | None,
    versions: Mapping[DefinitionId, Sequence[VersionFacts]],
    published: Mapping[str, Sequence[VersionNumber]],
) -> FailoverPlan:
    here = versions.get(twin.definition, ())
    instead = tuple(dict.fromkeys(ring.definition for ring in active))
    missing: list[str] = []
    if twin.definition in instead:
        missing.append(f"{twin.name} has no gallery of its own: it is lost together with the active rings")
    if newest is None:
        missing.append("no version is published in an active ring")
    elif newest not in published.get(twin.name, ()):
        missing.append(f"{newest} is not published in {twin.name}: the ledger has no proof of it there")
    resolved = {region: latest_in(here, region) for region in twin.region_names}
    for region, number in resolved.items():
        if newest is not None and number != newest:
            missing.append(f"latest in {region} is {number or 'nothing'}, not {newest}")
    missing += _unreplicated(twin, newest, here)
    kept = {number for ring in active for number in published.get(ring.name, ())}
    there = {each.id.number for each in here}
    missing += [f"{number}, which consumers may have pinned, is not there" for number in sorted(kept - there)]
    same = set(resolved.values())
    return FailoverPlan(
        twin.name,
        twin.definition,
        instead,
        twin.region_names,
        same.pop() if len(same) == 1 else None,
        tuple(missing),
    )


def _unreplicated(twin: Ring, newest: VersionNumber | None, here: Sequence[VersionFacts]) -> list[str]:
    version = next((each for each in here if each.id.number == newest), None)
    if version is None or version.replication is None:
        return []
    states = {region: version.replication.regions.get(region) for region in twin.region_names}
    return [
        f"{newest} is not replicated in {region}"
        for region, status in states.items()
        if status is None or status.state is not RegionState.COMPLETED
    ]
