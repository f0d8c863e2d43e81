"""What people do to releases, at the wrong time, twice, at once, and against each other."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from shared.domain.access import Actor
from shared.domain.actions import Action
from shared.domain.image import VersionId
from shared.domain.policy import ApprovalDeadline, ApprovalRules, DefinitionPolicy, Ring, Skippable
from shared.domain.publish_window import Freeze, Window
from shared.domain.release import Gate, State
from shared.engine.apply_action import ActionDenied
from tests.flow.misfortunes import Misfortune, unavailable
from tests.flow.rehearsal import (
    ADMIN,
    APPROVER,
    BEGIN,
    DEFINITION,
    HOME,
    OPERATOR,
    READER,
    SECOND_APPROVER,
    SMALL,
    SOURCE,
    Rehearsal,
)


def with_ring(definition: DefinitionPolicy, number: int, **changes: Any) -> DefinitionPolicy:
    rings: list[Ring] = list(definition.rings)
    rings[number] = replace(rings[number], **changes)
    return replace(definition, rings=tuple(rings))


APPROVED = with_ring(SMALL, 0, approval=ApprovalRules(within=timedelta(days=2)))
TWO = with_ring(SMALL, 0, approval=ApprovalRules(count=2, within=timedelta(days=2)))


def waiting(definition: DefinitionPolicy = APPROVED) -> tuple[Rehearsal, VersionId]:
    """A release that waits for its approval."""
    play = Rehearsal(definition)
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).state is State.AWAITING_APPROVAL)
    return play, version


# --- approval ---------------------------------------------------------------------------------------------------------


def test_a_ring_that_nobody_approves_is_not_published() -> None:
    play, version = waiting()
    play.wait(24)
    assert (play.latest(SOURCE, HOME), play.release(version).state) == (None, State.AWAITING_APPROVAL)


def test_an_approval_publishes_the_ring() -> None:
    play, version = waiting()
    play.take(Action.APPROVE, version, APPROVER)
    assert play.run().release(version).state is State.RELEASED


def test_an_approval_while_regions_replicate_counts() -> None:
    play = Rehearsal(APPROVED)
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).ring is not None)
    play.take(Action.APPROVE, version, APPROVER)
    assert play.run().release(version).state is State.RELEASED


def test_an_approval_before_the_release_is_in_a_ring_is_refused() -> None:
    play = Rehearsal(APPROVED)
    version = play.publish(scan=None)
    play.wait(2)
    with pytest.raises(ActionDenied, match="in no ring yet"):
        play.take(Action.APPROVE, version, APPROVER)


def test_two_approvals_are_not_given_by_one_person_twice() -> None:
    play, version = waiting(TWO)
    play.take(Action.APPROVE, version, APPROVER)
    with pytest.raises(ActionDenied, match="has approved canary already"):
        play.take(Action.APPROVE, version, APPROVER)
    assert play.wait(1).release(version).state is State.AWAITING_APPROVAL


def test_two_approvals_by_two_people_publish_the_ring() -> None:
    play, version = waiting(TWO)
    play.take(Action.APPROVE, version, APPROVER)
    play.take(Action.APPROVE, version, SECOND_APPROVER)
    assert play.run().release(version).state is State.RELEASED


def test_a_second_click_approves_once() -> None:
    play, version = waiting(TWO)
    first = play.take(Action.APPROVE, version, APPROVER, key="the-same-key")
    again = play.take(Action.APPROVE, version, APPROVER, key="the-same-key")
    assert (first.repeated, again.repeated, len(play.release(version).actions)) == (False, True, 1)


def test_whoever_built_the_version_may_not_approve_it() -> None:
    play, version = waiting()
    builder = replace(APPROVER, ids=APPROVER.ids | {"builder"})
    with pytest.raises(ActionDenied, match="a builder may not approve"):
        play.take(Action.APPROVE, version, builder)


def test_whoever_built_a_version_whose_event_was_lost_is_known_from_the_activity_log() -> None:
    play = Rehearsal(APPROVED)
    version = play.publish(events=())
    play.until(lambda: play.has(version) and play.release(version).state is State.AWAITING_APPROVAL)
    assert play.release(version).builder is None
    builder = replace(APPROVER, ids=APPROVER.ids | {"builder"})
    with pytest.raises(ActionDenied, match="a builder may not approve"):
        play.take(Action.APPROVE, version, builder)


@pytest.mark.parametrize("who", [READER, OPERATOR])
def test_whoever_lacks_the_role_is_told_which(who: Actor) -> None:
    play, version = waiting()
    with pytest.raises(ActionDenied, match="needs the role approver"):
        play.take(Action.APPROVE, version, who)


def test_an_approval_of_a_former_image_does_not_count_for_the_next() -> None:
    play, version = waiting(TWO)
    play.take(Action.APPROVE, version, APPROVER)
    play.cloud.galleries.remove(version)
    play.publish()
    play.until(lambda: play.release(version).state is State.AWAITING_APPROVAL and not play.release(version).actions)
    play.take(Action.APPROVE, version, SECOND_APPROVER)
    assert play.wait(2).release(version).state is State.AWAITING_APPROVAL


def test_an_approval_under_a_former_policy_does_not_count() -> None:
    play, version = waiting(TWO)
    play.take(Action.APPROVE, version, APPROVER)
    play.change_policy(replace(TWO, digest="digest-2"))
    play.wait(6)
    play.take(Action.APPROVE, version, SECOND_APPROVER)
    assert play.wait(2).release(version).state is State.AWAITING_APPROVAL


def test_a_scan_that_fails_withdraws_an_approval() -> None:
    two_rings = with_ring(DEFINITION, 1, approval=ApprovalRules(count=2))
    play = Rehearsal(two_rings)
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).state is State.AWAITING_APPROVAL)
    play.take(Action.APPROVE, version, APPROVER)
    play.wait(1)
    play.scan(version, "critical-cve")
    play.wait(1)
    assert play.release(version).gates[-1].gate is Gate.RESCAN
    play.take(Action.APPROVE, version, SECOND_APPROVER)
    assert play.wait(2).latest(SOURCE, "eastus") is None


def test_a_scan_that_passes_afterwards_does_not_bring_a_withdrawn_approval_back() -> None:
    play = Rehearsal(with_ring(DEFINITION, 1, approval=ApprovalRules(count=2)))
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).state is State.AWAITING_APPROVAL)
    play.take(Action.APPROVE, version, APPROVER)
    for words in ("critical-cve", "clean"):
        play.wait(1)
        play.scan(version, words)
    play.wait(1)
    play.take(Action.APPROVE, version, SECOND_APPROVER)
    assert play.wait(2).latest(SOURCE, "eastus") is None


def test_a_missing_approval_holds_the_release_at_its_deadline_and_still_publishes_it_later() -> None:
    play, version = waiting()
    play.wait(24 * 3)
    assert "approval of canary missing at the deadline" in play.release(version).stalls["promote/canary"]
    play.take(Action.APPROVE, version, APPROVER)
    assert play.run().release(version).state is State.RELEASED


def test_a_missing_approval_rejects_where_the_policy_says_so() -> None:
    rules = ApprovalRules(within=timedelta(days=2), at_deadline=ApprovalDeadline.REJECT)
    play, version = waiting(with_ring(SMALL, 0, approval=rules))
    play.wait(24 * 3)
    assert play.run().release(version).state is State.REJECTED


def test_a_missing_approval_is_asked_for_again_where_the_policy_says_so() -> None:
    rules = ApprovalRules(within=timedelta(days=2), at_deadline=ApprovalDeadline.REMIND)
    play, _ = waiting(with_ring(SMALL, 0, approval=rules))
    play.wait(24 * 5)
    types = [each.type for each in play.cloud.publisher.published()]
    assert (types.count("Ringmaster.Release.ApprovalWanted"), types.count("Ringmaster.Release.ApprovalOverdue")) == (
        1,
        2,
    )


def test_a_person_who_rejects_ends_the_release() -> None:
    play, version = waiting()
    play.take(Action.REJECT, version, APPROVER, "it was built from the wrong branch")
    assert play.run().release(version).reasons == ("rejected by approver: it was built from the wrong branch",)


# --- hold -------------------------------------------------------------------------------------------------------------


def test_a_held_release_prepares_and_does_not_publish() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.wait(minutes=8)
    play.take(Action.HOLD, version, reason="an incident")
    play.wait(24 * 3)
    assert (play.latest(SOURCE, HOME), play.release(version).state) == (None, State.PUBLISHING)


def test_a_held_release_goes_on_when_it_is_resumed() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.wait(minutes=8)
    play.take(Action.HOLD, version)
    play.wait(24)
    play.take(Action.RESUME, version)
    assert play.run(timedelta(hours=1)).release(version).state is State.RELEASED


def test_a_hold_that_comes_while_the_ring_is_about_to_be_published_keeps_it_from_that() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).state is State.PUBLISHING)
    play.take(Action.HOLD, version)
    assert play.wait(5).latest(SOURCE, HOME) is None


def test_a_hold_outlasts_a_change_of_the_policy() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.wait(minutes=8)
    play.take(Action.HOLD, version)
    play.change_policy(replace(SMALL, digest="digest-2"))
    assert play.wait(5).latest(SOURCE, HOME) is None


def test_a_hold_before_the_validation_has_ended_outlasts_it() -> None:
    down = Misfortune("galleries.version", unavailable, times=3)
    play = Rehearsal(SMALL, misfortunes=[down])
    version = play.publish()
    play.until(lambda: play.has(version))
    assert play.release(version).incarnation is None
    play.take(Action.HOLD, version, reason="an incident")
    assert play.wait(24).latest(SOURCE, HOME) is None
    play.take(Action.RESUME, version)
    assert play.run(timedelta(hours=1)).release(version).state is State.RELEASED


def test_nobody_holds_twice() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.wait(minutes=8)
    play.take(Action.HOLD, version)
    with pytest.raises(ActionDenied, match="holds this release already"):
        play.take(Action.HOLD, version, ADMIN)


# --- the calendar -----------------------------------------------------------------------------------------------------


def test_a_ring_is_published_in_its_window() -> None:
    opens, closes = ((BEGIN + timedelta(hours=hours)).time() for hours in (6, 7))
    office = Window(frozenset(range(5)), opens, closes, "UTC")
    play = Rehearsal(with_ring(SMALL, 0, windows=(office,)))
    version = play.publish()
    play.run()
    published = play.release(version).published[0].at
    assert timedelta(hours=6) <= published - BEGIN < timedelta(hours=7)


def test_nothing_is_published_in_a_freeze() -> None:
    freeze = Freeze(BEGIN, BEGIN + timedelta(days=3), "year end")
    play = Rehearsal(replace(SMALL, freezes=(freeze,)))
    version = play.publish()
    play.run()
    assert play.release(version).published[0].at >= BEGIN + timedelta(days=3)


def test_a_freeze_that_is_lifted_lets_the_release_go_on_when_it_is_resumed() -> None:
    ends = datetime(2026, 4, 1, tzinfo=timezone(timedelta(hours=2)))
    play = Rehearsal(replace(SMALL, freezes=(Freeze(BEGIN, ends, "year end"),)))
    version = play.publish()
    play.wait(5)
    play.change_policy(SMALL)
    play.take(Action.HOLD, version)
    play.take(Action.RESUME, version)
    assert play.run(timedelta(hours=2)).release(version).state is State.RELEASED


def test_the_rest_of_a_bake_time_can_be_skipped_by_an_admin() -> None:
    play = Rehearsal(DEFINITION)
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).state is State.BAKING, timedelta(days=1))
    play.until(lambda: play.release(version).ring == "early" and play.release(version).state is State.BAKING)
    play.take(Action.SKIP_BAKE, version, ADMIN)
    play.wait(minutes=2)
    assert play.latest(SOURCE, "eastus") == "1.0.0"


# --- emergency --------------------------------------------------------------------------------------------------------

EMERGENCY = replace(APPROVED, emergency_skips=frozenset({Skippable.APPROVAL}))


def test_an_emergency_skips_what_the_policy_names_and_says_so_until_it_is_acknowledged() -> None:
    play, version = waiting(EMERGENCY)
    play.take(Action.EMERGENCY, version, ADMIN, "the fix of an outage")
    play.run()
    assert play.release(version).state is State.RELEASED
    warning = "emergency promotion: admin ordered canary: the fix of an outage"
    assert warning in play.release(version).warnings
    play.take(Action.ACKNOWLEDGE, version)
    assert warning not in play.release(version).warnings


def test_an_emergency_does_not_skip_what_the_policy_does_not_name() -> None:
    freeze = Freeze(BEGIN, BEGIN + timedelta(days=3), "year end")
    play, version = waiting(replace(EMERGENCY, freezes=(freeze,)))
    play.take(Action.EMERGENCY, version, ADMIN)
    assert play.wait(24).latest(SOURCE, HOME) is None


def test_an_emergency_never_skips_a_proof() -> None:
    play = Rehearsal(EMERGENCY)
    version = play.publish(scan=None)
    play.wait(2)
    with pytest.raises(ActionDenied, match="not in a ring"):
        play.take(Action.EMERGENCY, version, ADMIN)


def test_no_emergency_where_the_policy_names_nothing_to_skip() -> None:
    play, version = waiting()
    with pytest.raises(ActionDenied, match="names nothing that an emergency promotion may skip"):
        play.take(Action.EMERGENCY, version, ADMIN)


# --- bad input --------------------------------------------------------------------------------------------------------


def test_an_action_on_another_image_than_the_one_that_was_seen_is_refused() -> None:
    play, version = waiting()
    with pytest.raises(ActionDenied, match="another image was built"):
        play.take(Action.APPROVE, version, APPROVER, incarnation="2020-01-01T00:00:00+00:00")


@pytest.mark.parametrize("action", [Action.REVOKE, Action.HOLD])
def test_what_takes_something_back_needs_a_reason(action: Action) -> None:
    play, version = waiting()
    with pytest.raises(ActionDenied, match="needs a reason"):
        play.take(action, version, reason="  ")


def test_every_action_is_evidence() -> None:
    play, version = waiting()
    taken = play.take(Action.APPROVE, version, APPROVER, "tested in the lab")
    document = play.do(lambda world, _: world.evidence.get(taken.record.evidence))
    assert (document["by"], document["reason"], document["action"]) == (
        {"id": APPROVER.id, "name": APPROVER.name},
        "tested in the lab",
        "approve",
    )
