"""Promotion: bake, publish a ring, read back.

Publishing clears ``excludeFromLatest`` in exactly the ring's regions, under the definition's lease. It needs proof of
every gate, by law 2 (nothing promoted without proof), and a prediction of ``latest`` that allows it in every region, by
law 3 (latest never goes backwards). The write is read back, the first time in the same hop, until the read-back agrees.
If it does not agree after some time, the write is repeated.

Versions have no ETag. If the version number was reused between the read and the write, the write made a version without
evidence visible. The read-back detects that, and the next step excludes the version again (ADR 4).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.domain.approvals import Wait, health_wait, is_skipped, missing_approvals, missing_health, publication_wait
from shared.domain.display import count
from shared.domain.facts import ProvisioningState, VersionFacts
from shared.domain.hop_states import (
    AwaitApproval,
    Bake,
    Publish,
    PublishingState,
    ReadBack,
    UndoPublication,
    latest_change,
)
from shared.domain.image import VersionId
from shared.domain.latest import (
    NewerPublished,
    PublicationBlocked,
    PublishPlan,
    check_publication,
    hidden_in,
    latest_in,
    plan_publication,
)
from shared.domain.latest_readers import overtaken_by_date
from shared.domain.lifecycle import Outcome, missing_proof
from shared.domain.messages import Command, Kind
from shared.domain.moment import Moment
from shared.domain.orders import PUBLISH_WITHIN
from shared.domain.outcomes import Decided, Dropped, HopResult, PublicationFound, Redirected, Requeue, Stalled
from shared.domain.policy import ApprovalDeadline, DefinitionPolicy, Ring, ScanRules, Skippable, Supersede
from shared.domain.release import Answer, Gate, Release
from shared.domain.succession import Queued, Succeeded, succession
from shared.gallery.incarnation import confirm_gone, copy_mismatch, is_same
from shared.gallery.lease import READ_BACK, WRITE_AGAIN_AFTER, definition_lease, write
from shared.gallery.rewrite import rewrite_failed
from shared.ports import Hop, PassingFault, World
from shared.scan_gate.baseline import published_baseline
from shared.scan_gate.usable_reports import outstanding, reports_on_hand
from shared.scan_gate.verdict import decided, judged

log = logging.getLogger("ringmaster.promote")

AT_ONCE: Final = timedelta(0)
BLOCKED_POLL: Final = timedelta(minutes=10)
SCAN_POLL: Final = timedelta(minutes=10)
QUEUE_POLL: Final = timedelta(minutes=10)
SHORTEST_POLL: Final = timedelta(minutes=1)
HELD_POLL: Final = timedelta(hours=6)
POLICY_POLL: Final = timedelta(hours=1)
"""How late a wait for people or the calendar notices that the policy has changed."""
UPDATE: Final = timedelta(seconds=31)
"""A write that replicates nothing, such as the publication of a ring, takes about 30 seconds."""
UNDER_WAY: Final = timedelta(seconds=15)
SLACK: Final = timedelta(seconds=2)
SHORTEST_LOOK: Final = timedelta(seconds=5)
LONGEST_LOOK: Final = timedelta(minutes=5)
"""Minimum and maximum time between looks at a version that is being updated."""
UNDO_POLL: Final = timedelta(seconds=5)
"""The write that made the wrong version visible may still be in progress."""
_REUSED: Final = Redirected(Outcome.NUMBER_REUSED, "another version was built under the same number")
_APPROVAL_WITHDRAWN: Final = Redirected(
    Outcome.APPROVAL_WANTED, "new evidence failed, which withdraws the approvals before it"
)


async def run(hop: Hop) -> HopResult:
    """One step of a ring's promotion."""
    match hop.command.state:
        case Bake() as state:
            due = hop.release.pending[str(hop.command.branch)].due
            if hop.now < due:
                # A queue hides a message for seven days at most, so a longer bake takes several.
                return Requeue(state, timedelta(0), at_least=due - hop.now)
            health = health_wait(hop.release, hop.policy, hop.ring)
            if health is not None:
                return _waiting(hop, state, health)
            rules: dict[str, Any] = {"bakeHours": hop.ring.bake.total_seconds() / 3600}
            if hop.ring.bake_in is not None:
                rules["bakeIn"] = str(hop.ring.bake_in)
            return Decided(Gate.BAKE, Answer.PASS, facts={"until": hop.now.isoformat()}, rules=rules)
        case AwaitApproval() as state:
            others = await _succession(hop)
            return _superseded(others) if isinstance(others, Succeeded) else _await_approval(hop, state)
        case Publish() as state:
            return await _publish_in_turn(hop, state)
        case UndoPublication() as state:
            async with definition_lease(hop, hop.ring.definition):
                return await _undo_publication(hop, state)
        case ReadBack() as state:
            return await _read_back(hop, state)
        case state:
            raise TypeError(f"a promotion has no step {state}")


async def _publish_in_turn(hop: Hop, state: Publish) -> HopResult:
    others = await _succession(hop)
    if isinstance(others, Succeeded):
        return _superseded(others)
    wait = publication_wait(hop.release, hop.policy, hop.ring, hop.now)
    if wait:
        return _waiting(hop, state, wait)
    if isinstance(others, Queued) and not is_skipped(hop.release, hop.policy, Skippable.WINDOW, hop.ring):
        note = None if state.waits_for == others.why else others.why
        waiting = replace(state, waits_for=others.why)
        return Requeue(waiting, QUEUE_POLL, note=note, within=PUBLISH_WITHIN / hop.world.pace)
    return await _publish(hop, state)


async def _succession(hop: Hop) -> Succeeded | Queued | None:
    rule = hop.policy.supersede
    if rule is Supersede.BOTH:
        return None
    others = [each async for each in hop.world.ledger.summaries(hop.policy.source)]
    return succession(hop.release.version, rule, others)


def _superseded(others: Succeeded) -> Redirected:
    return Redirected(Outcome.SUPERSEDED, others.why)


async def overtaken(
    command: Command, release: Release, policy: DefinitionPolicy | None, world: World, *, now: datetime
) -> PublicationFound | Dropped:
    """The result of a stale command: one of its hops may have published its ring.

    For example, it wrote while the release was held, it crashed between the write and the row, or another deployment
    evaluated the release by a newer policy at the same time. A reused number starts another release, which checks this
    itself.
    """
    dropped = Dropped("stale: the release has advanced")
    may_have = isinstance(command.state, PublishingState) and not Moment(now, world.pace).has_passed(command.not_after)
    if not may_have or policy is None:
        return dropped
    ring = next((each for each in policy.rings if each.name == command.ring), None)
    if ring is None or release.published_in(ring.name):
        return dropped
    version = await world.galleries.version(ring.definition.version(release.version.number))
    if version is None or _another(version, release) is not None or _shown(version, ring) is None:
        return dropped
    return PublicationFound(ring.name)


def _waiting(hop: Hop, state: Bake | Publish, wait: Wait) -> Requeue:
    """Look again when the wait is over, or at times where only people end it: ``resume`` sends the command itself."""
    within = PUBLISH_WITHIN / hop.world.pace
    told = wait.why if wait.until is None else f"{wait.why}, until {wait.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    note = None if state.waits_for == told else told
    waiting = replace(state, waits_for=told)
    if wait.until is None:
        return Requeue(waiting, HELD_POLL, note=note, stalled=told, within=within)
    # A window is open by the wall clock, whatever the pace.
    at_least = max(SHORTEST_POLL / hop.world.pace, min(wait.until - hop.now, POLICY_POLL))
    return Requeue(waiting, AT_ONCE, note=note, at_least=at_least, within=within)


def _await_approval(hop: Hop, state: AwaitApproval) -> HopResult:
    """Go on waiting for the ring's approvals, or do what the policy says at their deadline."""
    ring = hop.ring
    missing = missing_approvals(hop.release, hop.policy, ring)
    if ring.approval is None or missing == 0:
        return Redirected(Outcome.APPROVED, "the approvals are complete")
    over = hop.moment.past(state.deadline)
    if hop.now < over:
        # ``approve`` goes on at once. This hop notices a policy that has changed.
        return Requeue(state, AT_ONCE, at_least=min(over - hop.now, POLICY_POLL))
    text = f"{count(missing, 'approval')} of {ring.name} missing at the deadline, {state.deadline:%Y-%m-%d %H:%M} UTC"
    match ring.approval.at_deadline:
        case ApprovalDeadline.REJECT:
            return Decided(Gate.APPROVAL, Answer.REJECT, (text,), retryable=True)
        case ApprovalDeadline.REMIND:
            return Redirected(Outcome.APPROVAL_OVERDUE, text)
        case ApprovalDeadline.HOLD:
            return Stalled(f"{text}: approve or reject the release")


async def _publish(hop: Hop, state: Publish) -> HopResult:
    release, world, ring, target = hop.release, hop.world, hop.ring, hop.target
    missing = missing_proof(release, hop.policy, ring)
    before = missing_health(release, hop.policy, ring)
    if before is not None and release.published_in(before.name):
        return Redirected(Outcome.HEALTH_WANTED, f"there is no verdict on the health of {before.name}")
    if missing == (f"{Gate.SCAN}/{ring.name}",) and ring.scan is not None:
        return await _scanned(hop, state, ring.scan)
    if missing == (f"{Gate.APPROVAL}/{ring.name}",):
        return _APPROVAL_WITHDRAWN
    if missing:
        return Redirected(
            Outcome.POLICY_CHANGED, f"no valid evidence of {', '.join(missing)}: all gates are evaluated again"
        )
    async with definition_lease(hop, ring.definition):
        # A revocation holds the same lease: this write must not overwrite one that was ordered first.
        current = await world.ledger.read(release.version)
        if current is None or not current.release.expects(hop.command):
            return Dropped("stale: the release has advanced")
        if missing_approvals(current.release, hop.policy, ring):
            return _APPROVAL_WITHDRAWN
        wait = publication_wait(current.release, hop.policy, ring, hop.now)
        if wait:
            return _waiting(hop, state, wait)
        wrong = await _source_reused(target, release, world)
        if wrong is not None:
            return wrong
        versions = await world.galleries.versions(ring.definition)
        # Read last: the write carries the flags of all other regions, and must not undo what somebody just hid there.
        version = await world.galleries.version(target, replication=True)
        if version is None:
            return await confirm_gone(target, world, "the version was deleted before it was published")
        wrong = _another(version, release)
        if wrong is not None:
            return wrong
        plan = plan_publication(versions, version, ring.region_names)
        if isinstance(plan, NewerPublished):
            # An earlier hop may have published it, and crashed before it recorded that.
            shown = _shown(version, ring)
            return Redirected(Outcome.SUPERSEDED, f"{plan.by} is already published in {plan.region}", published=shown)
        if isinstance(plan, PublicationBlocked):
            return await _blocked(hop, state, plan, version)
        if plan.changes and version.provisioning_state.in_progress:
            return _behind(hop, state)
        return await _write(hop, state, plan, version)


def _behind(hop: Hop, state: Publish) -> HopResult:
    """Wait for the end of the write that is in progress: Azure refuses a second one (409).

    It is this release's own as a rule: the publication of the ring before, or the replication of a ring ahead, which
    is followed by a command of its own. What that command expects is when to look again.
    """
    release, definition, moment = hop.release, hop.ring.definition, hop.moment
    same = [each.name for each in hop.policy.rings if each.definition == definition]
    replications = [each for each in release.pending.values() if each.command.kind is Kind.REPLICATE]
    ahead = [each for each in replications if each.command.ring in same]
    if ahead:
        why = f"the replicas of {', '.join(sorted(each.command.ring or '' for each in ahead))}, which are being made"
        expected = max(each.due for each in ahead) + SLACK / moment.pace
    else:
        why = "another update of the version to end"
        expected = max((each.at for each in release.published if each.ring in same), default=hop.now - UPDATE)
        expected += UPDATE / moment.pace
    if hop.is_late:
        return Stalled(f"{hop.ring.name} waited for {why}, until {hop.until}: see the version in Azure, then resend")
    note = None if state.waits_for == why else f"{hop.ring.name} waits for {why}"
    left = expected - hop.now if expected > hop.now else UNDER_WAY / moment.pace
    least, most = SHORTEST_LOOK / moment.pace, LONGEST_LOOK / moment.pace
    return Requeue(replace(state, waits_for=why), AT_ONCE, note=note, at_least=min(max(left, least), most))


async def _blocked(hop: Hop, state: Publish, plan: PublicationBlocked, version: VersionFacts) -> HopResult:
    text = f"not published: {'; '.join(plan.reasons)}"
    if version.provisioning_state is ProvisioningState.FAILED:
        return await rewrite_failed(hop, version, state, effect=text)
    if hop.is_late:
        return Stalled(f"{text}, until {hop.until}: correct the cause, then resend")
    return Requeue(state, BLOCKED_POLL, note=text, stalled=text)


async def _write(hop: Hop, state: Publish, plan: PublishPlan, version: VersionFacts) -> HopResult:
    """Write the plan, and read it back."""
    hidden = {region for region in hop.ring.region_names if not version.visible_in(region)}
    if plan.changes:
        await write(version, plan.targets, hop.world, excluded=plan.excluded)
    written = ReadBack(shown=tuple(sorted(hidden.union(state.shown))), predicted=latest_change(plan.before, plan.after))
    try:
        step = await _read_back(hop, written)
    except PassingFault as fault:
        # Azure accepted the write, so the next step must not write again.
        return Requeue(written, UNDO_POLL, note=f"written, but not read back yet: {fault}")
    if not (isinstance(step, Requeue) and isinstance(step.state, UndoPublication)):
        return step
    try:
        return await _undo_publication(hop, step.state)
    except PassingFault:
        return replace(step, after=UNDO_POLL)


async def _scanned(hop: Hop, state: Publish, rules: ScanRules) -> HopResult:
    """Evaluate the stored reports with the ring's rules, or wait for a usable report."""
    on_hand = await reports_on_hand(hop, rules)
    if on_hand.complete:
        verdict = judged(hop, on_hand, rules, await published_baseline(hop, rules))
        return await decided(hop, Gate.SCAN, on_hand, verdict, rules)
    told = outstanding(on_hand)
    deadline = state.deadline or hop.now + hop.policy.scan.deadline / hop.world.pace
    if hop.moment.has_passed(deadline):
        reasons = (f"no usable scan report for the rules of {hop.ring.name} by {deadline:%Y-%m-%d %H:%M} UTC", *told)
        return Decided(Gate.SCAN, Answer.REJECT, reasons, facts={"deadline": deadline.isoformat()}, retryable=True)
    note = f"waiting for a scan that the rules of {hop.ring.name} accept, until {deadline:%Y-%m-%d %H:%M} UTC"
    waited_before = state.deadline is not None
    waiting = replace(state, deadline=deadline)
    return Requeue(waiting, SCAN_POLL, note=None if waited_before else "; ".join((note, *told)))


def _another(version: VersionFacts, release: Release) -> HopResult | None:
    """The result if the version in the gallery is not the one with evidence; None if it is."""
    if version.id == release.version:
        return None if is_same(version, release) else _REUSED
    mismatch = copy_mismatch(version, release)
    return Decided(Gate.PUBLICATION, Answer.REJECT, (mismatch,)) if mismatch else None


async def _source_reused(target: VersionId, release: Release, world: World) -> HopResult | None:
    """The answer when a copy is to be published, and its source is another version than the one that was proven."""
    if target == release.version:
        return None
    source = await world.galleries.version(release.version)
    return _REUSED if source is not None and not is_same(source, release) else None


async def _read_back(hop: Hop, state: ReadBack) -> HopResult:
    """Verify with ARM that ``latest`` resolves to this version in the ring."""
    target, regions = hop.target, hop.ring.region_names
    versions = await hop.world.galleries.versions(hop.ring.definition)
    found = next((each for each in versions if each.id == target), None)
    another = _another(found, hop.release) if found else None
    if found is not None and another is not None:
        return _undo_if_visible(found, state) or another
    wrong = check_publication(versions, target, regions)
    if not wrong:
        facts = {
            "version": str(target),
            "regions": list(regions),
            "predicted": state.predicted,
            "readBack": _flags(versions, target),
        }
        warnings = _other_readers(versions, found) if found else ()
        return Decided(Gate.PUBLICATION, Answer.PASS, facts=facts, rules={"regions": list(regions)}, warnings=warnings)
    if _overtaken(versions, target, regions):
        shown = _shown(found, hop.ring) if found else None
        return Redirected(Outcome.SUPERSEDED, "; ".join(wrong), published=shown)
    reads = state.reads + 1
    if reads >= WRITE_AGAIN_AFTER:
        return Requeue(
            Publish(), timedelta(0), note=f"the read-back differs, so it is written again: {'; '.join(wrong)}"
        )
    return Requeue(replace(state, reads=reads), READ_BACK)


def _other_readers(versions: Sequence[VersionFacts], version: VersionFacts) -> tuple[str, ...]:
    """The warning when consumers that sort by date do not get what was just published."""
    other = overtaken_by_date(versions, version)
    if other is None:
        return ()
    name = version.id.definition.gallery.name
    return (
        f"consumers that take the newest published date in {name} get {other}, not {version.id.number}: {other} was "
        "built later and is visible",
    )


def _undo_if_visible(found: VersionFacts, state: ReadBack) -> HopResult | None:
    """The next step if our write made a version without evidence visible; None if it did not."""
    where = ", ".join(region for region in state.shown if found.visible_in(region))
    if not where:
        return None
    text = f"a version without evidence became visible to latest in {where}: it is being excluded again"
    log.error("%s: %s", found.id.short, text)
    return Requeue(UndoPublication(shown=state.shown), AT_ONCE, note=text, stalled=text)


async def _undo_publication(hop: Hop, state: UndoPublication) -> HopResult:
    """Exclude a version without evidence that our write made visible, and verify it. The caller must hold the lease."""
    found = await hop.world.galleries.version(hop.target)
    if found is None:
        return await confirm_gone(hop.target, hop.world, "the version was deleted while it was being published")
    another = _another(found, hop.release)
    if another is None:
        return Requeue(Publish(), AT_ONCE, note="the version with evidence is in the gallery")
    shown = [region for region in state.shown if found.visible_in(region)]
    if not shown:
        return another
    await write(found, hidden_in(found, shown), hop.world, excluded=True)
    text = f"a version without evidence was visible to latest in {', '.join(shown)}: it is excluded again"
    return Requeue(state, UNDO_POLL, note=text, stalled=text)


def _shown(version: VersionFacts, ring: Ring) -> str | None:
    """The ring's name if the version is published there, whether or not it is ``latest``."""
    return ring.name if all(version.visible_in(region) for region in ring.region_names) else None


def _overtaken(versions: Sequence[VersionFacts], target: VersionId, regions: Sequence[str]) -> bool:
    return any(
        each.id.number > target.number and latest_in(versions, region) == each.id.number
        for each in versions
        for region in regions
    )


def _flags(versions: Sequence[VersionFacts], target: VersionId) -> Mapping[str, Any]:
    found = next(each for each in versions if each.id == target)
    return {entry.region: {"excludeFromLatest": entry.excluded} for entry in found.targets}
