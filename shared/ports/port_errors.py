"""The faults that ports may raise. What each means for the stages stands in ``shared.ports``."""

from __future__ import annotations

from datetime import timedelta


class PassingFault(Exception):
    """The service can't do it now. ``retry_after`` is what the service asked for, if it did."""

    def __init__(self, text: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Throttled(PassingFault):
    """Too many requests (429)."""


class Unavailable(PassingFault):
    """No answer, a time-out, or a 5xx. The request may have taken effect all the same."""


class Conflict(PassingFault):
    """Another operation is under way on the same thing, or somebody else wrote the row first."""


class Refused(Exception):
    """The platform's final no to this request: its error code, message and HTTP status."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class ForeignTarget(Exception):
    """A write to something that the policy doesn't name, or a delete of something that isn't ours (laws 7 and 9)."""


class ReportRefused(Exception):
    """A report that is never taken, whoever asks again: ``code`` for programs, ``text`` for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
