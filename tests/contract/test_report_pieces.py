"""What every evidence store promises about reports that come in pieces."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest

from shared.ports import ReportRefused, Unavailable
from tests.contract.samples import HOUR, NOW, version

LARGE = bytes(range(256)) * 40_000
"""Ten megabytes: several blocks."""


def digest(body: bytes) -> str:
    return sha256(body).hexdigest()


async def pieces(*each: bytes | Exception) -> AsyncIterator[bytes]:
    for one in each:
        if isinstance(one, Exception):
            raise one
        yield one


async def cut(body: bytes, size: int = 1_000_003) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def test_pieces_read_back_as_the_whole(evidence: Any) -> None:
    name = await evidence.save_report_pieces(version(), "trivy", cut(LARGE), sha256=digest(LARGE), at=NOW)
    assert await evidence.read_report(name) == LARGE
    (found,) = await evidence.reports(version())
    assert (found.name, found.format, found.at, found.size) == (name, "trivy", NOW, len(LARGE))


async def test_an_empty_report_in_no_pieces_is_kept_too(evidence: Any) -> None:
    name = await evidence.save_report_pieces(version(), "trivy", pieces(), sha256=digest(b""), at=NOW)
    assert await evidence.read_report(name) == b""


async def test_in_pieces_or_whole_it_is_the_same_report(evidence: Any) -> None:
    whole = await evidence.save_report(version(), "trivy", LARGE, at=NOW)
    again = await evidence.save_report_pieces(version(), "trivy", cut(LARGE), sha256=digest(LARGE), at=NOW + HOUR)
    assert whole == again
    assert [report.at for report in await evidence.reports(version())] == [NOW]


async def test_pieces_of_another_digest_leave_nothing(evidence: Any) -> None:
    with pytest.raises(ReportRefused, match=digest(LARGE)) as caught:
        await evidence.save_report_pieces(version(), "trivy", cut(LARGE), sha256=digest(b"other"), at=NOW)
    assert caught.value.code == "digest"
    assert list(await evidence.reports(version())) == []


async def test_pieces_that_break_off_leave_nothing(evidence: Any) -> None:
    broken = pieces(LARGE, LARGE, Unavailable("gone"))
    with pytest.raises(Unavailable, match="gone"):
        await evidence.save_report_pieces(version(), "trivy", broken, sha256=digest(LARGE + LARGE), at=NOW)
    assert list(await evidence.reports(version())) == []


async def test_pieces_that_never_end_are_refused_at_the_limit(evidence: Any) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(32 * 1024 * 1024)

    with pytest.raises(ReportRefused) as caught:
        await evidence.save_report_pieces(version(), "trivy", endless(), sha256=digest(b""), at=NOW)
    assert caught.value.code == "too-large"


async def test_two_writers_of_one_report_at_once_leave_it_whole(evidence: Any) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        async for piece in cut(LARGE):
            await asyncio.sleep(0)
            yield piece

    saves = [evidence.save_report_pieces(version(), "trivy", slowly(), sha256=digest(LARGE), at=NOW) for _ in range(4)]
    names = set(await asyncio.gather(*saves))
    assert len(names) == 1
    assert await evidence.read_report(names.pop()) == LARGE


@pytest.mark.parametrize("wrong", ["", "x" * 64, "../" + "0" * 61, "A" * 64])
async def test_what_is_no_digest_is_refused(evidence: Any, wrong: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        await evidence.save_report_pieces(version(), "trivy", pieces(b"{}"), sha256=wrong, at=NOW)
