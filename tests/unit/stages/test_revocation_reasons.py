"""Why a version was revoked: in the words of whoever ordered it, or those of the scan that it failed."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from shared.domain.access import Access, Actor, Role
from shared.domain.actions import Action, Request
from shared.domain.image import VersionId
from shared.domain.policy import FailedRescanAction
from shared.domain.release import Gate, State
from shared.engine.act import Taken, act
from shared.ports import World
from tests.flow.rehearsal import SMALL, Rehearsal

OPERATOR = Actor("operator-id", frozenset({"operator-id"}), "operator@example.com")
POLICY = replace(
    SMALL,
    access=Access({Role.OPERATOR: frozenset({OPERATOR.id})}),
    scan=replace(SMALL.scan, on_failed_rescan=FailedRescanAction.REVOKE, revoke_to_empty=True),
)


def released() -> tuple[Rehearsal, VersionId]:
    play = Rehearsal(POLICY)
    version = play.publish()
    play.run()
    assert play.release(version).state is State.RELEASED
    return play, version


def revoke(play: Rehearsal, version: VersionId, *, after: timedelta | None = None) -> None:
    def work(world: World, now: datetime) -> Coroutine[Any, Any, Taken]:
        at = now + after if after else None
        return act(version, Request(Action.REVOKE, OPERATOR, "a-key", "a bad kernel", at=at), world, now=now)

    play.do(work)


def test_whoever_revokes_is_told_with_their_reason_in_row_and_gate() -> None:
    play, version = released()
    revoke(play, version)
    play.run()
    row = play.release(version)
    assert (row.state, row.reasons) == (State.REVOKED, ("revoked by operator@example.com: a bad kernel",))
    gate = row.gate_any(Gate.REVOCATION)
    assert gate is not None
    assert gate.reasons == row.reasons


def test_a_revocation_at_a_later_time_keeps_its_reason() -> None:
    play, version = released()
    revoke(play, version, after=timedelta(hours=5))
    play.wait(hours=6)
    row = play.release(version)
    assert (row.state, row.reasons) == (State.REVOKED, ("revoked by operator@example.com: a bad kernel",))


def test_a_scan_that_fails_before_the_time_of_a_revocation_is_the_reason() -> None:
    play, version = released()
    revoke(play, version, after=timedelta(days=2))
    play.wait(minutes=5)
    play.scan(version, "critical-cve")
    play.wait(hours=6)
    row = play.release(version)
    assert row.state is State.REVOKED
    assert "critical" in row.reasons[0]
