"""Converts ARM errors into the errors of the ports.

Rules by HTTP status and error code. Source of the codes: Microsoft Learn, "Understand common error messages when you
manage virtual machines".

* 429 is ``Throttled``, and so is ``OperationNotAllowed`` with the detail code ``TooManyRequests``. Compute uses this
  code for throttling, and the same code for quota and for invalid states, which are ``Refused``.
* 409 is ``Conflict`` only if the code or message says that another operation is in progress. ARM also returns 409 for
  requests that it never accepts (``PropertyChangeNotAllowed``, ``SkuNotAvailable``).
* 404 with an ARM error code means that the resource does not exist. Any other 404 comes from a proxy or gateway and is
  ``Unavailable``, like 408, 5xx, timeouts and responses that cannot be decoded.
* A failure to get a token is ``Unavailable`` (``arm.PortCredential``). A token that ARM rejects is ``Refused``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from json import JSONDecodeError
from typing import Any, Final

from azure.core.exceptions import AzureError, DecodeError, DeserializationError, HttpResponseError

from shared.ports import Conflict, PassingFault, Refused, Throttled, Unavailable

_THROTTLING: Final = re.compile(r"toomanyrequests|throttl|ratelimit", re.IGNORECASE)
_THROTTLING_MESSAGE: Final = re.compile(r"too many requests|request is being throttled", re.IGNORECASE)
_PASSING_CODES: Final = {
    "conflict",
    "anotheroperationinprogress",
    "operationpreempted",
    "preempted",
    "concurrentupdateerror",
    "conflictingconcurrentwritenotallowed",
    "retryableerror",
    "nicreservedforanothervm",
    "resourceisbusy",
    "resourceinuse",
}
_PASSING_MESSAGE: Final = re.compile(
    r"(is|are) (currently )?being (updated|created|modified|replicated)"
    r"|another (operation|update|request)"
    r"|(operation|update|request) .{0,60}\bin progress"
    r"|concurrent (request|update|operation)"
    r"|was preempted|has been preempted",
    re.IGNORECASE,
)
_FINAL_CODES: Final = {"propertychangenotallowed", "invalidparameter", "scopelocked", "missingsubscriptionregistration"}
_MESSAGE_DELAY: Final = re.compile(r"(?:try again|retry) after '?(\d{1,6})'? ?seconds", re.IGNORECASE)
_WHOLE: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_LONGEST_WAIT: Final = timedelta(days=7)
"""The maximum time for which a storage queue can hide a message."""
_LONGEST_MESSAGE: Final = 1500
_LONGEST_CODE: Final = 200


@contextmanager
def translate_arm_errors(what: str) -> Iterator[None]:
    """Convert the SDK's exceptions that are raised inside the context.

    ``what`` describes the operation, for error messages.
    """
    try:
        yield
    except AzureError as error:
        raise port_error(error, what) from error
    except (JSONDecodeError, UnicodeDecodeError, DeserializationError) as error:
        # For example an empty body: the SDK passes on exceptions of its parser and models (azure-mgmt-compute 39).
        raise Unavailable(f"{what}: ARM returned an invalid response ({type(error).__name__})") from error


def port_error(error: AzureError, what: str, *, now: datetime | None = None) -> PassingFault | Refused:
    """Return the port error for an SDK exception. ``now`` is needed only for a Retry-After in the form of a date."""
    if not isinstance(error, HttpResponseError) or error.response is None or isinstance(error, DecodeError):
        return Unavailable(f"{what}: no response from ARM ({type(error).__name__})")
    response: Any = error.response
    return error_from_response(error.status_code or 0, response.headers, _error_object(response), what, now=now)


def error_from_response(
    status: int, headers: Mapping[str, str], error: Mapping[str, Any], what: str, *, now: datetime | None = None
) -> PassingFault | Refused:
    """Return the port error for a response: its status, its headers and the ``error`` object of its body (or an empty
    object).
    """
    code = str(error.get("code") or "")[:_LONGEST_CODE]
    message = str(error.get("message") or "")[:_LONGEST_MESSAGE]
    text = f"{what}: HTTP {status} {code} {message}".rstrip()
    wait = retry_after(headers, now or datetime.now(UTC)) or _delay_in_message(message)
    if _is_throttling(status, code, message, error):
        return Throttled(text, retry_after=wait)
    if _is_unavailable(status, code):
        return Unavailable(text, retry_after=wait)
    if _is_conflict(status, code, message):
        return Conflict(text, retry_after=wait)
    if status in {401, 403}:
        return Refused(code or "AuthorizationFailed", message or f"{what}: not authorized", status)
    return Refused(code or f"Http{status}", message or what, status)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """The delay in ``Retry-After`` (seconds or an HTTP date) or its variants in milliseconds.

    None when there is none.
    """
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        value = headers.get(name)
        if value is not None and _WHOLE.fullmatch(value.strip()):
            return min(timedelta(milliseconds=int(value)), _LONGEST_WAIT)
    value = (headers.get("Retry-After") or "").strip()
    if _WHOLE.fullmatch(value):
        return min(timedelta(seconds=int(value)), _LONGEST_WAIT)
    try:
        when = parsedate_to_datetime(value)
        wait = (when if when.tzinfo else when.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(timedelta(0), wait), _LONGEST_WAIT)


def _error_object(response: Any) -> Mapping[str, Any]:
    """The ``error`` object of the response body. The SDK's own model of it drops ``innererror`` and unusual nesting."""
    try:
        body = response.json()
    except (ValueError, AzureError):
        return {}
    found = body.get("error", body) if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}


def _is_throttling(status: int, code: str, message: str, error: Mapping[str, Any]) -> bool:
    if status == 429:
        return True
    if status < 400 or code.lower() in _FINAL_CODES:
        return False
    inner = error.get("innererror")
    nested = [inner.get("internalErrorCode")] if isinstance(inner, dict) else []
    details = error.get("details")
    nested += [each.get("code") for each in details if isinstance(each, dict)] if isinstance(details, list) else []
    codes = [code, *(each for each in nested if isinstance(each, str))]
    return any(_THROTTLING.search(each) for each in codes) or bool(_THROTTLING_MESSAGE.search(message))


def _is_unavailable(status: int, code: str) -> bool:
    return status in {408, 0} or status >= 500 or (status == 404 and not code)


def _is_conflict(status: int, code: str, message: str) -> bool:
    if status == 412:
        return True
    if not 400 <= status < 500 or code.lower() in _FINAL_CODES:
        return False
    return (status == 409 and code.lower() in _PASSING_CODES) or bool(_PASSING_MESSAGE.search(message))


def _delay_in_message(message: str) -> timedelta | None:
    # The message of ResourceCollectionRequestsThrottled says "try after '120' seconds" (Azure/AgentBaker, e2e).
    found = _MESSAGE_DELAY.search(message) or re.search(r"try after '?(\d{1,6})'? ?seconds", message, re.IGNORECASE)
    return timedelta(seconds=int(found.group(1))) if found else None
