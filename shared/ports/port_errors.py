"""The errors that ports raise. ``shared.ports`` describes how the stages handle them."""

from __future__ import annotations

from datetime import timedelta


class PassingFault(Exception):
    """A transient error: the request may succeed later.

    ``retry_after`` is the delay that the service asked for, for example with ``Retry-After``; None when it asked for
    none.
    """

    def __init__(self, text: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Throttled(PassingFault):
    """The service limits the rate of requests (HTTP 429, or 503 from Azure Storage).

    Source: Microsoft Learn, "Understand how Azure Resource Manager throttles requests"; Azure Storage, "Common REST API
    error codes" (``ServerBusy``).
    """


class Unavailable(PassingFault):
    """No response, a timeout, or HTTP 408 or 5xx. The request may have taken effect."""


class Conflict(PassingFault):
    """Another operation on the same resource is in progress, or another instance changed the row first."""


class Refused(Exception):
    """Azure refused this request, and would refuse it again.

    ``code`` and ``message`` are Azure's error code and message, ``status`` the HTTP status if there was one.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class ForeignTarget(Exception):
    """A write to a gallery that the policy does not name, or a delete of a resource that Ringmaster did not create.

    It is a defect or a configuration error, and is never retried as a transient error. See law 7 (nothing is left
    behind) and law 9 (no unauthorised access).
    """


class ReportRefused(Exception):
    """A scan report that is never accepted, however often it is requested.

    ``code`` is a short identifier for programs, such as ``too-large``. ``text`` is the reason for people.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
