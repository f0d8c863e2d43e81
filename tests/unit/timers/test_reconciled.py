"""The line that a round of reconciliation leaves in the log."""

from shared.timers.reconcile import SHOWN, Reconciled


def test_a_round_without_work_says_so() -> None:
    assert str(Reconciled()) == "nothing to do"


def test_only_what_was_done_is_named() -> None:
    done = Reconciled(started=["gal/ubuntu/1.0.0", "gal/ubuntu/1.1.0"], deleted=["rm-0123456789ab"])
    assert str(done) == "started gal/ubuntu/1.0.0, gal/ubuntu/1.1.0; deleted rm-0123456789ab"


def test_many_names_are_counted() -> None:
    line = str(Reconciled(checked=[f"v{number}" for number in range(SHOWN + 5)]))
    assert line.startswith("checked v0, v1, ")
    assert line.endswith("and 5 more")
