"""Actions of people: who may take them, what they make of the row, and the evidence that they leave.

An action goes through the same row, outbox and evidence as a hop. Evidence is written first, then the row, once; then
what follows is sent. The same request again (by its idempotency key) changes nothing and gives the same answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from shared.domain.actions import REASON_NEEDED, Action, ActionRecord, Request
from shared.domain.evidence_names import evidence_folder
from shared.domain.image import VersionId
from shared.domain.lifecycle import unreleased
from shared.domain.moment import Moment
from shared.domain.orders import announce_stalls
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import Release
from shared.engine.apply_action import ActionDenied, Applied, Impossible, apply, check_role
from shared.engine.commit import FOLDS, send_pending
from shared.gallery.incarnation import incarnation_of
from shared.ports import Conflict, Stored, World

LONGEST_REASON: Final = 1000
"""Characters."""
_OUTLASTING: Final = frozenset({Action.HOLD, Action.RESUME, Action.REVOKE})
"""Actions that a row may get before its validation, and that count after it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """An action that was taken: the row after it, and its record. ``repeated`` when it had been taken before."""

    release: Release
    record: ActionRecord
    repeated: bool = False


async def act(version: VersionId, request: Request, world: World, *, now: datetime) -> Taken:
    """Take an action. Raises ActionDenied, and Conflict when others keep writing the row."""
    policy = world.policy.covering(version)
    if policy is None:
        raise ActionDenied("not_covered", f"the policy does not cover {version.short}, so nobody has a role for it")
    check_role(request, policy)
    if request.action in REASON_NEEDED and not request.reason.strip():
        raise ActionDenied("reason_missing", f"{request.action.value} needs a reason. It becomes evidence")
    if len(request.reason) > LONGEST_REASON:
        raise ActionDenied("reason_too_long", f"a reason has at most {LONGEST_REASON} characters")
    for _ in range(FOLDS):
        stored = await world.ledger.read(version)
        repeated = _repeated(stored, request)
        if repeated is not None:
            return repeated
        release = await _release(stored, version, request, policy, world, now)
        applied, name, document = _applied(release, request, policy, Moment(now, world.pace))
        for each, proof in applied.documents.items():
            await world.evidence.put(each, proof)
        await world.evidence.put(name, document)
        try:
            written = await _write(stored, applied.release, world)
        except Conflict:
            continue
        await send_pending(written, world, now=now, since=stored.release.seq if stored else 0)
        return Taken(written.release, applied.release.actions[-1])
    raise Conflict(f"the row of {version.short} changed {FOLDS} times while the action was taken: try again")


def _repeated(stored: Stored | None, request: Request) -> Taken | None:
    if stored is None:
        return None
    mine = (each for each in stored.release.actions if (each.key, each.by) == (request.key, request.actor.id))
    record = next(mine, None)
    if record is None:
        return None
    if record.action is not request.action:
        raise Impossible(f"the key {request.key} was used for {record.action.value} before: use another", "key_reused")
    return Taken(stored.release, record, repeated=True)


async def _release(
    stored: Stored | None, version: VersionId, request: Request, policy: DefinitionPolicy, world: World, now: datetime
) -> Release:
    """The row that the action is about. A version that never had a release can be revoked all the same.

    Before its validation, a row has no incarnation. An action that outlasts the validation needs it, or it would not
    count for the image afterwards.
    """
    release = None if stored is None else stored.release
    if release is None and request.action is not Action.REVOKE:
        raise ActionDenied("unknown_release", f"no release exists for {version.short}")
    if release is not None and (release.incarnation or request.action not in _OUTLASTING):
        return release
    facts = await world.galleries.version(version)
    if facts is None:
        raise ActionDenied("unknown_version", f"{version.short} does not exist in its gallery")
    if release is None:
        release = unreleased(version, policy, now)
    return replace(release, incarnation=incarnation_of(facts))


def _applied(
    release: Release, request: Request, policy: DefinitionPolicy, moment: Moment
) -> tuple[Applied, str, Mapping[str, Any]]:
    """The row after the action, with the evidence's name in its record; and the evidence."""
    actor = request.actor
    record = ActionRecord(
        action=request.action,
        at=moment.now,
        by=actor.id,
        name=actor.name,
        key=request.key,
        incarnation=release.incarnation,
        policy_digest=release.policy_digest,
        evidence="",
        reason=request.reason.strip(),
        ring=request.ring,
    )
    applied = apply(release, request, record, policy, moment)
    applied = replace(applied, release=announce_stalls(release, applied.release, moment))
    document = {
        "schema": 1,
        "version": str(release.version),
        "incarnation": release.incarnation,
        "policyDigest": release.policy_digest,
        "action": request.action.value,
        "ring": applied.record.ring,
        "reason": record.reason,
        "stateBefore": release.state.value,
        "stateAfter": applied.release.state.value,
        "facts": dict(applied.facts),
        "at": moment.now.isoformat(),
        "by": {"id": actor.id, "name": actor.name},
        "key": request.key,
    }
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
    name = f"{evidence_folder(release.version, release.incarnation)}/action-{request.action.value}-{digest}.json"
    named = replace(applied.release.actions[-1], evidence=name)
    moved = replace(applied.release, actions=(*applied.release.actions[:-1], named))
    return replace(applied, release=moved, record=named), name, document


async def _write(stored: Stored | None, release: Release, world: World) -> Stored:
    if stored is None:
        return await world.ledger.insert(release)
    return await world.ledger.replace(stored, release)
