"""Drift: what a gallery no longer has of what Ringmaster published in a ring.

Rules:

1. What is expected is what the row says: the ring is published in these regions. Replica counts and storage types are
   those of the policy, as long as the release was judged under it; another policy may want something else.
2. Only the newest versions of a ring that the policy keeps (``retention.keep``) are compared, and only while their
   source exists: people retire older ones region by region.
3. A version that is being written is not compared: the facts are about to change.
4. Only the newest published version of a ring can be repaired, because publishing an older one changes nothing.
   Nothing that others wrote is changed or hidden: it is reported.
5. A repair that is undone again is not repeated for ever: ``REPAIRS_A_DAY``.

The facts come from lists, which say nothing of replication.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.domain.facts import VersionFacts
from shared.domain.image import DefinitionId, VersionNumber
from shared.domain.latest import latest_in
from shared.domain.policy import DefinitionPolicy, RegionTarget, Ring
from shared.domain.release import DriftFinding, DriftKind, DriftRecord, State
from shared.domain.release_summary import ReleaseSummary

REPAIRS_A_DAY: Final = 3
"""Repairs of one release within 24 hours. Who undoes a fourth one means it."""
_DAY: Final = timedelta(days=1)
_COMPARED: Final = {State.RELEASED, State.SUPERSEDED}
_REPAIRABLE: Final = {
    DriftKind.REGION_REMOVED,
    DriftKind.REPLICAS_LOWERED,
    DriftKind.HIDDEN,
    DriftKind.COPY_DELETED,
}

type Listed = Mapping[DefinitionId, Sequence[VersionFacts]]
"""Every version of each image definition that the rings publish in."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a release published: its number, the regions by ring, and whether the policy is the one of the release."""

    number: VersionNumber
    published: Mapping[str, Sequence[str]]
    is_same_policy: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger says of a definition's rings: published numbers by ring, newest first, and what is under way."""

    published: Mapping[str, Sequence[VersionNumber]]
    open: frozenset[VersionNumber]

    @classmethod
    def of(cls, policy: DefinitionPolicy, releases: Iterable[ReleaseSummary]) -> Standing:
        """The standing by the summaries of all releases."""
        rows = list(releases)
        valid = [each for each in rows if each.state not in {State.REVOKING, State.REVOKED, State.REJECTED}]
        return cls(
            {
                ring.name: sorted((each.version.number for each in valid if ring.name in each.published), reverse=True)
                for ring in policy.rings
            },
            frozenset(each.version.number for each in rows if not each.is_settled),
        )

    def kept(self, ring: str, keep: int) -> Sequence[VersionNumber]:
        """The newest published numbers of a ring."""
        return self.published.get(ring, ())[:keep]


def may_have_drifted(release: ReleaseSummary, policy: DefinitionPolicy, standing: Standing, listed: Listed) -> bool:
    """Whether the row of a release is worth reading: something seems to differ, or differed before."""
    if not release.is_settled or release.state not in _COMPARED:
        return False
    number = release.version.number
    if not any(number in standing.kept(ring.name, policy.retention.keep) for ring in policy.rings):
        return release.has_drifted
    names = {ring.name: ring.region_names for ring in policy.rings if ring.name in release.published}
    return release.has_drifted or bool(find_drift(Expected(number, names, True), policy, standing, listed))


def find_drift(
    expected: Expected, policy: DefinitionPolicy, standing: Standing, listed: Listed
) -> tuple[DriftFinding, ...]:
    """Every difference between what a release published and what the galleries have."""
    found: list[DriftFinding] = []
    if _version(listed, policy.source, expected.number) is None:
        return ()
    for ring in policy.rings:
        regions = [region for region in expected.published.get(ring.name, ()) if region in ring.region_names]
        if regions and expected.number in standing.kept(ring.name, policy.retention.keep):
            found += _in_ring(ring, regions, expected, standing, listed)
    return tuple(found)


def _in_ring(
    ring: Ring, regions: Sequence[str], expected: Expected, standing: Standing, listed: Listed
) -> Iterator[DriftFinding]:
    is_newest = expected.number == standing.kept(ring.name, 1)[0]
    version = _version(listed, ring.definition, expected.number)
    if version is None:
        text = f"the copy of {expected.number} in {ring.definition.gallery.name} was deleted"
        yield _finding(DriftKind.COPY_DELETED, ring, None, text, is_newest)
    elif not version.provisioning_state.in_progress:
        for region in regions:
            for kind, text in _in_region(version, _wanted(ring, region), is_same=expected.is_same_policy):
                yield _finding(kind, ring, region, text, is_newest)
    if is_newest:
        known = {*standing.published.get(ring.name, ()), *standing.open}
        yield from _foreign(ring, regions, expected.number, known, listed.get(ring.definition, ()))


def _in_region(version: VersionFacts, wanted: RegionTarget, *, is_same: bool) -> Iterator[tuple[DriftKind, str]]:
    region = wanted.name
    target = next((each for each in version.targets if each.region == region), None)
    if target is None:
        yield DriftKind.REGION_REMOVED, f"{region} is no longer a target region of {version.id.number}"
        return
    if not version.visible_in(region):
        yield DriftKind.HIDDEN, f"{version.id.number} is excluded from latest in {region}"
    if is_same and target.replicas < wanted.replicas:
        text = f"{version.id.number} has {target.replicas} of {wanted.replicas} replicas in {region}"
        yield DriftKind.REPLICAS_LOWERED, text
    if is_same and target.storage.lower() != wanted.storage.lower():
        text = f"{version.id.number} is stored as {target.storage} in {region}, not as {wanted.storage}"
        yield DriftKind.STORAGE_CHANGED, text


def _foreign(
    ring: Ring,
    regions: Sequence[str],
    number: VersionNumber,
    known: Collection[VersionNumber],
    versions: Sequence[VersionFacts],
) -> Iterator[DriftFinding]:
    """Higher numbers that ``latest`` resolves to, and that Ringmaster did not publish here."""
    for region in regions:
        latest = latest_in(versions, region)
        if latest is not None and latest > number and latest not in known:
            text = f"latest in {region} is {latest}, which Ringmaster did not publish in {ring.name}"
            yield _finding(DriftKind.FOREIGN_LATEST, ring, region, text, is_newest=False)


def _finding(kind: DriftKind, ring: Ring, region: str | None, text: str, is_newest: bool) -> DriftFinding:
    return DriftFinding(kind, ring.name, region, text, is_newest and kind in _REPAIRABLE)


def ring_to_repair(findings: Iterable[DriftFinding]) -> str | None:
    """The first ring that can be repaired, or None."""
    return next((each.ring for each in findings if each.repairable), None)


def repairs_left(record: DriftRecord | None, now: datetime) -> int:
    """How many more repairs the day allows."""
    return REPAIRS_A_DAY - len(recent_repairs(record, now))


def recent_repairs(record: DriftRecord | None, now: datetime) -> tuple[datetime, ...]:
    """When repairs began in the last 24 hours."""
    return tuple(at for at in (record.repairs if record else ()) if now - at < _DAY)


def _version(listed: Listed, definition: DefinitionId, number: VersionNumber) -> VersionFacts | None:
    return next((each for each in listed.get(definition, ()) if each.id.number == number), None)


def _wanted(ring: Ring, region: str) -> RegionTarget:
    return next(each for each in ring.regions if each.name == region)
