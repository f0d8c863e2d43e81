"""How faults of what the app itself keeps are answered."""

from __future__ import annotations

import json

import azure.functions as func
import pytest

from shared.codec import Malformed
from shared.triggers.http_responses import respond


async def spoilt() -> func.HttpResponse:
    raise Malformed("the ledger row of gal/x/1.0.0 does not match its format")


@pytest.mark.parametrize(("include_details", "told"), [(True, "does not match its format"), (False, "cannot be read")])
async def test_what_is_kept_and_spoilt_is_told_to_those_who_hold_a_key(include_details: bool, told: str) -> None:
    answer = await respond(spoilt(), include_details=include_details)
    error = json.loads(answer.get_body())["error"]
    assert (answer.status_code, error["code"]) == (500, "unreadable")
    assert told in error["message"]
    assert include_details or "gal/x" not in error["message"]
