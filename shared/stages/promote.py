"""Promotion: bake, publish a ring, read back.

Publishing clears ``excludeFromLatest`` in exactly the ring's regions, under the definition's lease, on proof of every
gate (law 2), and only when the prediction of ``latest`` in every region allows it (law 3). What was written is read
back, the first time in the same hop, until it holds; if it doesn't hold after a while, it is written again.

Versions have no ETag: where the number was used again between the read and the write, the write showed a version that
nobody proved. Reading back finds it, and hides it again where it was shown before anything else happens (ADR 4).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from shared.domain.facts import ProvisioningState, VersionFacts
from shared.domain.image import VersionId
from shared.domain.latest import (
    Overtaken,
    PublishPlan,
    WouldHarm,
    check_publication,
    hidden_in,
    latest_in,
    plan_publication,
)
from shared.domain.lifecycle import Outcome, missing_proof
from shared.domain.messages import Command, Kind
from shared.domain.policy import DefinitionPolicy, Ring, ScanRules
from shared.domain.release import Answer, Gate, Release
from shared.ports import PassingFault, World
from shared.stages.incarnation import copy_mismatch, gone, is_same
from shared.stages.judging import decided, judged, published_baseline, reports_on_hand
from shared.stages.mending import written_again
from shared.stages.scan import awaited
from shared.stages.steps import Again, Decided, Dropped, Recorded, Stalled, Step, Turned
from shared.stages.writer import READ_BACK, WRITE_AGAIN_AFTER, only_writer, write

log = logging.getLogger("ringmaster.promote")

AT_ONCE: Final = timedelta(0)
HARM_POLL: Final = timedelta(minutes=10)
SCAN_POLL: Final = timedelta(minutes=10)
TAKE_BACK: Final = "take back"
TAKE_BACK_AFTER: Final = timedelta(seconds=5)
"""The write that showed the wrong version may still be under way."""

_WRITING: Final = ("publish", "read back", TAKE_BACK)
"""Steps that write to the gallery, or follow one that did. A message that names none wrote nothing."""


async def run(command: Command, release: Release, policy: DefinitionPolicy, world: World, now: datetime) -> Step:
    """One step of a ring's promotion."""
    ring = policy.ring(command.ring or "")
    match command.state["step"]:
        case "bake":
            due = release.pending[str(command.branch)].due
            if now < due:
                # A queue hides a message for seven days at most, so a longer bake takes several.
                return Again(command.state, timedelta(0), at_least=due - now)
            rules = {"bakeHours": ring.bake.total_seconds() / 3600}
            return Decided(Gate.BAKE, Answer.PASS, facts={"until": now.isoformat()}, rules=rules)
        case "publish":
            return await _publish(command, release, policy, ring, world, now)
        case "take back":
            async with only_writer(world, ring.definition, release.version, now):
                return await _take_back(command, release, ring, world)
        case _:
            return await _read_back(command, release, ring, world)


async def straggled(
    command: Command, release: Release, policy: DefinitionPolicy | None, world: World, now: datetime
) -> Recorded | Dropped:
    """What a command of a release that has moved on comes to: a hop of it may have published its ring all the same.

    It wrote while the release was held, say, or died between the write and the row. A number that is used again, or a
    policy that has changed, is another round, which looks for itself.
    """
    dropped = Dropped("stale: the release has moved on")
    may_have = command.kind is Kind.PROMOTE and command.state.get("step") in _WRITING and now <= command.not_after
    if not may_have or policy is None or policy.digest != release.policy_digest:
        return dropped
    ring = next((each for each in policy.rings if each.name == command.ring), None)
    if ring is None or release.published_in(ring.name):
        return dropped
    version = await world.galleries.version(ring.definition.version(release.version.number))
    if version is None or _another(version, release) is not None or _shown(version, ring) is None:
        return dropped
    return Recorded(ring.name)


async def _publish(
    command: Command, release: Release, policy: DefinitionPolicy, ring: Ring, world: World, now: datetime
) -> Step:
    missing = missing_proof(release, policy, ring)
    if missing == (f"{Gate.SCAN}/{ring.name}",) and ring.scan is not None:
        return await _scanned(command, release, policy, ring, ring.scan, world, now)
    if missing:
        return Turned(Outcome.POLICY_CHANGED, f"no valid proof of {', '.join(missing)}: everything is judged again")
    target = ring.definition.version(release.version.number)
    async with only_writer(world, ring.definition, release.version, now):
        # Whoever revokes holds this lease too: an order that came before it must not be overrun by this write.
        current = await world.ledger.read(release.version)
        if current is None or not current.release.expects(command):
            return Dropped("stale: the release has moved on")
        version = await world.galleries.version(target, replication=True)
        if version is None:
            return await gone(target, world, "the version was deleted before it was published")
        wrong = await _not_ours_to_publish(version, release, world)
        if wrong is not None:
            return wrong
        versions = await world.galleries.versions(ring.definition)
        plan = plan_publication(versions, version, ring.region_names)
        if isinstance(plan, Overtaken):
            # A hop that wrote, and died or was too slow to say so, may have published it before.
            shown = _shown(version, ring)
            return Turned(Outcome.SUPERSEDED, f"{plan.by} is published in {plan.region} already", published=shown)
        if isinstance(plan, WouldHarm):
            return await _hindered(plan, version, command, world, now)
        return await _write(plan, version, command, release, ring, world)


async def _hindered(plan: WouldHarm, version: VersionFacts, command: Command, world: World, now: datetime) -> Step:
    text = f"not published: {'; '.join(plan.reasons)}"
    if version.provisioning_state is ProvisioningState.FAILED:
        return await written_again(version, command, command.state, world, now, hinders=text)
    if now > command.not_after:
        return Stalled(f"{text}, until {command.not_after:%Y-%m-%d %H:%M} UTC: mend it, then send again")
    return Again(command.state, HARM_POLL, note=text, stalled=text)


async def _write(
    plan: PublishPlan, version: VersionFacts, command: Command, release: Release, ring: Ring, world: World
) -> Step:
    """Write what was planned, and read it back."""
    hidden = {region for region in ring.region_names if not version.visible_in(region)}
    shown = sorted(hidden.union(command.state.get("shown", ())))
    if plan.changes:
        await write(version, plan.targets, world, excluded=plan.excluded)
    state = {**command.state, "step": "read back", "reads": 0, "predicted": _predicted(plan), "shown": shown}
    try:
        step = await _read_back(replace(command, state=state), release, ring, world)
    except PassingFault as fault:
        # The write was taken: what follows from it must not begin with another.
        return Again(state, TAKE_BACK_AFTER, note=f"written, not read back yet: {fault}")
    if not (isinstance(step, Again) and step.state["step"] == TAKE_BACK):
        return step
    try:
        return await _take_back(replace(command, state=step.state), release, ring, world)
    except PassingFault:
        return replace(step, after=TAKE_BACK_AFTER)


async def _scanned(
    command: Command,
    release: Release,
    policy: DefinitionPolicy,
    ring: Ring,
    rules: ScanRules,
    world: World,
    now: datetime,
) -> Step:
    """Judge the reports on hand by the ring's own rules, or wait for one that can be."""
    on_hand = await reports_on_hand(release, rules, world, now)
    if on_hand.complete:
        baseline = await published_baseline(release, policy, rules, world)
        verdict = judged(on_hand, release, rules, now, baseline)
        return await decided(Gate.SCAN, on_hand, verdict, rules, release, world)
    told = awaited(on_hand)
    since = command.state.get("deadline", (now + policy.scan.deadline / world.pace).isoformat())
    deadline = datetime.fromisoformat(since)
    if now >= deadline:
        reasons = (f"no usable scan report for the rules of {ring.name} by {deadline:%Y-%m-%d %H:%M} UTC", *told)
        return Decided(Gate.SCAN, Answer.REJECT, reasons, facts={"deadline": since})
    state = {**command.state, "deadline": since}
    note = f"waiting for a scan that the rules of {ring.name} take, until {deadline:%Y-%m-%d %H:%M} UTC"
    return Again(state, SCAN_POLL, note=None if "deadline" in command.state else "; ".join((note, *told)))


def _another(version: VersionFacts, release: Release) -> Step | None:
    """The answer when the version that is there is another than the one that was proven."""
    if version.id == release.version:
        reused = not is_same(version, release)
        return Turned(Outcome.NUMBER_REUSED, "another version was built under the same number") if reused else None
    mismatch = copy_mismatch(version, release)
    return Decided(Gate.PUBLICATION, Answer.REJECT, (mismatch,)) if mismatch else None


async def _not_ours_to_publish(version: VersionFacts, release: Release, world: World) -> Step | None:
    """The same for a version that is to be published: a copy's source must be the proven one, too."""
    another = _another(version, release)
    if another is not None or version.id == release.version:
        return another
    source = await world.galleries.version(release.version)
    if source is not None and not is_same(source, release):
        return Turned(Outcome.NUMBER_REUSED, "another version was built under the same number")
    return None


async def _read_back(command: Command, release: Release, ring: Ring, world: World) -> Step:
    """See with ARM's own answer that the ring resolves ``latest`` to this version."""
    target = ring.definition.version(release.version.number)
    versions = await world.galleries.versions(ring.definition)
    found = next((each for each in versions if each.id == target), None)
    another = _another(found, release) if found else None
    if found is not None and another is not None:
        return _exposed(found, command) or another
    wrong = check_publication(versions, target, ring.region_names)
    if not wrong:
        facts = {
            "version": str(target),
            "regions": list(ring.region_names),
            "predicted": command.state["predicted"],
            "readBack": _flags(versions, target),
        }
        return Decided(Gate.PUBLICATION, Answer.PASS, facts=facts, rules={"regions": list(ring.region_names)})
    if _overtaken(versions, target, ring.region_names):
        shown = _shown(found, ring) if found else None
        return Turned(Outcome.SUPERSEDED, "; ".join(wrong), published=shown)
    reads = int(command.state["reads"]) + 1
    if reads >= WRITE_AGAIN_AFTER:
        return Again({"step": "publish"}, timedelta(0), note=f"does not hold, written again: {'; '.join(wrong)}")
    return Again({**command.state, "reads": reads}, READ_BACK)


def _exposed(found: VersionFacts, command: Command) -> Step | None:
    """The next step when our write showed a version that is not the proven one."""
    where = ", ".join(region for region in command.state.get("shown", ()) if found.visible_in(region))
    if not where:
        return None
    text = f"another version than the proven one became visible to latest in {where}: it is being hidden again"
    log.error("%s: %s", found.id.short, text)
    return Again({**command.state, "step": TAKE_BACK}, AT_ONCE, note=text, stalled=text)


async def _take_back(command: Command, release: Release, ring: Ring, world: World) -> Step:
    """Hide what our write showed and nobody proved, and see that it is hidden. Whoever calls holds the lease."""
    target = ring.definition.version(release.version.number)
    found = await world.galleries.version(target)
    if found is None:
        return await gone(target, world, "the version was deleted while it was published")
    another = _another(found, release)
    if another is None:
        return Again({"step": "publish"}, AT_ONCE, note="the proven version is there")
    shown = [region for region in command.state["shown"] if found.visible_in(region)]
    if not shown:
        return another
    await write(found, hidden_in(found, shown), world, excluded=True)
    text = f"another version than the proven one was visible to latest in {', '.join(shown)}: hidden again"
    return Again(command.state, TAKE_BACK_AFTER, note=text, stalled=text)


def _shown(version: VersionFacts, ring: Ring) -> str | None:
    """The ring's name if it is published there, latest or not."""
    return ring.name if all(version.visible_in(region) for region in ring.region_names) else None


def _overtaken(versions: Sequence[VersionFacts], target: VersionId, regions: Sequence[str]) -> bool:
    return any(
        each.id.number > target.number and latest_in(versions, region) == each.id.number
        for each in versions
        for region in regions
    )


def _predicted(plan: PublishPlan) -> Mapping[str, Any]:
    return {
        region: {"before": str(before) if before else None, "after": str(plan.after[region])}
        for region, before in plan.before.items()
    }


def _flags(versions: Sequence[VersionFacts], target: VersionId) -> Mapping[str, Any]:
    found = next(each for each in versions if each.id == target)
    return {entry.region: {"excludeFromLatest": entry.excluded} for entry in found.targets}
