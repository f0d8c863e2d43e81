"""What people see of releases, also of one whose row holds what no stage writes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.access import Access, Actor, Role
from shared.domain.actions import Action, Request
from shared.domain.hop_states import UnreadableState
from shared.domain.policy import ApprovalRules
from shared.engine.act import act
from shared.queries import status
from tests.flow.rehearsal import SMALL, Rehearsal


@pytest.mark.parametrize("state", [{"step": ["provision"]}, {"step": {}}, {"deadline": "soon"}, {"deadline": 5}])
def test_a_strange_step_or_deadline_hides_nothing(state: dict[str, Any]) -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan=None)
    play.wait(minutes=12)
    stored = play.stored(version)
    ((branch, pending),) = stored.release.pending.items()
    odd = replace(pending, command=replace(pending.command, state=UnreadableState(state)))
    play.do(lambda world, now: world.ledger.replace(stored, replace(stored.release, pending={branch: odd})))
    (shown,) = play.do(lambda world, now: status.overview(world))["releases"]
    assert shown["waiting_for"][0]["deadline"] == pending.command.not_after.isoformat()


APPROVERS = [Actor(each, frozenset({each}), f"{each}@example.com") for each in ("first", "second")]


def test_approvals_are_told_given_and_missing_until_the_ring_is_published() -> None:
    ring = replace(SMALL.rings[0], approval=ApprovalRules(count=2))
    access = Access({Role.APPROVER: frozenset(each.id for each in APPROVERS)})
    play = Rehearsal(replace(SMALL, rings=(ring,), access=access))
    version = play.publish()
    play.wait(hours=2)

    def told() -> Any:
        return play.do(lambda world, now: status.explanation(version, world))

    def approve(actor: Actor) -> None:
        request = Request(Action.APPROVE, actor, f"key-of-{actor.id}")
        play.do(lambda world, now: act(version, request, world, now=now))

    assert (told()["state"], told()["approvals"]) == (
        "awaiting_approval",
        {"ring": "canary", "needed": 2, "given": [], "missing": 2},
    )
    approve(APPROVERS[0])
    assert [each["by"]["name"] for each in told()["approvals"]["given"]] == ["first@example.com"]
    assert told()["approvals"]["missing"] == 1
    approve(APPROVERS[1])
    assert told()["approvals"]["missing"] == 0
    play.wait(hours=1)
    assert (told()["state"], told()["approvals"]) == ("released", None)
    assert [each["action"] for each in told()["actions"]] == ["approve", "approve"]


def test_a_ring_without_approval_has_none_to_tell() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.wait(minutes=12)
    shown = play.do(lambda world, now: status.explanation(version, world))
    assert (shown["ring"], shown["approvals"]) == ("canary", None)
