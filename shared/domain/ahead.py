"""Rings that are filled ahead of their turn: replicas are hidden until a ring is published, so a later ring need not
wait for an earlier one to get its replicas and its boot tests. The publications keep their order and their proofs.

A version takes one write at a time: while a replication is under way, Azure refuses the write that publishes
(``ProvisioningState.in_progress``). ``Ahead.NEXT`` therefore begins only when the ring whose turn it is has its
replicas, and when that ring's publication is not expected before the next replication ends, or writes to another
version. ``Ahead.ALL`` asks for every ring's replicas at once, so that later publications find none under way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.image import region_name
from shared.domain.messages import Branch, Kind
from shared.domain.moment import Moment
from shared.domain.policy import Ahead, DefinitionPolicy, RegionTarget, Ring
from shared.domain.publish_window import HORIZON, after_hours_of
from shared.domain.release import Answer, Gate, Release, State

USUAL_REPLICATION: Final = timedelta(minutes=30)
"""How long the rest of a bake must last for the next ring's replication to begin in it. Azure documents no usual time,
only a limit of six hours. Where a replication takes longer, the publication waits for its end.
"""


KEPT: Final = "filled ahead and not published: "
"""How the warning of replicas begins that a release leaves behind."""


def has_passed(release: Release, gate: Gate, ring: str | None = None, region: str | None = None) -> bool:
    """Whether a gate has a passing verdict, with evidence, of this incarnation under this policy."""
    record = release.gate(gate, ring, region)
    return record is not None and record.answer is Answer.PASS and bool(record.evidence)


def is_filling(release: Release, ring: Ring) -> bool:
    """Whether the replication of a ring is under way."""
    return str(Branch(Kind.REPLICATE, ring.name)) in release.pending


def untested(release: Release, ring: Ring) -> tuple[str, ...]:
    """Regions of a ring that have neither passed a boot test nor have one under way."""
    if not ring.boot_test:
        return ()
    return tuple(
        region
        for region in ring.region_names
        if str(Branch(Kind.BOOT_TEST, ring.name, region)) not in release.pending
        and not has_passed(release, Gate.BOOT_TEST, ring.name, region)
    )


def rings_to_fill(release: Release, policy: DefinitionPolicy, moment: Moment) -> Iterator[Ring]:
    """The rings ahead whose replication begins now."""
    for ring in _rings_ahead(release, policy, moment):
        if not is_filling(release, ring) and not has_passed(release, Gate.REPLICATION, ring.name):
            yield ring


def _rings_ahead(release: Release, policy: DefinitionPolicy, moment: Moment) -> tuple[Ring, ...]:
    names = [ring.name for ring in policy.rings]
    if release.ring not in names:
        return ()
    after = policy.rings[names.index(release.ring) + 1 :]
    match policy.ahead:
        case Ahead.NONE:
            return ()
        case Ahead.NEXT:
            return after[:1] if after and _may_begin(release, policy, after[0], moment) else ()
        case Ahead.ALL:
            return after


def _may_begin(release: Release, policy: DefinitionPolicy, ahead: Ring, moment: Moment) -> bool:
    """Whether the next ring's replication is not expected to delay the publication of the ring whose turn it is."""
    ring = policy.ring(release.ring or "")
    if is_filling(release, ring) or not has_passed(release, Gate.REPLICATION, ring.name):
        return False
    if ahead.definition != ring.definition or release.state is State.AWAITING_APPROVAL:
        return True
    return baked_at(release, policy, ring, moment) - moment.now >= USUAL_REPLICATION / moment.pace


def baked_at(release: Release, policy: DefinitionPolicy, ring: Ring, moment: Moment) -> datetime:
    """When a ring has baked: counted from the publication in the ring before, or from the end of qualification."""
    names = [each.name for each in policy.rings]
    index = names.index(ring.name)
    before = release.published_in(names[index - 1]) if index else None
    since = before.at if before else release.qualified_at or moment.now
    wait = ring.bake / moment.pace
    if ring.bake_in is None:
        return since + wait
    return after_hours_of(ring.bake_in, since, wait) or since + HORIZON


def targets_asked_for(policy: DefinitionPolicy, ring: Ring) -> tuple[RegionTarget, ...]:
    """The replicas to ask for in the write that fills a ring: under ``Ahead.ALL`` those of all rings of its definition.

    A region of several rings gets the largest of their replica counts, and the storage type of the first.
    """
    if policy.ahead is not Ahead.ALL:
        return ring.regions
    asked: dict[str, RegionTarget] = {}
    for each in (ring, *policy.rings):
        for want in each.regions if each.definition == ring.definition else ():
            known = asked.setdefault(region_name(want.name), want)
            if want.replicas > known.replicas:
                asked[region_name(want.name)] = replace(known, replicas=want.replicas)
    return tuple(asked.values())


def standing(release: Release) -> Mapping[str, str]:
    """The rings ahead that were begun, each with how far it is: ``replicating``, ``testing`` or ``ready``."""
    if release.ring is None or release.state.is_terminal:
        return {}
    replicated = (each.ring for each in release.gates if each.ring and each.gate is Gate.REPLICATION)
    found = {ring: "ready" for ring in replicated if has_passed(release, Gate.REPLICATION, ring)}
    for kind, words in ((Kind.BOOT_TEST, "testing"), (Kind.REPLICATE, "replicating")):
        found |= {
            each.command.ring: words
            for each in release.pending.values()
            if each.command.kind is kind and each.command.ring
        }
    return {name: words for name, words in found.items() if name != release.ring and not release.published_in(name)}


def replicas_kept(release: Release, policy: DefinitionPolicy) -> Iterator[str]:
    """For each ring ahead that has replicas, or is getting them, a warning that they stay when the release ends.

    Ringmaster does not take them back: a version's target regions are removed by nobody's hand but yours, by law 4 (no
    region is dropped), and machines can be created from a hidden version by its number.
    """
    begun = {*standing(release), *(each.ring for each in release.gates if each.gate is Gate.REPLICATION)}
    for ring in policy.rings:
        if ring.name in begun and ring.name != release.ring and not release.published_in(ring.name):
            where = ", ".join(ring.region_names)
            yield f"{KEPT}{ring.name}. Its hidden replicas in {where} are kept, and cost money until you delete them"
