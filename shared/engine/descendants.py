"""Revokes what was made from a revoked version: one descendant a hop, each by its own row and outbox.

A stage never writes to the ledger, and a hop writes its own row alone. A descendant is another release: its row is read
and written once, with a conditional write, as if an operator had ordered its revocation; its commands go out from
there. A hop that comes twice finds it revoked already.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from shared.domain.hop_states import RecordUsers, RevokeDescendants
from shared.domain.image import VersionId
from shared.domain.lifecycle import Outcome, advance, unreleased
from shared.domain.outcomes import HopResult, Requeue
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import Release, State
from shared.domain.revocation import descendant_reason
from shared.engine.commit import FOLDS, send_pending
from shared.gallery.incarnation import incarnation_of
from shared.ports import Conflict, Hop, Stored


async def revoke_next(hop: Hop, state: RevokeDescendants) -> HopResult:
    """Revoke the next descendant. Raises Conflict when others keep writing its row."""
    if not state.left:
        return Requeue(RecordUsers(last=state.last), timedelta(0))
    note = await _revoke(VersionId.parse(state.left[0]), hop, state)
    return Requeue(replace(state, left=state.left[1:]), timedelta(0), note=note)


async def _revoke(version: VersionId, hop: Hop, state: RevokeDescendants) -> str | None:
    world, why = hop.world, descendant_reason(hop.release.version, hop.release.reasons)
    for _ in range(FOLDS):
        policy = world.policy.covering(version)
        if policy is None:
            return f"{version.short} is not revoked: the policy no longer covers it"
        stored = await world.ledger.read(version)
        if stored is not None and stored.release.state in {State.REVOKING, State.REVOKED}:
            return None
        release = await _release(version, stored, policy, hop, state)
        if release is None:
            return f"{version.short} is not revoked: it is gone, or was built again since it was looked at"
        moved = advance(replace(release, reasons=(why,)), Outcome.REVOKE_ORDERED, policy, hop.moment, why=why)
        try:
            written = await (world.ledger.insert(moved) if stored is None else world.ledger.replace(stored, moved))
        except Conflict:
            continue
        await send_pending(written, world, now=hop.now, since=stored.release.seq if stored else 0)
        return f"{version.short} is revoked too: it was made from this version"
    raise Conflict(f"the row of {version.short} changed {FOLDS} times while it was to be revoked")


async def _release(
    version: VersionId, stored: Stored | None, policy: DefinitionPolicy, hop: Hop, state: RevokeDescendants
) -> Release | None:
    """The row to revoke, or a new one; None for a version that is not the one that was looked at."""
    facts = await hop.world.galleries.version(version)
    if facts is None or facts.published_at is None or facts.published_at >= state.since:
        return None
    if stored is not None and stored.release.incarnation is not None:
        return stored.release if stored.release.incarnation == incarnation_of(facts) else None
    release = stored.release if stored is not None else unreleased(version, policy, hop.now)
    return replace(release, incarnation=incarnation_of(facts))
