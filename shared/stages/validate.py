"""Validation: read the version, its definition, gallery, source and the rings' definitions, and judge the metadata.

It also handles hints ("something wrote this version"): it checks whether the version number still has the same
incarnation. Writes by Ringmaster raise the same events as a build. They have the same incarnation, and end here by
law 10 (own writes start nothing).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from shared.domain.facts import DefinitionFacts, VersionFacts
from shared.domain.hop_states import AwaitVersion, ReadBack, UndoPublication
from shared.domain.image_traits import traits_of, written, written_for_ring
from shared.domain.lifecycle import Outcome
from shared.domain.messages import Branch, Kind
from shared.domain.outcomes import Decided, Dropped, HopResult, Redirected, Requeue
from shared.domain.policy import DefinitionPolicy, VisibleBeforeProof
from shared.domain.release import BUILDERS, Answer, Gate, Release, State
from shared.domain.revocation import rightful_regions
from shared.domain.validation.evidence import rules_in_evidence, seen_facts
from shared.domain.validation.facts import ValidationFacts
from shared.domain.validation.findings import FindingSeverity
from shared.domain.validation.verdict import ValidationOutcome, ValidationVerdict, validate
from shared.gallery.incarnation import confirm_gone, incarnation_of
from shared.gallery.lease import READ_BACK
from shared.gallery.validation_facts import awaits_activity_log, gather, once_provisioned
from shared.ports import Hop

POLL: Final = timedelta(seconds=30)
LOG_POLL: Final = timedelta(minutes=5)
POLICY_POLL: Final = timedelta(minutes=15)
ABSENT_POLL: Final = timedelta(seconds=30)
ABSENT_FOR: Final = timedelta(minutes=15)
"""An event can arrive before its version can be read. A version that does not exist after this time was deleted."""


async def run(hop: Hop) -> HopResult:
    """Validate the version's metadata, or handle a hint."""
    release, policy, world, now = hop.release, hop.policy, hop.world, hop.now
    version = await world.galleries.version(release.version)
    if hop.command.is_hint:
        return await _recheck(version, hop)
    state = hop.command.state if isinstance(hop.command.state, AwaitVersion) else AwaitVersion(now)
    since = state.since
    if version is None:
        if not hop.moment.has_passed(since + world.paced(ABSENT_FOR)):
            return Requeue(state, ABSENT_POLL, note="the version is not in the gallery yet")
        return await confirm_gone(release.version, world, "the version is not in the gallery")
    if release.incarnation is not None and incarnation_of(version) not in {None, release.incarnation}:
        # Validated before, under another policy: facts about the previous image must not be used for this one.
        return Redirected(
            Outcome.NUMBER_REUSED, f"another image was built under this version number on {incarnation_of(version)}"
        )
    if version.provisioning_state.in_progress:
        verdict = validate(ValidationFacts(version, None, None), policy, now=now, waiting_since=since)
        if verdict.outcome is ValidationOutcome.WAIT:
            return Requeue(state, POLL, note=f"the version is {version.provisioning_state.value}")
        return _decided(version, ValidationFacts(version, None, None), verdict, policy)
    if (pending := release.pending.get(str(Branch(Kind.HIDE)))) is not None and not pending.parked:
        return Requeue(state, READ_BACK)
    if pending is None and release.incarnation is None and _exposed(version, policy):
        return Redirected(
            Outcome.EXPOSED,
            f"in {', '.join(_exposed(version, policy))}: it is excluded from latest before it is evaluated",
        )
    facts = await gather(once_provisioned(version, release), policy, world, release=release, now=now)
    if awaits_activity_log(facts, policy, hop.moment):
        return Requeue(state, LOG_POLL, note="the Activity Log does not say yet who created the version")
    verdict = validate(facts, policy, now=now, waiting_since=since)
    if verdict.outcome is ValidationOutcome.WAIT:
        told = "; ".join(verdict.texts)
        # The version is complete: the wait for that begins anew, should it be updated meanwhile.
        return Requeue(AwaitVersion(now), POLICY_POLL, note=told, stalled=f"you must correct the policy: {told}")
    return _decided(version, facts, verdict, policy)


def _exposed(version: VersionFacts, policy: DefinitionPolicy) -> list[str]:
    """Regions in which ``latest`` may resolve to the version, where the policy says to hide it."""
    if policy.validation.visible_before_proof is not VisibleBeforeProof.HIDE:
        return []
    return [region for region in version.regions if version.visible_in(region)]


async def _recheck(version: VersionFacts | None, hop: Hop) -> HopResult:
    release, world = hop.release, hop.world
    if release.incarnation is None and not release.state.is_terminal:
        # Validation itself waits for a version that does not exist yet.
        return Dropped("the version is being validated")
    if version is None:
        if release.state.is_terminal:
            return Dropped("the version no longer exists, and its release has ended")
        return await confirm_gone(release.version, world, "the version was deleted during its release")
    incarnation = incarnation_of(version)
    if release.ended_as_gone and incarnation is not None and incarnation == release.incarnation:
        return Redirected(Outcome.VERSION_RETURNED, "the version is in the gallery again")
    if incarnation is None or incarnation == release.incarnation:
        return _shown_again(version, hop) or Dropped(
            "the version is unchanged: the event was caused by Ringmaster's own write, or by one that did "
            "not replace the version"
        )
    if _is_read_back(release):
        return Dropped(
            "another image was built under this version number; the promotion in progress excludes it from latest first"
        )
    return Redirected(Outcome.NUMBER_REUSED, f"another image was built under this version number on {incarnation}")


def _shown_again(version: VersionFacts, hop: Hop) -> Redirected | None:
    """The answer when an ended release's version is visible where it may not be, and nothing hides it yet."""
    release = hop.release
    if (
        release.state not in {State.REJECTED, State.SUPERSEDED, State.REVOKED}
        or str(Branch(Kind.HIDE)) in release.pending
    ):
        return None
    rightful = rightful_regions(release, hop.policy, release.version.definition)
    exposed = [region for region in _exposed(version, hop.policy) if region not in rightful]
    return (
        Redirected(Outcome.EXPOSED, f"in {', '.join(exposed)}: it is excluded from latest again") if exposed else None
    )


def _is_read_back(release: Release) -> bool:
    """Whether a publication was written, but not read back yet."""
    promoted = [each for each in release.pending.values() if each.command.kind is Kind.PROMOTE and not each.parked]
    return any(isinstance(each.command.state, ReadBack | UndoPublication) for each in promoted)


def _decided(
    version: VersionFacts, facts: ValidationFacts, verdict: ValidationVerdict, policy: DefinitionPolicy
) -> HopResult:
    rejected = verdict.outcome is ValidationOutcome.REJECT
    errors = tuple(each.text for each in verdict.findings if each.severity is FindingSeverity.ERROR)
    warnings = tuple(each.text for each in verdict.findings if each.severity is not FindingSeverity.ERROR)
    return Decided(
        Gate.VALIDATION,
        Answer.REJECT if rejected else Answer.PASS,
        errors,
        facts=seen_facts(version, facts, verdict),
        rules=rules_in_evidence(policy.validation),
        warnings=warnings,
        incarnation=incarnation_of(version),
        traits=_traits(version, facts.definition, facts, policy) if facts.definition else None,
    )


def _traits(
    version: VersionFacts, definition: DefinitionFacts, facts: ValidationFacts, policy: DefinitionPolicy
) -> Mapping[str, str]:
    """What later hops need to know of the image, in each ring; and its builders, who may not approve it."""
    source = traits_of(version, definition)
    found = {**written(source), "location": version.location}
    if facts.activity.created is not None:
        found[BUILDERS] = " ".join(facts.activity.created.ids)
    for ring in policy.rings:
        target = facts.ring_definitions.get(ring.definition)
        if target is not None:
            found |= written_for_ring(ring.name, traits_of(version, target), source)
    return found
