"""HTTP responses: JSON documents, and one format for all errors."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable
from typing import Any

import azure.functions as func

from shared.codec import CodecError
from shared.policy_file import PolicyFaults
from shared.ports import PassingFault

log = logging.getLogger("ringmaster.http")


class HttpError(Exception):
    """An error response: HTTP status, error code for programs, and message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def response(self) -> func.HttpResponse:
        """The response for this error."""
        return error_response(self.status, self.code, str(self))


def json_response(status_code: int, document: Any) -> func.HttpResponse:
    """A response with a JSON document."""
    text = json.dumps(document, ensure_ascii=False)
    return func.HttpResponse(text, status_code=status_code, mimetype="application/json")


def error_response(status_code: int, code: str, message: str) -> func.HttpResponse:
    """A response with ``{"error": {"code", "message"}}``."""
    return json_response(status_code, {"error": {"code": code, "message": message}})


async def respond(answering: Awaitable[func.HttpResponse], *, include_details: bool) -> func.HttpResponse:
    """Await a response and convert errors: 503 for transient errors and an invalid policy, 500 for stored data that
    cannot be read.

    ``include_details`` adds the cause to the message. Use it only for callers that have a key.
    """
    try:
        return await answering
    except HttpError as found:
        return found.response()
    except PolicyFaults as faults:
        reason = f":\n{faults}" if include_details else "; the app's log lists the errors"
        return error_response(503, "policy_unusable", f"releases are paused until a valid policy is deployed{reason}")
    except CodecError as fault:
        # Corrupt data of the app itself. The timer logs the row; other releases are not affected.
        log.exception("stored data cannot be decoded")
        return error_response(
            500, "unreadable", str(fault) if include_details else "the stored data of this version cannot be read"
        )
    except PassingFault as fault:
        log.warning("temporarily unavailable: %s", fault)
        return error_response(503, "not_now", str(fault) if include_details else "temporarily unavailable; try again")
