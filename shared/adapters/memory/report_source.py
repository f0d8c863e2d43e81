"""Scan reports by reference in memory, with the same rules for URLs as over the network."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection, Mapping

from shared.domain.report_reference import InvalidReference, check_url, shown
from shared.ports import ReportRefused

_PIECE = 64 * 1024


class MemoryReportSource:
    """``ReportSource`` for a mapping of URLs. An exception instead of a body is raised when its URL is opened."""

    def __init__(self, bodies: Mapping[str, bytes | Exception], hosts: Collection[str], *, most_bytes: int) -> None:
        """Serve these bodies from these hosts."""
        self._bodies = bodies
        self._hosts = frozenset(hosts)
        self._most = most_bytes
        self.opened: list[str] = []
        """All URLs that were opened, in order."""

    def denial_reason(self, url: str) -> str | None:
        try:
            check_url(url, self._hosts)
        except InvalidReference as error:
            return str(error)
        return None

    @contextlib.asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[AsyncIterator[bytes]]:
        if (reason := self.denial_reason(url)) is not None:
            raise ReportRefused("host", reason)
        self.opened.append(url)
        body = self._bodies.get(url)
        if body is None:
            raise ReportRefused("answer", f"{shown(url)} returned 404")
        if isinstance(body, Exception):
            raise body
        if len(body) > self._most:
            raise ReportRefused("too-large", f"{shown(url)} is larger than {self._most} bytes")
        yield _pieces(body)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]
