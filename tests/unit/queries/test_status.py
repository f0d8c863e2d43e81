"""What people see of releases, also of one whose row holds what no stage writes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.hop_states import UnreadableState
from shared.queries import status
from tests.flow.rehearsal import SMALL, Rehearsal


@pytest.mark.parametrize("state", [{"step": ["provision"]}, {"step": {}}, {"deadline": "soon"}, {"deadline": 5}])
def test_a_strange_step_or_deadline_hides_nothing(state: dict[str, Any]) -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan=None)
    play.wait(minutes=8)
    stored = play.stored(version)
    ((branch, pending),) = stored.release.pending.items()
    odd = replace(pending, command=replace(pending.command, state=UnreadableState(state)))
    play.do(lambda world, now: world.ledger.replace(stored, replace(stored.release, pending={branch: odd})))
    (shown,) = play.do(lambda world, now: status.overview(world))["releases"]
    assert shown["waiting_for"][0]["deadline"] == pending.command.not_after.isoformat()
