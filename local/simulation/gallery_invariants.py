"""What must hold whenever the app writes to a gallery: no region dropped, ``latest`` never back, complete proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from local.simulation.action_invariants import ActionInvariants
from local.simulation.calendar_invariants import SKEW, CalendarInvariants, time_in
from local.simulation.calls import Call, Invocation
from local.simulation.check_context import CheckContext, InvocationMemory
from local.simulation.cloud import run_now
from local.simulation.health_invariants import HealthInvariants
from local.simulation.laws import Law
from local.simulation.observations import is_visible, publication_in, regions_of, ring_regions, visible_regions
from shared.domain.actions import Action
from shared.domain.facts import RegionState, VersionFacts
from shared.domain.health_rules import OnBreach
from shared.domain.image import VersionId, VersionNumber
from shared.domain.messages import Kind
from shared.domain.policy import DefinitionPolicy, Ring, Skippable
from shared.domain.release import Gate, Publication, Release, State


@dataclass(frozen=True, slots=True)
class Standing:
    """A version and ``latest`` at one moment, as the cloud has them."""

    facts: VersionFacts | None
    replication: Mapping[str, RegionState]
    latest: Mapping[str, VersionNumber | None]
    """By region, over all regions of the definition."""


class GalleryInvariants:
    """Checks every write to a gallery."""

    def __init__(self, context: CheckContext, actions: ActionInvariants) -> None:
        """Begin with galleries that nobody has written to."""
        self._context, self._actions = context, actions
        self._before: dict[int, Standing] = {}
        self._last_write: dict[VersionId, tuple[int, int]] = {}
        """At which call a version was written last, and by which invocation."""
        self._published_at: dict[tuple[VersionId, Publication], datetime] = {}
        self._calendar = CalendarInvariants()
        self.health = HealthInvariants(context)
        self._qualified_at: dict[tuple[VersionId, str], datetime] = {}
        """By version and policy digest."""

    def before_write(self, call: Call) -> None:
        """A write of target regions is about to take effect."""
        self._before[call.invocation.number] = self._standing(call.args[0].id)

    def after_write(self, call: Call, memory: InvocationMemory) -> None:
        """A write of target regions took effect."""
        version: VersionId = call.args[0].id
        before, now = self._before.pop(call.invocation.number), self._standing(version)
        assert now.facts is not None, "a write to what is not there is refused"
        if before.facts is not None:
            self._check_regions(call.invocation, before, now.facts)
            self._check_proof(call.invocation, before.facts, now.facts, memory)
        self._check_latest(call, before, now, memory)
        self._check_freshness(call.invocation, version, memory)
        self._last_write[version] = (self._context.calls, call.invocation.number)

    def row_written(self, invocation: Invocation, row: Release) -> None:
        """A row was written: remember since when its ring bakes. A function reads its clock once, when it starts."""
        self._calendar.row_written(invocation, row)
        self.health.row_written(invocation, row)
        for publication in row.published:
            self._published_at.setdefault((row.version, publication), invocation.started_at)
        policy = self._context.truth.policies[row.policy_digest]
        if self._context.proof.is_qualified(row, row.incarnation or "", policy):
            self._qualified_at.setdefault((row.version, policy.digest), invocation.started_at)
        else:
            self._qualified_at.pop((row.version, policy.digest), None)

    def _standing(self, version: VersionId) -> Standing:
        galleries = self._context.cloud.galleries
        facts = run_now(galleries.version(version, replication=True))
        seen = facts.replication.regions if facts and facts.replication else {}
        versions = run_now(galleries.versions(version.definition))
        latest: dict[str, VersionNumber | None] = {}
        for region in dict.fromkeys(region for each in versions for region in regions_of(each)):
            visible = (each.id for each in versions if is_visible(each, region))
            latest[region] = max(
                (each.number for each in visible if galleries.replica_ready(each, region)), default=None
            )
        return Standing(facts, {region: each.state for region, each in seen.items()}, latest)

    # --- latest and regions -------------------------------------------------------------------------------------------

    def _check_latest(self, call: Call, before: Standing, now: Standing, memory: InvocationMemory) -> None:
        # A restore may come while a write is under way: what was rejected when the lease was held may be hidden.
        row = memory.row
        for region, was in before.latest.items():
            then = now.latest.get(region)
            if was is None or (then is not None and then >= was):
                continue
            is_unproven = was == call.args[0].id.number and self._is_unproven(before.facts)
            if not is_unproven and not self._is_revocation(call, then) and not self._may_hide(call, region, then, row):
                text = f"latest in {region} went from {was} to {then or 'nothing'}"
                self._context.broken(Law.LATEST, text, call.invocation)

    def _is_revocation(self, call: Call, then: VersionNumber | None) -> bool:
        """Whether a revocation was ordered, and the policy allows ``latest`` to be nothing where it is then."""
        command = call.invocation.command
        if command is None or command.kind is not Kind.REVOKE:
            return False
        row, orders = self._context.rows[command.release], self._context.truth.orders
        policy = self._context.truth.policies[row.policy_digest]
        taken = (orders.get((row.version, each.by, each.key)) for each in row.actions)
        is_told = any(each is not None and each.allow_empty for each in taken)
        return then is not None or policy.scan.revoke_to_empty or is_told

    def _may_hide(self, call: Call, region: str, then: VersionNumber | None, row: Release | None) -> bool:
        """Whether the write hides a version that was rejected or is not proven for the region."""
        command = call.invocation.command
        if command is None or command.kind is not Kind.HIDE:
            return False
        version: VersionId = call.args[0].id
        row = row or self._context.rows[command.release]
        policy = self._context.truth.policies[row.policy_digest]
        rings = [
            ring for ring in policy.rings if ring.definition == version.definition and region in ring_regions(ring)
        ]
        if any(publication_in(row, ring.name) for ring in rings):
            may_be_empty = then is not None or policy.scan.revoke_to_empty
            return (row.state is State.REJECTED or self._hides_for_health(row, rings)) and may_be_empty
        return row.state is State.REJECTED or all(
            self._context.proof.missing(row, row.incarnation or "", policy, ring) for ring in rings
        )

    def _hides_for_health(self, row: Release, rings: list[Ring]) -> bool:
        """Whether the health of a ring failed, and the policy says to hide the version there."""
        return any(
            ring.health is not None and ring.health.on_breach is OnBreach.HIDE and self.health.is_failed(row, ring.name)
            for ring in rings
        )

    def _is_unproven(self, facts: VersionFacts | None) -> bool:
        """Whether another image bears the number than the proven one: if it was published, it must be hidden again."""
        if facts is None:
            return False
        row = self._context.rows.get(self._context.truth.source_of(facts.id))
        return row is not None and self._context.truth.original_of(facts) != row.incarnation

    def _check_regions(self, invocation: Invocation, before: Standing, facts: VersionFacts) -> None:
        assert before.facts is not None
        for region in regions_of(before.facts):
            if region not in regions_of(facts) and before.replication.get(region) is not RegionState.FAILED:
                self._context.broken(Law.REGIONS, f"{region} was dropped from {facts.id.short}", invocation)

    def _check_freshness(self, invocation: Invocation, version: VersionId, memory: InvocationMemory) -> None:
        call, writer = self._last_write.get(version, (0, invocation.number))
        if writer != invocation.number and call > memory.read_at.get(version, 0):
            text = f"{version.short} was written from facts that were read before the write of invocation {writer}"
            self._context.broken(Law.REGIONS, text, invocation)

    # --- proof --------------------------------------------------------------------------------------------------------

    def _check_proof(
        self, invocation: Invocation, before: VersionFacts, facts: VersionFacts, memory: InvocationMemory
    ) -> None:
        # Versions have no ETag: what somebody hides between the read and the write of one invocation, the write shows
        # again. Nothing of it was unproven. What the app itself writes in between, _check_freshness finds.
        seen = memory.visible_at_read.get(facts.id, frozenset())
        shown = [region for region in visible_regions(facts) if not is_visible(before, region) and region not in seen]
        if not shown:
            return
        truth = self._context.truth
        # A policy may change while a write is under way. What was proven when the lease was held was proven.
        row = memory.row or self._context.rows.get(truth.source_of(facts.id))
        if row is None:
            self._context.broken(Law.PROOF, f"{facts.id.short} was published without a release", invocation)
            return
        if facts.published_at and facts.published_at >= invocation.started_at:
            # Versions have no ETag: nothing can prevent this when the number is used again between the read and the
            # write of one invocation. It must be hidden again; the final checks see whether it was.
            return
        if truth.original_of(facts) != row.incarnation:
            text = f"another image was published as {facts.id.short} than the proven one"
            self._context.broken(Law.PROOF, text, invocation)
            return
        image = truth.image_of(facts)
        if image is None or not image.is_good:
            self._context.broken(Law.PROOF, f"{facts.id.short} was published and is bad: {image}", invocation)
        for region in shown:
            self._check_region_proof(invocation, facts, region, row)

    def _check_region_proof(self, invocation: Invocation, facts: VersionFacts, region: str, row: Release) -> None:
        policy = self._context.truth.policies[row.policy_digest]
        rings = [ring for ring in policy.rings if ring.definition == facts.id.definition]
        here = [ring for ring in rings if region in ring_regions(ring)]
        lacking = {ring.name: self._lacking(invocation, row, policy, ring) for ring in here}
        if all(lacking.values()):
            what = "; ".join(f"{ring} lacks {', '.join(each)}" for ring, each in lacking.items()) or "no ring names it"
            text = f"{facts.id.short} was published in {region} without complete proof: {what}"
            self._context.broken(Law.PROOF, text, invocation)

    def _lacking(self, invocation: Invocation, row: Release, policy: DefinitionPolicy, ring: Ring) -> list[str]:
        """What is not fulfilled and must be before the image is published in a ring."""
        lacking = self._context.proof.missing(row, row.incarnation or "", policy, ring)
        lacking.extend(self._actions.unmet(row, policy, ring, invocation.started_at))
        if row.ring != ring.name:
            lacking.append(f"its turn, which {row.ring or 'no ring'} has")
        if not self._has_baked(row, policy, ring):
            lacking.append("its bake time")
        lacking.extend(self._calendar.unmet(row, policy, ring, invocation.started_at))
        lacking.extend(self.health.unmet(row, policy, ring))
        return lacking

    def _has_baked(self, row: Release, policy: DefinitionPolicy, ring: Ring) -> bool:
        names = [each.name for each in policy.rings]
        index = names.index(ring.name)
        if index == 0:
            since = self._qualified_at.get((row.version, policy.digest))
        else:
            before = publication_in(row, names[index - 1])
            since = self._published_at[row.version, before] if before else None
        now = self._context.scheduler.now + SKEW
        has_baked = since is not None and time_in(ring.bake_in, since, now) + SKEW >= ring.bake
        return has_baked or self._is_bake_skipped(row, policy, ring)

    def _is_bake_skipped(self, row: Release, policy: DefinitionPolicy, ring: Ring) -> bool:
        """Whether the evidence names who skipped the rest of the bake time, and that person ordered it."""
        allowed = {Action.SKIP_BAKE}
        if Skippable.BAKE in policy.emergency_skips:
            allowed.add(Action.EMERGENCY)
        ordered = {each.by for each in row.actions if each.action in allowed}
        baked = (each for each in row.gates if each.gate is Gate.BAKE and each.ring == ring.name)
        found = (self._context.proof.evidence(each.evidence) for each in baked)
        return any(each is not None and each.document["facts"].get("skippedBy") in ordered for each in found)
