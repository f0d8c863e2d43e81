"""What people are told of a scan: how to pass, what was refused, and what was told before."""

import pytest

from shared.domain.image import VersionNumber
from shared.domain.messages import Command, Kind
from shared.domain.outcomes import Annotated, Dropped
from shared.domain.policy import ScanRules, Severity
from shared.domain.release import Gate, Release, State
from shared.domain.verdicts import ScanOutcome, ScanVerdict
from shared.ports import Hop
from shared.scan_gate.refusals import RefusalReason, RefusedReport, refuse
from shared.scan_gate.rescan_verdict import _nothing_new
from shared.scan_gate.usable_reports import ReportsOnHand
from shared.scan_gate.verdict import REMEDIES_TOLD, decided
from tests.flow.rehearsal import BEGIN, SMALL, SOURCE, Rehearsal

VERSION = SOURCE.version(VersionNumber.parse("1.0.0"))
RELEASE = Release(VERSION, State.QUALIFYING, 1, "digest", BEGIN, BEGIN)
RULES = ScanRules({Severity.CRITICAL: 0})


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (1, ("to pass: update p0",)),
        (REMEDIES_TOLD, ("to pass: update p0; update p1; update p2; update p3; update p4",)),
        (REMEDIES_TOLD + 2, ("to pass: update p0; update p1; update p2; update p3; update p4; and 2 more",)),
        (0, ()),
    ],
)
async def test_a_rejection_says_how_to_pass(count: int, told: tuple[str, ...]) -> None:
    steps = tuple(f"update p{number}" for number in range(count))
    verdict = ScanVerdict(ScanOutcome.REJECT, (), remediation=steps)
    hop = Hop(Command(Kind.SCAN, VERSION, 1, BEGIN), RELEASE, SMALL, Rehearsal(SMALL).cloud.world, BEGIN)
    assert (await decided(hop, Gate.SCAN, ReportsOnHand(()), verdict, RULES)).reasons == told


@pytest.mark.parametrize(("sender", "by"), [("ci", " from ci"), (None, "")])
async def test_a_refusal_says_what_was_refused_and_who_sent_it(sender: str | None, by: str) -> None:
    play = Rehearsal(SMALL)
    why = RefusalReason("unreadable", "it is no JSON")
    await refuse(RefusedReport(VERSION, "trivy", why, digest="0" * 64, sender=sender), play.cloud.world, now=BEGIN)
    (message,) = play.cloud.queues.waiting()
    assert f"{'0' * 16} (trivy){by} refused: it is no JSON" in message.body.decode()


def test_a_refusal_is_told_once() -> None:
    on_hand = ReportsOnHand((), refused=("no JSON",))
    assert _nothing_new(RELEASE, on_hand) == Annotated("no JSON")
    assert _nothing_new(RELEASE.with_history(BEGIN, "no JSON"), on_hand) == Dropped("already in the history")
    assert _nothing_new(RELEASE, ReportsOnHand(())) == Dropped("no report is newer than those already evaluated")
