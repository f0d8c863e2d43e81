"""Revocation: excludes a version from ``latest`` in every gallery where it may be, and verifies that.

Hiding takes the same steps for a version that is visible without proof: its builder or an operator made it visible, or
it was rejected. It skips the regions in which the version may stay (``rightful_regions``).

All image definitions of the policy's rings are checked, whatever publications the row has: a hop can crash between its
write and the row. The write sets every flag, under the definition's lease. A version with the same number that is
another build, or a copy of another build, is not changed. ``latest`` may go back here. It becomes empty only if the
policy allows that; otherwise the branch stalls. Where only others made the version visible, ``latest`` was empty before
they did, and may become empty again.

The version that takes over gets the replicas that the rings ask for, once the bad one is hidden. That holds nothing up:
where it cannot be done, the verdict says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from shared.domain.actions import Action
from shared.domain.facts import VersionFacts
from shared.domain.hop_states import BeginRevocation, ConfirmExcluded, Exclude, LatestChange, latest_change
from shared.domain.image import DefinitionId
from shared.domain.lifecycle import Outcome
from shared.domain.messages import Kind
from shared.domain.outcomes import Decided, Dropped, Finished, HopResult, Redirected, Requeue, Stalled
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import Answer, Gate, Release
from shared.domain.replication import plan_targets
from shared.domain.revocation import (
    DESCENDANT,
    check_revocation,
    plan_revocation,
    published_regions,
    rightful_regions,
    short_of_replicas,
)
from shared.gallery.lease import READ_BACK, WRITE_AGAIN_AFTER, definition_lease, write
from shared.gallery.revocation_scope import definitions_of, released_version
from shared.ports import Hop, PassingFault, Refused

EMPTY_POLL: Final = timedelta(minutes=10)
FAULT_POLL: Final = timedelta(seconds=15)
REPLICA_TRIES: Final = 5
"""How often the replicas of the version that takes over are written, if galleries do not answer."""
NOT_COVERED: Final = Stalled(
    "the policy no longer covers this definition, so Ringmaster may not write to its galleries: exclude the version "
    "from latest yourself, or add the definition to the policy again and resend"
)


async def run(hop: Hop) -> HopResult:
    """One step of a revocation, or of hiding: write the definitions, or read one back."""
    match hop.command.state:
        case BeginRevocation(reason=reason):
            return Redirected(Outcome.REVOKE_ORDERED, reason)
        case Exclude() as state:
            return await _exclude(hop, state)
        case ConfirmExcluded() as state:
            return await _confirm(hop, state)
        case state:
            raise TypeError(f"a revocation has no step {state}")


async def _exclude(hop: Hop, state: Exclude) -> HopResult:
    """Write every definition that is left, in one hop. One that does not answer must not delay the others."""
    done = dict(state.done)
    emptied: dict[str, tuple[str, ...]] = {}
    faults: dict[str, PassingFault] = {}
    for each in state.left or tuple(str(each) for each in definitions_of(hop.policy)):
        try:
            due = await _exclude_in(hop, state, DefinitionId.parse(each), done)
        except PassingFault as fault:
            faults[each] = fault
            continue
        if due is None:
            return Dropped("stale: the release has advanced")
        if due.emptied:
            emptied[each] = due.emptied
    left = replace(state, left=(*faults, *emptied), done=done)
    if faults:
        return _after_faults(hop, left, tuple(faults.values()))
    if emptied:
        return _waits(hop, left, emptied)
    # All definitions are written before any is read back, so that the version is excluded quickly.
    confirm = ConfirmExcluded(left=tuple(done), done=done, allow_empty=state.allow_empty)
    return Requeue(confirm, READ_BACK, note="excluded" if done else None)


def _after_faults(hop: Hop, state: Exclude, faults: Sequence[PassingFault]) -> Requeue:
    """Try the definitions again whose gallery failed. Raises the first fault when the command is late."""
    if hop.is_late:
        raise faults[0]
    asked = max(fault.retry_after or timedelta(0) for fault in faults)
    return Requeue(state, FAULT_POLL, note="; ".join(dict.fromkeys(map(str, faults))), at_least=asked, failed=True)


async def _exclude_in(hop: Hop, state: Exclude, definition: DefinitionId, done: dict[str, LatestChange]) -> _Due | None:
    """Write one definition, and record the change in ``done``. Returns None when the release has advanced."""
    async with definition_lease(hop, definition):
        # Whoever publishes holds this lease too, and has recorded before what it published.
        current = await hop.world.ledger.read(hop.release.version)
        if current is None or not current.release.expects(hop.command):
            return None
        hop = replace(hop, release=current.release)
        versions = await hop.world.galleries.versions(definition)
        version = released_version(versions, definition, hop.release)
        due = _due(hop, state, version, versions) if version else None
        if version is None or due is None:
            return _Due(frozenset(), ())
        plan = plan_revocation(versions, version, kept=due.kept)
        if plan.changes:
            await write(version, plan.targets, hop.world, excluded=True)
        done[str(definition)] = _change(done.get(str(definition), {}), latest_change(plan.before, plan.after))
        return due


def _change(earlier: LatestChange, change: LatestChange) -> LatestChange:
    """The change over all writes of a revocation: the first one knows what ``latest`` was before."""
    return {region: {**each, "before": earlier.get(region, each)["before"]} for region, each in change.items()}


@dataclass(frozen=True, slots=True)
class _Due:
    """What is to be done in a definition: the regions left as they are, among them those that would be ``emptied``."""

    kept: frozenset[str]
    emptied: tuple[str, ...]


def _due(hop: Hop, state: Exclude, version: VersionFacts, versions: Sequence[VersionFacts]) -> _Due | None:
    """What is to be done; None where hiding finds the version visible only where it may be."""
    release, policy, definition = hop.release, hop.policy, version.id.definition
    kept = rightful_regions(release, policy, definition)
    revokes = hop.command.kind is Kind.REVOKE
    if not revokes and not any(version.visible_in(region) for region in version.regions if region not in kept):
        return None
    emptied = plan_revocation(versions, version, kept=kept).emptied
    if policy.scan.revoke_to_empty or state.allow_empty:
        emptied = ()
    elif not revokes:
        # Elsewhere others made it visible: latest was empty there before they did.
        published = published_regions(release, policy, definition)
        emptied = tuple(region for region in emptied if region in published)
    return _Due(kept.union(emptied), emptied)


def _waits(hop: Hop, state: Exclude, emptied: Mapping[str, Sequence[str]]) -> Requeue:
    where = "; ".join(
        f"{', '.join(regions)} of {DefinitionId.parse(each).gallery.name}" for each, regions in emptied.items()
    )
    what = "revoked" if hop.command.kind is Kind.REVOKE else "hidden"
    text = f"not {what}: latest in {where} would be empty: publish another version first"
    return Requeue(state, EMPTY_POLL, note=text, stalled=text)


async def _confirm(hop: Hop, state: ConfirmExcluded) -> HopResult:
    if not state.done:
        return _concluded(hop, {}, "the version no longer exists in any of the policy's galleries")
    definition = DefinitionId.parse(state.left[0])
    versions = await hop.world.galleries.versions(definition)
    kept = rightful_regions(hop.release, hop.policy, definition)
    wrong = list(check_revocation(versions, definition.version(hop.release.version.number), kept=kept))
    reads = state.reads + 1
    if not wrong:
        try:
            state = replace(state, replicas=(*state.replicas, *await _raise_replicas(hop, state, definition, versions)))
        except PassingFault as fault:
            if reads < REPLICA_TRIES:
                asked = fault.retry_after or timedelta(0)
                return Requeue(replace(state, reads=reads), FAULT_POLL, note=str(fault), at_least=asked)
            state = replace(state, replicas=(*state.replicas, _not_raised(definition, fault)))
        if len(state.left) == 1:
            return _concluded(hop, state.done, *state.replicas)
        return Requeue(replace(state, left=state.left[1:], reads=0), timedelta(0))
    if reads >= WRITE_AGAIN_AFTER:
        note = f"the read-back differs, so it is written again: {'; '.join(wrong)}"
        return Requeue(Exclude(allow_empty=state.allow_empty), timedelta(0), note=note)
    return Requeue(replace(state, reads=reads), READ_BACK)


async def _raise_replicas(
    hop: Hop, state: ConfirmExcluded, definition: DefinitionId, versions: Sequence[VersionFacts]
) -> list[str]:
    """Give the versions that take over the replicas that the rings ask for. Raises PassingFault."""
    if hop.command.kind is not Kind.REVOKE:
        return []
    rings = [ring for ring in hop.policy.rings if ring.definition == definition]
    told: list[str] = []
    for version, regions in short_of_replicas(versions, state.done[str(definition)], rings):
        try:
            async with definition_lease(hop, definition):
                fresh = await hop.world.galleries.version(version.id)
                plan = plan_targets(fresh, regions) if fresh else None
                if fresh and plan and plan.changes:
                    await write(fresh, plan.targets, hop.world, excluded=plan.excluded)
        except Refused as refused:
            told.append(_not_raised(definition, refused))
            continue
        counts = ", ".join(f"{region.replicas} in {region.name}" for region in regions)
        told.append(f"{version.id.short} takes over in {definition.gallery.name}: replicas raised to {counts}")
    return told


def _not_raised(definition: DefinitionId, fault: PassingFault | Refused) -> str:
    return (
        f"the replicas of the version that takes over in {definition.gallery.name} could not be raised to what the "
        f"rings ask for: {fault}. Raise them with az sig image-version update"
    )


def _concluded(hop: Hop, done: Mapping[str, LatestChange], *notes: str) -> HopResult:
    if hop.command.kind is Kind.HIDE:
        return Decided(Gate.HIDING, Answer.PASS, facts={"latest": done}) if done else Finished()
    told = (*_why(hop.release), *notes, *_unmanaged_publications(hop.release, hop.policy))
    return Decided(Gate.REVOCATION, Answer.PASS, told, facts={"latest": done})


def _why(release: Release) -> tuple[str, ...]:
    """Why the version is revoked: in the words of whoever ordered it, or those of the scan that it failed."""
    if any(each.startswith(DESCENDANT) for each in release.reasons):
        return release.reasons
    ordered = release.taken(Action.REVOKE)[-1:]
    scanned = release.gate_any(Gate.RESCAN)
    failed = scanned if scanned and scanned.answer is Answer.REJECT else None
    if ordered and (failed is None or ordered[0].at > failed.at):
        return (f"revoked by {ordered[0].actor}: {ordered[0].reason}",)
    return scanned.reasons if scanned else ()


def _unmanaged_publications(release: Release, policy: DefinitionPolicy) -> Iterator[str]:
    """Publications in rings of an earlier policy, to which Ringmaster may no longer write."""
    names = {ring.name for ring in policy.rings}
    for publication in release.published:
        if publication.ring not in names:
            where = ", ".join(publication.regions)
            yield (
                f"it was published in {publication.ring} ({where}) as well, which the policy names no more: where that "
                "ring had a gallery of its own, exclude the version from latest there by hand"
            )
