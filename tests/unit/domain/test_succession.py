"""What the releases of other versions mean for one that is about to be published."""

from __future__ import annotations

import pytest

from shared.domain.image import VersionNumber
from shared.domain.policy import Supersede
from shared.domain.release import State
from shared.domain.release_summary import ReleaseSummary
from shared.domain.succession import Queued, Succeeded, succession
from tests.flow.rehearsal import SOURCE

VERSION = SOURCE.version(VersionNumber.parse("1.0.5"))


def other(number: str, state: State) -> ReleaseSummary:
    version = SOURCE.version(VersionNumber.parse(number))
    return ReleaseSummary(version, state, is_settled=state.is_terminal, ended_as_gone=False)


OLDER, NEWER = other("1.0.4", State.BAKING), other("1.0.6", State.BAKING)


def test_by_default_both_go_on() -> None:
    assert succession(VERSION, Supersede.BOTH, [OLDER, NEWER]) is None


def test_a_newer_version_that_has_qualified_ends_it() -> None:
    found = succession(VERSION, Supersede.NEWEST, [OLDER, NEWER])
    assert found == Succeeded("1.0.6 is newer and has passed its scan and smoke test")


@pytest.mark.parametrize("state", [State.VALIDATING, State.QUALIFYING, State.REJECTED, State.HELD, State.REVOKED])
def test_a_newer_version_that_may_still_fail_or_has_failed_does_not(state: State) -> None:
    assert succession(VERSION, Supersede.NEWEST, [other("1.0.6", state)]) is None


def test_in_a_queue_it_waits_for_the_oldest_open_release() -> None:
    found = succession(VERSION, Supersede.QUEUE, [NEWER, OLDER, other("1.0.3", State.AWAITING_APPROVAL)])
    assert found == Queued("waiting for 1.0.3, which is awaiting approval, to end first")


@pytest.mark.parametrize("state", [each for each in State if each.is_terminal])
def test_in_a_queue_it_does_not_wait_for_a_release_that_has_ended(state: State) -> None:
    assert succession(VERSION, Supersede.QUEUE, [other("1.0.4", state)]) is None
