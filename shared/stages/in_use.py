"""Who uses a revoked version: lists every resource that can refer to it, over as many hops as that takes.

It begins when the version is hidden everywhere, and never delays that. What a hop read goes into an evidence document,
so that a look goes on after a crash at any page. A page that fails again and again is given up and marked: the result
names it, and is incomplete. In the end one document has the users, the descendants, and how complete that is.

Versions that were made from the revoked one are named. Where the policy says so, those that it covers are revoked too
(``shared.engine.descendants``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from shared.codec import encode_document
from shared.codec.looks import LookDocument, look_document, read_look
from shared.domain.evidence_names import evidence_folder
from shared.domain.hop_states import ListUsers, RecordUsers, RevokeDescendants
from shared.domain.image import VersionId
from shared.domain.in_use import InUse
from shared.domain.look import begin, given_up, with_failure
from shared.domain.outcomes import Decided, HopResult, Requeue
from shared.domain.policy import DescendantRule
from shared.domain.release import Answer, Gate
from shared.domain.usage import Mention
from shared.gallery.usage_look import MOST_PAGES, as_document, found_users, read_next, subject_of
from shared.ports import Hop, PassingFault, Unavailable

PAGES_A_HOP: Final = 20
"""A page takes about 0.3 seconds, so that a hop takes less than ten."""
TRIES: Final = 6
"""How often a page is read before the look goes on without it."""
FAULT_POLL: Final = timedelta(seconds=30)
MOST_REVOKED: Final = 100
"""Descendants that one revocation revokes. Further ones are named in the evidence alone."""
AT_ONCE: Final = timedelta(0)


async def run(hop: Hop) -> HopResult:
    """One hop of a look."""
    match hop.command.state:
        case ListUsers() as state:
            return await _list(hop, state)
        case RecordUsers(last=last):
            return await _record(hop, last)
        case state:
            raise TypeError(f"a look for users has no step {state}")


async def _list(hop: Hop, state: ListUsers) -> HopResult:
    """Read the next pages, and put them into a document."""
    subject = await subject_of(hop.release.version, hop.release, hop.world)
    rules = hop.world.policy.looked_at
    look = begin(rules) if state.last is None else (await _read(hop, state.last)).look
    mentions: list[Mention] = []
    pages, fault = 0, None
    while pages < PAGES_A_HOP and not look.is_finished and fault is None:
        try:
            look, found = await read_next(look, subject, hop.world, now=hop.now)
        except PassingFault as raised:
            fault = raised
        else:
            mentions += found
            pages += 1
    faults = 0 if fault is None else 1 if pages else state.faults + 1
    if fault is not None and faults >= TRIES:
        look, fault, faults = with_failure(look, str(fault), rules, hop.now), None, 0
    elif fault is not None and not pages and not hop.is_late:
        return _again(replace(state, faults=faults), fault)
    if hop.is_late or state.pages + pages > MOST_PAGES:
        look = given_up(look, "not reached in the time of the look", rules, hop.now)
    last = await _write(hop, LookDocument(look, tuple(mentions), state.last))
    following = ListUsers(last, state.pages + pages, faults)
    if look.is_finished:
        return await _listed(hop, last)
    return Requeue(following, AT_ONCE) if fault is None else _again(following, fault)


def _again(state: ListUsers, fault: PassingFault) -> Requeue:
    wait = fault.retry_after or timedelta(0)
    return Requeue(state, FAULT_POLL * 2 ** (state.faults - 1), note=str(fault), at_least=wait, failed=True)


async def _listed(hop: Hop, last: str) -> HopResult:
    """Everything is read: what follows is the revocation of descendants, if the policy says so, and the record."""
    left: tuple[str, ...] = ()
    if hop.policy.revocation.descendants is DescendantRule.REVOKE:
        found, _ = await _found(hop, last)
        left = tuple(str(each) for each in covered_descendants(found, hop))[:MOST_REVOKED]
    if left:
        return Requeue(RevokeDescendants(last=last, since=hop.now, left=left), AT_ONCE)
    return Requeue(RecordUsers(last=last), AT_ONCE)


def covered_descendants(found: InUse, hop: Hop) -> tuple[VersionId, ...]:
    """The versions that were made from this one, and that the policy releases."""
    versions = (each.version for each in found.descendants)
    return tuple(each for each in versions if each is not None and hop.world.policy.covering(each) is not None)


async def _record(hop: Hop, last: str) -> HopResult:
    found, documents = await _found(hop, last)
    reasons = [found.summary]
    revokes = hop.policy.revocation.descendants is DescendantRule.REVOKE
    beyond = len(covered_descendants(found, hop)) - MOST_REVOKED
    if revokes and beyond > 0:
        reasons.append(f"{beyond} further descendants are not revoked: revoke them by hand")
    facts = {**as_document(found, hop.world.policy), "documents": documents}
    return Decided(Gate.IN_USE, Answer.PASS, tuple(reasons), facts=facts)


async def _found(hop: Hop, last: str) -> tuple[InUse, list[str]]:
    """The users by everything that was read, and the names of its documents, oldest first."""
    subject = await subject_of(hop.release.version, hop.release, hop.world)
    mentions: list[Mention] = []
    names: list[str] = []
    read = newest = await _read(hop, last)
    names.append(last)
    mentions += read.mentions
    while read.before is not None:
        names.append(read.before)
        read = await _read(hop, read.before)
        mentions += read.mentions
    found = found_users(subject, mentions, newest.look.coverage, hop.world.policy, hop.now)
    return found, names[::-1]


async def _read(hop: Hop, name: str) -> LookDocument:
    document = await hop.world.evidence.get(name)
    if document is None:
        raise Unavailable(f"the evidence {name} is not there")
    return read_look(document)


async def _write(hop: Hop, document: LookDocument) -> str:
    """Write a document under a name that its content gives, so that a repeated hop writes it once."""
    version, incarnation = hop.release.version, hop.release.incarnation
    head: Mapping[str, str | None] = {"version": str(version), "incarnation": incarnation, "at": hop.now.isoformat()}
    body = look_document(document, head)
    digest = hashlib.sha256(encode_document(body)).hexdigest()[:16]
    name = f"{evidence_folder(version, incarnation)}/users-{digest}.json"
    await hop.world.evidence.put(name, body)
    return name
