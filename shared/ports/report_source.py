"""Where scan reports lie that are sent by reference."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from shared.ports.port_errors import ReportRefused


class ReportSource(Protocol):
    """Where reports lie that are sent by reference."""

    def denial_reason(self, url: str) -> str | None:
        """Why this address is never fetched from, or None. Asks nobody."""
        ...

    def open(self, url: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """What lies at an address, in pieces, with any content encoding undone.

        Raises ReportRefused for what is never fetched (another host, an address that isn't public, a redirect to
        elsewhere, too many bytes, a final no), and Throttled or Unavailable for what passes, time limits included.
        """
        ...


class NoReportSource:
    """``ReportSource`` of an app that fetches from nowhere."""

    def denial_reason(self, url: str) -> str | None:
        return "reports are fetched from nowhere: RINGMASTER_REPORT_HOSTS names no host"

    def open(self, url: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        raise ReportRefused("host", self.denial_reason(url) or "")
