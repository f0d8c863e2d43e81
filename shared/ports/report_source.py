"""Scan reports that a scanner sends by reference, that is, as a URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from shared.ports.port_errors import ReportRefused


class ReportSource(Protocol):
    """Download scan reports that are sent by reference."""

    def denial_reason(self, url: str) -> str | None:
        """Return why nothing is downloaded from this URL, or None when it is allowed. Makes no request."""
        ...

    def open(self, url: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a URL. The context manager yields its content in chunks, decompressed.

        Raises ReportRefused for a URL that is not allowed (a host that is not listed, an IP address that is not public,
        a redirect to another host), for a report that is too large, and for a final error status. Raises Throttled or
        Unavailable for errors that may pass, time limits included. Both can be raised while the chunks are read.
        """
        ...


class NoReportSource:
    """A ``ReportSource`` for an app that allows no hosts. It refuses every URL."""

    def denial_reason(self, url: str) -> str | None:
        return "reports are not fetched by reference: the setting RINGMASTER_REPORT_HOSTS names no host"

    def open(self, url: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        raise ReportRefused("host", self.denial_reason(url) or "")
