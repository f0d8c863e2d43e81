"""A worker handles many messages at once, and has room for one large report."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.adapters.memory.evidence import MemoryEvidence
from shared.domain.messages import Command, Kind
from shared.ports import Hop
from shared.scan_gate.usable_reports import LARGE, reports_on_hand
from tests.flow.rehearsal import SMALL, Rehearsal, small_report


class Watched(MemoryEvidence):
    """Evidence that takes its time, and counts how many reports are being read at once."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = self.most = 0

    async def read_report(self, name: str) -> bytes | None:
        self.reading += 1
        self.most = max(self.most, self.reading)
        for _ in range(3):
            await asyncio.sleep(0)
        self.reading -= 1
        return await super().read_report(name)


@pytest.mark.parametrize(("padding", "at_once"), [(LARGE, 1), (0, 4)], ids=["large", "small"])
async def test_large_reports_are_read_one_at_a_time_and_small_ones_are_not(padding: int, at_once: int) -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan=None)
    play.wait(minutes=10)
    evidence, now = Watched(), play.scheduler.now
    body = small_report("clean", version, now) + b" " * padding
    await evidence.save_report(version, "trivy", body, at=now)
    world, release = replace(play.host.world, evidence=evidence), play.release(version)
    late = now + timedelta(minutes=1)
    hop = Hop(Command(Kind.SCAN, version, 1, late), release, SMALL, world, late)
    looks = [reports_on_hand(hop, SMALL.scan) for _ in range(4)]
    found = await asyncio.gather(*looks)
    assert [len(each.usable) for each in found] == [1] * 4
    assert evidence.most == at_once
