"""Revocation: make a version ``latest`` nowhere, in every gallery where it may be, and see that it holds.

Each image definition that the policy's rings name is looked at, whatever the row says of publications: a ring may have
been written by a hop that did not live to tell. The write sets every flag, under the definition's lease. What is there
under the same number and isn't ours (another build, a copy of another one) is left alone. ``latest`` may go back here;
it goes empty only where the policy says so, and otherwise waits for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from shared.domain.facts import VersionFacts
from shared.domain.image import DefinitionId
from shared.domain.messages import Command
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import Answer, Gate, Release
from shared.domain.revocation import RevokePlan, check_revocation, plan_revocation
from shared.ports import World
from shared.stages.incarnation import copy_mismatch, is_same
from shared.stages.steps import Again, Decided, Stalled, Step
from shared.stages.writer import READ_BACK, WRITE_AGAIN_AFTER, only_writer, write

EMPTY_POLL: Final = timedelta(minutes=10)


async def run(command: Command, release: Release, policy: DefinitionPolicy | None, world: World, now: datetime) -> Step:
    """One step of a revocation: write or read back one definition."""
    if policy is None:
        return Stalled(
            "the policy covers this definition no more, so nothing may be written to its galleries: exclude the "
            "version from latest by hand, or have the policy cover it again and send this again"
        )
    state = dict(command.state)
    left = [DefinitionId.parse(each) for each in state.get("left", ())] or list(places(policy))
    if state["step"] == "exclude":
        return await _exclude(command, release, policy, left, world, now)
    return await _read_back(command, release, policy, left, world)


def places(policy: DefinitionPolicy) -> tuple[DefinitionId, ...]:
    """Every image definition in which a version may be ``latest`` by our doing, and the one that it was built in."""
    return tuple(dict.fromkeys((*(ring.definition for ring in reversed(policy.rings)), policy.source)))


async def emptied(release: Release, policy: DefinitionPolicy, world: World) -> tuple[str, ...]:
    """Regions, with their gallery, in which ``latest`` would be nothing after a revocation. Asks; writes nothing."""
    found: list[str] = []
    for definition in places(policy):
        versions = await world.galleries.versions(definition)
        version = _ours(versions, definition, release)
        if version is not None:
            found += [f"{region} of {definition.gallery.name}" for region in plan_revocation(versions, version).emptied]
    return tuple(found)


async def _exclude(
    command: Command,
    release: Release,
    policy: DefinitionPolicy,
    left: list[DefinitionId],
    world: World,
    now: datetime,
) -> Step:
    definition = left[0]
    predicted: dict[str, Any] | None = None
    async with only_writer(world, definition, release.version, now):
        versions = await world.galleries.versions(definition)
        version = _ours(versions, definition, release)
        if version is not None:
            plan = plan_revocation(versions, version)
            if plan.emptied and not policy.scan.revoke_to_empty:
                where = ", ".join(plan.emptied)
                text = f"latest in {where} of {definition.gallery.name} would be nothing: publish another version first"
                return Again(command.state, EMPTY_POLL, note=text, stalled=f"not taken back: {text}")
            if plan.changes:
                await write(version, plan.targets, world, excluded=True)
            predicted = _predicted(plan)
    done = {**command.state.get("done", {})}
    if predicted is not None:
        done[str(definition)] = predicted
    state: dict[str, Any] = {"step": "exclude", "left": [str(each) for each in left[1:]], "done": done}
    if len(left) > 1:
        return Again(state, timedelta(0))
    # All is written before anything is read back: each minute of a bad version counts.
    return Again({"step": "read back", "left": list(done), "done": done, "reads": 0}, READ_BACK, note="excluded")


async def _read_back(
    command: Command, release: Release, policy: DefinitionPolicy, left: list[DefinitionId], world: World
) -> Step:
    done = command.state["done"]
    if not done:
        return _revoked(release, policy, {}, "the version is in none of the policy's galleries any more")
    wrong = list(check_revocation(await world.galleries.versions(left[0]), left[0].version(release.version.number)))
    if not wrong and len(left) == 1:
        return _revoked(release, policy, done, "")
    if not wrong:
        return Again({**command.state, "left": command.state["left"][1:], "reads": 0}, timedelta(0))
    reads = int(command.state["reads"]) + 1
    if reads >= WRITE_AGAIN_AFTER:
        note = f"does not hold, written again: {'; '.join(wrong)}"
        return Again({"step": "exclude", "left": [], "done": {}}, timedelta(0), note=note)
    return Again({**command.state, "reads": reads}, READ_BACK)


def _revoked(release: Release, policy: DefinitionPolicy, done: dict[str, Any], note: str) -> Decided:
    scanned = release.gate_any(Gate.RESCAN)
    reasons = scanned.reasons if scanned else ()
    told = (*reasons, note, *_out_of_reach(release, policy))
    return Decided(Gate.REVOCATION, Answer.PASS, tuple(each for each in told if each), facts={"latest": done})


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


def _ours(versions: Sequence[VersionFacts], definition: DefinitionId, release: Release) -> VersionFacts | None:
    """The version, or its copy, as it was released; None when it isn't there, or is another under its number."""
    target = definition.version(release.version.number)
    found = next((each for each in versions if each.id == target), None)
    if found is None:
        return None
    if found.id == release.version:
        return found if is_same(found, release) else None
    return found if copy_mismatch(found, release) is None else None


def _predicted(plan: RevokePlan) -> dict[str, Any]:
    return {
        region: {
            "before": str(before) if before else None,
            "after": str(plan.after[region]) if plan.after[region] else None,
        }
        for region, before in plan.before.items()
    }
