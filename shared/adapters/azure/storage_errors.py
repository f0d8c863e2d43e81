"""Converts the exceptions of the storage and Event Grid SDKs into the errors of the ports.

============================  ==========================================================
429, 503                      ``Throttled``, with the delay in ``Retry-After``
409, 412                      ``Conflict``
no response, 408, other 5xx   ``Unavailable``: the request may have taken effect
any other status              ``StorageConfigurationError``, or what ``refusal`` creates
============================  ==========================================================

Azure Storage returns 503 ``ServerBusy`` instead of 429 (Azure REST API, "Common REST API error codes"). A 403 from
storage says nothing about an image: it is unexpected, and the queue retries the message.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from shared.ports import Conflict, Throttled, Unavailable

_SECRET = re.compile(r"(sig|signature|accountkey|sharedaccesssignature|code|key|token)=[^&;\s'\"]+", re.IGNORECASE)
_LONGEST_TEXT = 300
_ADVICE = {
    401: "check the identity or key of the app",
    403: "assign the app's identity a data role on the storage account, and allow the app in the account's firewall",
    404: "check the URL of the storage account",
}

type RefusalFactory = Callable[[str, str, int | None], Exception]
"""Creates the exception for a final refusal from its code, message and HTTP status."""


class StorageConfigurationError(Exception):
    """Storage refused an operation that the app requires. The cause is its configuration or a defect."""


@contextlib.contextmanager
def translate_errors(what: str, refusal: RefusalFactory | None = None) -> Iterator[None]:
    """Convert the SDK's exceptions that are raised inside the context.

    ``what`` describes the operation, for error messages.
    """
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise port_error(error, what, refusal) from error
    except (TimeoutError, ConnectionError) as error:
        raise Unavailable(
            f"{what}: no response ({type(error).__name__}); the operation may have taken effect"
        ) from error


def port_error(error: Any, what: str, refusal: RefusalFactory | None = None) -> Exception:
    """Return the port error for an ``AzureError``."""
    error = _with_response(error)
    status = getattr(error, "status_code", None)
    code = code_of(error)
    text = f"{what}: {_message(error)} ({code}{f', status {status}' if status else ''})"
    if status in {429, 503}:
        return Throttled(text, retry_after=retry_after(error))
    if status in {409, 412}:
        return Conflict(text)
    if status is None or status in {0, 408} or status >= 500:
        return Unavailable(text, retry_after=retry_after(error))
    if refusal is not None:
        return refusal(code, f"{what}: {_message(error)}", status)
    return StorageConfigurationError(f"{text}: {_ADVICE[status]}" if status in _ADVICE else text)


def code_of(error: Any) -> str:
    """The service's error code, such as ``TableNotFound``. The name of the exception when there is none."""
    code = getattr(error, "error_code", None) or getattr(getattr(error, "error", None), "code", None)
    code = code or _headers(error).get("x-ms-error-code") or _table_error(error).get("code")
    return str(getattr(code, "value", code) or type(error).__name__)


def retry_after(error: Any) -> timedelta | None:
    """The delay in the response headers. None when there is none, or it cannot be parsed."""
    headers = _headers(error)
    for name, unit in (("x-ms-retry-after-ms", 0.001), ("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = str(headers.get(name) or "").strip()
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text):
            return timedelta(seconds=float(text) * unit)
    return None


def _with_response(error: Any) -> Any:
    """The exception that has the response.

    The Event Grid SDK wraps a 404 in an exception without one (azure-eventgrid 4.22).
    """
    cause = error.__cause__
    bare = getattr(error, "status_code", None) is None
    return cause if bare and getattr(cause, "status_code", None) is not None else error


def _headers(error: Any) -> Mapping[str, str]:
    return getattr(getattr(error, "response", None), "headers", None) or {}


def _table_error(error: Any) -> Mapping[str, Any]:
    """The error in a table response. The SDK's ``create_entity`` does not parse it (azure-data-tables 12.7)."""
    from azure.core.exceptions import AzureError

    try:
        body = json.loads(error.response.text())
    except (AttributeError, ValueError, AzureError):
        return {}
    details = body.get("odata.error") if isinstance(body, dict) else None
    return details if isinstance(details, dict) else {}


def _message(error: Any) -> str:
    details = _table_error(error).get("message")
    text = details.get("value") if isinstance(details, dict) else None
    # Only the first line: other lines of a storage error may contain the signed content.
    lines = str(text or getattr(error, "message", None) or error).strip().splitlines()
    return _SECRET.sub(r"\1=…", lines[0][:_LONGEST_TEXT]) if lines else type(error).__name__
