"""How HTTP requests are answered: JSON, and one form for everything that went wrong."""

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
    """An answer that is no success: status, a code for programs, and words for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def response(self) -> func.HttpResponse:
        """The answer itself."""
        return error_response(self.status, self.code, str(self))


def json_response(status_code: int, document: Any) -> func.HttpResponse:
    """A JSON document."""
    text = json.dumps(document, ensure_ascii=False)
    return func.HttpResponse(text, status_code=status_code, mimetype="application/json")


def error_response(status_code: int, code: str, message: str) -> func.HttpResponse:
    """``{"error": {"code", "message"}}``."""
    return json_response(status_code, {"error": {"code": code, "message": message}})


async def respond(answering: Awaitable[func.HttpResponse], *, include_details: bool) -> func.HttpResponse:
    """The answer, 503 for what passes or is being put right, or 500 for what is spoilt in the app's own storage.

    ``tell`` the reason to those who hold a key.
    """
    try:
        return await answering
    except HttpError as found:
        return found.response()
    except PolicyFaults as faults:
        reason = f":\n{faults}" if include_details else "; its faults stand in the app's log"
        return error_response(503, "policy_unusable", f"nothing is judged until the policy can be used{reason}")
    except CodecError as fault:
        # What the app itself keeps is spoilt; the timer lists the row in the log, and the others go on.
        log.exception("what is kept can't be read")
        return error_response(
            500, "unreadable", str(fault) if include_details else "what is kept of this version can't be read"
        )
    except PassingFault as fault:
        log.warning("not now: %s", fault)
        return error_response(503, "not_now", str(fault) if include_details else "try again")
