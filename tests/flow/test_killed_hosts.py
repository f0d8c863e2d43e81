"""How long a release stands still when the host is killed: ten minutes, or less where the timer sees what was not sent.

The clock runs at the speed of the platform's, whose lease of a received message is ten minutes whatever the pace.
"""

from datetime import datetime, timedelta

from shared.domain.messages import Kind
from shared.domain.release import State
from shared.timers.reconcile import OVERDUE_GRACE, UNSENT_GRACE
from tests.flow.misfortunes import Misfortune, crash
from tests.flow.rehearsal import SMALL, Rehearsal

LEASE = timedelta(minutes=10)
TIMER = timedelta(minutes=5)


def began(play: Rehearsal, function: str) -> list[datetime]:
    """When each run of a function began."""
    return [ran.invocation.started_at for ran in play.runs(function)]


def test_a_message_that_died_with_its_host_comes_back_after_ten_minutes_and_no_timer_is_sooner() -> None:
    strike = Misfortune("ledger.replace", crash, function="validate")
    play = Rehearsal(SMALL, misfortunes=[strike])
    version = play.publish()
    play.run()
    killed, again = began(play, "validate")[:2]
    assert again - killed == LEASE
    rounds = [ran for ran in play.runs("reconcile") if killed < ran.invocation.started_at < again]
    assert rounds
    assert [ran.value.resent for ran in rounds] == [[]] * len(rounds)
    assert play.release(version).state is State.RELEASED


def test_a_command_that_was_written_and_not_sent_is_sent_by_the_timer_before_the_lease_ends() -> None:
    strike = Misfortune("queues.send", crash, function="validate")
    play = Rehearsal(SMALL, misfortunes=[strike])
    version = play.publish()
    play.run()
    (killed,) = (ran.invocation.started_at for ran in play.runs("validate") if ran.error is not None)
    went_on = began(play, Kind.BOOT_TEST)[0]
    assert UNSENT_GRACE <= went_on - killed <= UNSENT_GRACE + TIMER < LEASE
    assert play.release(version).state is State.RELEASED


def test_a_message_that_is_gone_is_sent_again_by_the_timer_when_it_is_overdue() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.until(lambda: any(each.kind is Kind.VALIDATE for each in play.cloud.queues.waiting()))
    (message,) = play.cloud.queues.waiting()
    play.cloud.queues.delete(message)
    gone = play.scheduler.now
    play.run()
    assert OVERDUE_GRACE <= began(play, "validate")[0] - gone <= OVERDUE_GRACE + TIMER
    assert play.release(version).state is State.RELEASED
