"""From what an SDK raises to the faults that ports name.

============================  ==========================================================
429, 503                      ``Throttled``, with what ``Retry-After`` asks for
409, 412                      ``Conflict``
no answer, 408, other 5xx     ``Unavailable``: it may have taken effect all the same
any other status              ``StorageFault``, or what the caller gives as ``final``
============================  ==========================================================

Storage answers 503 ``ServerBusy`` where others say 429 (Storage, "Common REST API error codes"). A 403 of storage is no
verdict on any image: it is unforeseen, and escapes to the queue's retry.
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
    401: "check the identity or key that the app uses",
    403: "give the app's identity its data role on the account, and let the account's firewall admit it",
    404: "check the account's address",
}

type RefusalFactory = Callable[[str, str, int | None], Exception]
"""Makes the exception for a final no, of its code, its message and its HTTP status."""


class StorageConfigurationError(Exception):
    """Storage said no to something that it should do: the installation, or this program, is at fault."""


@contextlib.contextmanager
def translate_errors(what: str, refusal: RefusalFactory | None = None) -> Iterator[None]:
    """Raise the ports' faults instead of the SDK's, with ``what`` was being done in the text."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise port_error(error, what, refusal) from error
    except (TimeoutError, ConnectionError) as error:
        raise Unavailable(f"{what}: no answer ({type(error).__name__}); it may have been done all the same") from error


def port_error(error: Any, what: str, refusal: RefusalFactory | None = None) -> Exception:
    """The fault that an ``AzureError`` stands for."""
    error = _with_answer(error)
    status = getattr(error, "status_code", None)
    code = code_of(error)
    text = f"{what}: {_words(error)} ({code}{f', status {status}' if status else ''})"
    if status in {429, 503}:
        return Throttled(text, retry_after=retry_after(error))
    if status in {409, 412}:
        return Conflict(text)
    if status is None or status in {0, 408} or status >= 500:
        return Unavailable(text, retry_after=retry_after(error))
    if refusal is not None:
        return refusal(code, f"{what}: {_words(error)}", status)
    return StorageConfigurationError(f"{text}: {_ADVICE[status]}" if status in _ADVICE else text)


def code_of(error: Any) -> str:
    """The service's own code for the error, such as ``TableNotFound``; the exception's name when it gave none."""
    code = getattr(error, "error_code", None) or getattr(getattr(error, "error", None), "code", None)
    code = code or _headers(error).get("x-ms-error-code") or _said(error).get("code")
    return str(getattr(code, "value", code) or type(error).__name__)


def retry_after(error: Any) -> timedelta | None:
    """What the service asked for, in seconds or milliseconds; None when it asked for nothing that can be read."""
    headers = _headers(error)
    for name, unit in (("x-ms-retry-after-ms", 0.001), ("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = str(headers.get(name) or "").strip()
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text):
            return timedelta(seconds=float(text) * unit)
    return None


def _with_answer(error: Any) -> Any:
    """The error that has the service's answer: the Event Grid SDK wraps a 404 in one without (azure-eventgrid 4.22)."""
    cause = error.__cause__
    bare = getattr(error, "status_code", None) is None
    return cause if bare and getattr(cause, "status_code", None) is not None else error


def _headers(error: Any) -> Mapping[str, str]:
    return getattr(getattr(error, "response", None), "headers", None) or {}


def _said(error: Any) -> Mapping[str, Any]:
    """What a table's error body says. The SDK's ``create_entity`` leaves it unread (azure-data-tables 12.7)."""
    from azure.core.exceptions import AzureError

    try:
        body = json.loads(error.response.text())
    except (AttributeError, ValueError, AzureError):
        return {}
    said = body.get("odata.error") if isinstance(body, dict) else None
    return said if isinstance(said, dict) else {}


def _words(error: Any) -> str:
    said = _said(error).get("message")
    text = said.get("value") if isinstance(said, dict) else None
    # Only the first line: further lines of a storage error may show what was signed.
    lines = str(text or getattr(error, "message", None) or error).strip().splitlines()
    return _SECRET.sub(r"\1=…", lines[0][:_LONGEST_TEXT]) if lines else type(error).__name__
