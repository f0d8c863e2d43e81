"""Taking a version back: what the write is that makes it ``latest`` nowhere, and what ``latest`` is then.

This is the one write of ours after which ``latest`` goes back. It sets every flag there is: of each region, and the
version's own. Nothing is dropped and nothing else changes. Like every prediction, it is one over the facts given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shared.domain.facts import RegionTargetFacts, VersionFacts
from shared.domain.image import VersionId, VersionNumber
from shared.domain.latest import latest_in


@dataclass(frozen=True, slots=True)
class RevokePlan:
    """The write, and ``latest`` by region before and after it. Nothing needs to be written unless ``changes``."""

    targets: tuple[RegionTargetFacts, ...]
    changes: bool
    before: Mapping[str, VersionNumber | None]
    after: Mapping[str, VersionNumber | None]

    @property
    def emptied(self) -> tuple[str, ...]:
        """Regions in which ``latest`` would be nothing, and is something now."""
        return tuple(region for region, now in self.before.items() if now is not None and self.after[region] is None)


def plan_revocation(versions: Sequence[VersionFacts], version: VersionFacts) -> RevokePlan:
    """How to make a version ``latest`` nowhere, given every version of its definition."""
    targets = tuple(replace(target, excluded=True) for target in version.targets)
    hidden = replace(version, targets=targets, excluded=True)
    others = tuple(each for each in versions if each.id != version.id)
    changes = not version.excluded or any(target.excluded is not True for target in version.targets)
    before = {region: latest_in((*others, version), region) for region in version.regions}
    after = {region: latest_in((*others, hidden), region) for region in version.regions}
    return RevokePlan(targets, changes, before, after)


def check_revocation(versions: Sequence[VersionFacts], version: VersionId) -> tuple[str, ...]:
    """Why a revocation, read back, doesn't hold (yet); nothing when it does, or when the version is gone."""
    found = next((each for each in versions if each.id == version), None)
    if found is None:
        return ()
    seen = [region for region in found.regions if found.visible_in(region)]
    reasons = [f"{version.short} is still visible to latest in {region}" for region in seen]
    return (
        tuple(reasons)
        if found.excluded
        else (*reasons, f"{version.short} is still not excluded from latest in its publishing profile")
    )
