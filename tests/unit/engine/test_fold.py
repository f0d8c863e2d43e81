"""Folding: what a step makes of a row, without any I/O."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.hop_states import AwaitVersion, NoState
from shared.domain.image import DefinitionId, VersionNumber
from shared.domain.lifecycle import Outcome, advance, first
from shared.domain.messages import Branch, Command, Kind
from shared.domain.moment import Moment
from shared.domain.orders import stalled
from shared.domain.outcomes import Annotated, Decided, Dropped, Finished, Redirected, Requeue, Stalled
from shared.domain.policy import DefinitionPolicy, EventDetail, RegionTarget, Ring, ScanRules, Severity
from shared.domain.release import Answer, Gate, Pending, Release, State
from shared.engine.fold import FIRST_WAIT, LONGEST_WAIT, backoff, fold, resent

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOURCE = DefinitionId.parse(
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute/galleries/g/images/d"
)
VERSION = SOURCE.version(VersionNumber(1, 2, 3))
POLICY = DefinitionPolicy(
    "d",
    SOURCE,
    (Ring("canary", SOURCE, (RegionTarget("westeurope"),)),),
    ScanRules({Severity.CRITICAL: 0}),
    digest="p1",
    events=EventDetail.MILESTONES,
)
VALIDATED = Decided(Gate.VALIDATION, Answer.PASS, incarnation="i1", traits={"location": "westeurope"})


def started() -> Release:
    return first(VERSION, POLICY, Moment(NOW), None)


def command(release: Release, branch: str = "validate") -> Command:
    return release.pending[branch].command


def folded(release: Release, step: Any, branch: str = "validate", *, pace: float = 1.0) -> Release:
    return fold(release, command(release, branch), step, POLICY, Moment(NOW, pace)).release


def qualifying() -> Release:
    return folded(started(), VALIDATED)


# --- again ------------------------------------------------------------------------------------------------------------


def test_going_on_sends_the_branch_again_with_a_new_number() -> None:
    again = folded(started(), Requeue(AwaitVersion(NOW), timedelta(seconds=30)))
    pending = again.pending["validate"]
    assert (pending.command.seq, again.seq, pending.sent, pending.command.state) == (2, 2, False, AwaitVersion(NOW))


def test_a_pace_shortens_what_we_wait_and_never_what_a_service_asked_for() -> None:
    ours = folded(started(), Requeue(NoState(), timedelta(minutes=10)), pace=60)
    theirs = folded(started(), Requeue(NoState(), timedelta(minutes=10), at_least=timedelta(minutes=5)), pace=60)
    assert ours.pending["validate"].due == NOW + timedelta(seconds=10)
    assert theirs.pending["validate"].due == NOW + timedelta(minutes=5)


def test_a_failed_hop_counts_as_an_attempt_and_a_good_one_begins_anew() -> None:
    failed = folded(started(), Requeue(NoState(), timedelta(0), note="no answer", failed=True))
    good = folded(failed, Requeue(NoState(), timedelta(0)))
    assert (command(failed).attempt, command(good).attempt) == (1, 0)


def test_the_same_fault_over_and_over_is_told_once() -> None:
    fault = Requeue(NoState(), timedelta(0), note="no answer", failed=True)
    once = folded(started(), fault)
    assert len(folded(once, fault).history) == len(once.history)


def test_going_on_keeps_the_deadline() -> None:
    release = started()
    assert command(folded(release, Requeue(NoState(), timedelta(hours=1)))).not_after == command(release).not_after


@pytest.mark.parametrize(("attempt", "wait"), [(0, FIRST_WAIT), (1, 2 * FIRST_WAIT), (40, LONGEST_WAIT)])
def test_waits_double_up_to_a_quarter_of_an_hour(attempt: int, wait: timedelta) -> None:
    assert backoff(attempt) == wait


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_a_verdict_names_the_evidence_that_is_written_with_it() -> None:
    result = fold(started(), command(started()), VALIDATED, POLICY, Moment(NOW))
    assert result.document is not None
    assert (result.release.gates[0].evidence, result.document["answer"]) == (result.name, "pass")


def test_evidence_is_of_the_incarnation_and_the_policy() -> None:
    document = fold(started(), command(started()), VALIDATED, POLICY, Moment(NOW)).document
    assert document is not None
    assert (document["incarnation"], document["policyDigest"]) == ("i1", "p1")


def test_another_verdict_has_another_name() -> None:
    release = qualifying()
    one = fold(release, command(release, "scan"), Decided(Gate.SCAN, Answer.PASS), POLICY, Moment(NOW))
    two = fold(release, command(release, "scan"), Decided(Gate.SCAN, Answer.REJECT), POLICY, Moment(NOW))
    assert one.name != two.name


def test_the_first_of_two_gates_leaves_the_release_where_it_is() -> None:
    release = folded(qualifying(), Decided(Gate.SCAN, Answer.PASS), "scan")
    assert (release.state, list(release.pending)) == (State.QUALIFYING, ["boot_test"])


def test_the_last_of_two_gates_moves_it_on_whichever_comes_last() -> None:
    passed = {"scan": Decided(Gate.SCAN, Answer.PASS), "boot_test": Decided(Gate.BOOT_TEST, Answer.PASS)}
    for one, other in (("scan", "boot_test"), ("boot_test", "scan")):
        release = folded(folded(qualifying(), passed[one], one), passed[other], other)
        assert (release.state, release.ring) == (State.REPLICATING, "canary")


def test_a_reject_ends_the_release_with_its_reasons() -> None:
    release = folded(qualifying(), Decided(Gate.SCAN, Answer.REJECT, ("3 critical",)), "scan")
    assert (release.state, release.reasons) == (State.REJECTED, ("3 critical",))


def test_warnings_are_kept_once() -> None:
    warned = replace(VALIDATED, warnings=("end of life is near", "end of life is near"))
    assert folded(started(), warned).warnings == ("end of life is near",)


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_a_number_used_again_archives_its_former_bearer() -> None:
    release = qualifying()
    result = fold(release, command(release, "scan"), Redirected(Outcome.NUMBER_REUSED, "anew"), POLICY, Moment(NOW))
    assert (result.archive, result.release.incarnation) == (release, None)


def test_a_version_that_was_overtaken_after_it_was_published_is_remembered_as_published() -> None:
    publishing = replace(qualifying(), state=State.PUBLISHING, ring="canary")
    turned = Redirected(Outcome.SUPERSEDED, "1.3.0 is newer", published="canary")
    ended = fold(publishing, command(publishing, "scan"), turned, POLICY, Moment(NOW)).release
    assert (ended.state, [each.ring for each in ended.published]) == (State.SUPERSEDED, ["canary"])


def test_a_changed_policy_archives_nothing() -> None:
    release = qualifying()
    turned = Redirected(Outcome.POLICY_CHANGED, "another")
    assert fold(release, command(release, "scan"), turned, POLICY, Moment(NOW)).archive is None


def test_a_finished_branch_is_gone() -> None:
    assert "scan" not in folded(qualifying(), Finished(), "scan").pending


def test_a_note_changes_nothing_but_the_history() -> None:
    before = qualifying()
    after = folded(before, Annotated("a report was refused"), "scan")
    assert replace(after, history=before.history) == before


def test_a_dropped_command_changes_nothing() -> None:
    release = qualifying()
    assert folded(release, Dropped("stale"), "scan") == release


def test_a_stalled_branch_waits_for_people_with_its_reason() -> None:
    release = folded(qualifying(), Stalled("gave up"), "scan")
    assert (dict(release.stalls), release.pending["scan"].parked) == ({"scan": "gave up"}, True)


def test_sending_again_takes_up_only_what_was_set_aside() -> None:
    release = stalled(qualifying(), command(qualifying(), "scan"), "gave up", NOW)
    again = resent(release, NOW, within=timedelta(hours=1))
    assert (again.pending["scan"].command.seq, again.pending["boot_test"]) == (again.seq, release.pending["boot_test"])


def test_sending_again_sets_a_new_deadline_and_forgets_the_attempts() -> None:
    tired = replace(command(qualifying(), "scan"), attempt=9, not_after=NOW - timedelta(days=1))
    again = command(resent(stalled(qualifying(), tired, "gave up", NOW), NOW, within=timedelta(hours=1)), "scan")
    assert (again.attempt, again.not_after) == (0, NOW + timedelta(hours=1))


def test_a_former_command_of_a_branch_is_expected_no_more() -> None:
    release = started()
    assert not folded(release, Requeue(NoState(), timedelta(0))).expects(command(release))


def test_ended_releases_have_no_gate_left_whatever_ended_them() -> None:
    for outcome in (Outcome.REJECTED, Outcome.SUPERSEDED, Outcome.VERSION_GONE):
        ended = advance(qualifying(), outcome, POLICY, Moment(NOW))
        kinds = {Branch(each.command.kind).kind for each in ended.pending.values()}
        assert kinds <= {Kind.CLEAN_UP, Kind.ANNOUNCE, Kind.HIDE}


# --- rings ahead ------------------------------------------------------------------------------------------------------

TWO_RINGS = replace(POLICY, rings=(*POLICY.rings, Ring("early", SOURCE, (RegionTarget("eastus"),))))


def with_ring_ahead(state: State = State.BAKING) -> Release:
    """A release whose second ring is being replicated while the first one bakes."""
    early = Command(Kind.REPLICATE, VERSION, 9, NOW + timedelta(hours=9), "early")
    release = Release(VERSION, state, 9, "p1", NOW, NOW, "i1", "canary", qualified_at=NOW)
    return release.with_pending(early.branch, Pending(early, NOW))


def decided_ahead(release: Release, *reasons: str) -> Release:
    answer = Answer.REJECT if reasons else Answer.PASS
    decided = Decided(Gate.REPLICATION, answer, reasons)
    return fold(release, command(release, "replicate/early"), decided, TWO_RINGS, Moment(NOW)).release


def test_a_verdict_of_a_ring_ahead_is_recorded_under_that_ring_and_moves_no_state() -> None:
    moved = decided_ahead(with_ring_ahead())
    assert (moved.state, moved.ring, moved.gates[-1].ring) == (State.BAKING, "canary", "early")
    assert list(moved.pending) == ["boot_test/early/eastus"]


def test_the_history_names_the_ring_ahead() -> None:
    assert decided_ahead(with_ring_ahead()).history[-1].text == "ring ahead replicated: early"


def test_a_reject_of_a_ring_ahead_ends_the_release_and_names_the_ring() -> None:
    moved = decided_ahead(with_ring_ahead(), "no capacity")
    assert (moved.state, moved.reasons) == (State.REJECTED, ("early, filled ahead: no capacity",))


def test_a_verdict_that_comes_when_its_turn_has_come_is_the_rings_own() -> None:
    turn = replace(with_ring_ahead(State.REPLICATING), ring="early")
    assert decided_ahead(turn).state is State.TESTING
