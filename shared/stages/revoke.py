"""Revocation: make a version ``latest`` nowhere, in every gallery where it may be, and see that it holds.

Each image definition that the policy's rings name is looked at, whatever the row says of publications: a ring may have
been written by a hop that did not live to tell. The write sets every flag, under the definition's lease. What is there
under the same number and isn't ours (another build, a copy of another one) is left alone. ``latest`` may go back here;
it goes empty only where the policy says so, and otherwise waits for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from shared.domain.actions import Action
from shared.domain.hop_states import BeginRevocation, ConfirmExcluded, Exclude, LatestChange
from shared.domain.image import DefinitionId
from shared.domain.lifecycle import Outcome
from shared.domain.outcomes import Decided, HopResult, Redirected, Requeue, Stalled
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import Answer, Gate, Release
from shared.domain.revocation import RevokePlan, check_revocation, plan_revocation
from shared.gallery.lease import READ_BACK, WRITE_AGAIN_AFTER, definition_lease, write
from shared.gallery.revocation_scope import definitions_of, released_version
from shared.ports import Hop

EMPTY_POLL: Final = timedelta(minutes=10)
NOT_COVERED: Final = Stalled(
    "the policy no longer covers this definition, so Ringmaster may not write to its galleries: exclude the version "
    "from latest yourself, or add the definition to the policy again and resend"
)


async def run(hop: Hop) -> HopResult:
    """One step of a revocation: write or read back one definition."""
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
    left = state.left or tuple(str(each) for each in definitions_of(hop.policy))
    definition = DefinitionId.parse(left[0])
    done = dict(state.done)
    async with definition_lease(hop, definition):
        versions = await hop.world.galleries.versions(definition)
        version = released_version(versions, definition, hop.release)
        if version is not None:
            plan = plan_revocation(versions, version)
            if plan.emptied and not (hop.policy.scan.revoke_to_empty or state.allow_empty):
                where = ", ".join(plan.emptied)
                text = f"latest in {where} of {definition.gallery.name} would be empty: publish another version first"
                return Requeue(state, EMPTY_POLL, note=text, stalled=f"not revoked: {text}")
            if plan.changes:
                await write(version, plan.targets, hop.world, excluded=True)
            done[str(definition)] = _predicted(plan)
    if len(left) > 1:
        return Requeue(replace(state, left=left[1:], done=done), timedelta(0))
    # All is written before anything is read back: each minute of a bad version counts.
    confirm = ConfirmExcluded(left=tuple(done), done=done, allow_empty=state.allow_empty)
    return Requeue(confirm, READ_BACK, note="excluded")


async def _confirm(hop: Hop, state: ConfirmExcluded) -> HopResult:
    if not state.done:
        return _revoked(hop, {}, "the version no longer exists in any of the policy's galleries")
    definition = DefinitionId.parse(state.left[0])
    versions = await hop.world.galleries.versions(definition)
    wrong = list(check_revocation(versions, definition.version(hop.release.version.number)))
    if not wrong and len(state.left) == 1:
        return _revoked(hop, state.done, "")
    if not wrong:
        return Requeue(replace(state, left=state.left[1:], reads=0), timedelta(0))
    reads = state.reads + 1
    if reads >= WRITE_AGAIN_AFTER:
        note = f"the read-back differs, so it is written again: {'; '.join(wrong)}"
        return Requeue(Exclude(allow_empty=state.allow_empty), timedelta(0), note=note)
    return Requeue(replace(state, reads=reads), READ_BACK)


def _revoked(hop: Hop, done: Mapping[str, LatestChange], note: str) -> Decided:
    told = (*_why(hop.release), note, *_out_of_reach(hop.release, hop.policy))
    return Decided(Gate.REVOCATION, Answer.PASS, tuple(each for each in told if each), facts={"latest": done})


def _why(release: Release) -> tuple[str, ...]:
    """Why the version is revoked: in the words of whoever ordered it, or those of the scan that it failed."""
    ordered = release.taken(Action.REVOKE)[-1:]
    scanned = release.gate_any(Gate.RESCAN)
    failed = scanned if scanned and scanned.answer is Answer.REJECT else None
    if ordered and (failed is None or ordered[0].at > failed.at):
        return (f"revoked by {ordered[0].actor}: {ordered[0].reason}",)
    return scanned.reasons if scanned else ()


def _out_of_reach(release: Release, policy: DefinitionPolicy) -> Iterator[str]:
    """Rings of an earlier policy: where they published may not be written to any more."""
    names = {ring.name for ring in policy.rings}
    for publication in release.published:
        if publication.ring not in names:
            where = ", ".join(publication.regions)
            yield (
                f"it was published in {publication.ring} ({where}) as well, which the policy names no more: where that "
                "ring had a gallery of its own, exclude the version from latest there by hand"
            )


def _predicted(plan: RevokePlan) -> LatestChange:
    return {
        region: {
            "before": str(before) if before else None,
            "after": str(plan.after[region]) if plan.after[region] else None,
        }
        for region, before in plan.before.items()
    }
