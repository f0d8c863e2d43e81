"""Revocation: the write that excludes a version from ``latest`` everywhere, and what ``latest`` is afterwards.

Only writes of this module make ``latest`` go back: a revocation, and the hiding of what is visible without proof. They
set the flag of each region in which the version may not stay, and the version's own. Nothing is dropped and nothing
else changes. Like every prediction, it is one over the facts given.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.domain.facts import RegionTargetFacts, VersionFacts
from shared.domain.health_rules import OnBreach
from shared.domain.hop_states import LatestChange
from shared.domain.image import DefinitionId, VersionId, VersionNumber
from shared.domain.latest import hidden_in, latest_in
from shared.domain.lifecycle import missing_proof
from shared.domain.policy import DefinitionPolicy, RegionTarget, Ring
from shared.domain.release import Release, State
from shared.domain.replication import plan_targets

_LONGEST_REASON: Final = 500
DESCENDANT: Final = "made from "
"""How the reason of a revocation begins that follows from that of an ancestor."""


def descendant_reason(ancestor: VersionId, reasons: Sequence[str]) -> str:
    """Why a version is revoked that was made from a revoked one."""
    why = f": {reasons[0][:_LONGEST_REASON]}" if reasons else ""
    return f"{DESCENDANT}{ancestor.short}, which is revoked{why}"


@dataclass(frozen=True, slots=True)
class RevokePlan:
    """The write, and ``latest`` by region before and after it. Nothing needs to be written unless ``changes``."""

    targets: tuple[RegionTargetFacts, ...]
    changes: bool
    before: Mapping[str, VersionNumber | None]
    after: Mapping[str, VersionNumber | None]
    emptied: tuple[str, ...]
    """Regions in which ``latest`` would become empty.

    A failed replication to one region gives the whole version the state *Failed*. Its other regions count all the same.
    """


def plan_revocation(
    versions: Sequence[VersionFacts], version: VersionFacts, *, kept: Collection[str] = ()
) -> RevokePlan:
    """Plan the revocation of a version, given all versions of its definition. The ``kept`` regions stay as they are."""
    targets = hidden_in(version, [region for region in version.regions if region not in kept])
    hidden = replace(version, targets=targets, excluded=True)
    others = tuple(each for each in versions if each.id != version.id)
    changes = not version.excluded or targets != version.targets
    before = {region: latest_in((*others, version), region) for region in version.regions}
    after = {region: latest_in((*others, hidden), region) for region in version.regions}
    shown = (region for region in version.regions if version.visible_in(region) and not hidden.visible_in(region))
    return RevokePlan(targets, changes, before, after, tuple(region for region in shown if after[region] is None))


def check_revocation(
    versions: Sequence[VersionFacts], version: VersionId, *, kept: Collection[str] = ()
) -> tuple[str, ...]:
    """Why the read-back of a revocation does not agree (yet); empty if it agrees, or if the version is gone."""
    found = next((each for each in versions if each.id == version), None)
    if found is None:
        return ()
    seen = [region for region in found.regions if found.visible_in(region) and region not in kept]
    reasons = [f"{version.short} is still visible to latest in {region}" for region in seen]
    return (
        tuple(reasons)
        if found.excluded
        else (*reasons, f"{version.short} is still not excluded from latest in its publishing profile")
    )


def short_of_replicas(
    versions: Sequence[VersionFacts], change: LatestChange, rings: Sequence[Ring]
) -> tuple[tuple[VersionFacts, tuple[RegionTarget, ...]], ...]:
    """Versions that ``latest`` resolves to after a ``change``, and the regions where a ring asks for more replicas.

    An older version that takes over may have fewer replicas than the machines of its ring need, because nothing
    followed it before. ``rings`` are those of the definition.
    """
    wanted: dict[str, dict[str, RegionTarget]] = {}
    for target in (target for ring in rings for target in ring.regions):
        latest = change.get(target.name)
        if latest is None or latest["after"] is None or latest["after"] == latest["before"]:
            continue
        regions = wanted.setdefault(latest["after"], {})
        known = regions.get(target.name)
        if known is None or known.replicas < target.replicas:
            regions[target.name] = target
    found = ((each, tuple(wanted.get(str(each.id.number), {}).values())) for each in versions)
    return tuple((each, regions) for each, regions in found if plan_targets(each, regions).changes)


def published_regions(release: Release, policy: DefinitionPolicy, definition: DefinitionId) -> frozenset[str]:
    """Regions of a definition in which Ringmaster has published the version.

    Of a ring that the policy no longer names, the definition is not known: its regions count in every definition.
    """
    definitions = {ring.name: ring.definition for ring in policy.rings}
    own = (each for each in release.published if definitions.get(each.ring, definition) == definition)
    return frozenset(region for publication in own for region in publication.regions)


def rightful_regions(release: Release, policy: DefinitionPolicy, definition: DefinitionId) -> frozenset[str]:
    """Regions of a definition in which the version may be visible: published, or proven for a ring that may be.

    A version that was rejected, or is revoked, may be visible nowhere, and none in a ring where its health failed and
    the policy says to hide it.
    """
    if release.state in {State.REJECTED, State.REVOKING, State.REVOKED}:
        return frozenset()
    rings = [ring for ring in policy.rings if ring.definition == definition]
    proven = (region for ring in rings if not missing_proof(release, policy, ring) for region in ring.region_names)
    unhealthy = hidden_for_health(release, policy)
    hidden = {region for ring in rings if ring.name in unhealthy for region in ring.region_names}
    return published_regions(release, policy, definition).union(proven) - hidden


def hidden_for_health(release: Release, policy: DefinitionPolicy) -> frozenset[str]:
    """Rings in which the version is to be hidden because its health failed there, and nobody has accepted that."""
    failed = {each.ring for each in release.health_failures}
    return frozenset(
        ring.name
        for ring in policy.rings
        if ring.name in failed and ring.health and ring.health.on_breach is OnBreach.HIDE
    )
