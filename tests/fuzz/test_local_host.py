"""The local host's Event Grid webhook: the answers of the real host to whatever is posted, and no fault of its own."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from local.host.eventgrid import EventGridWebhook
from local.host.functions import FunctionSpec, parse_function
from local.host.invoker import Result
from local.host.keys import EVENT_GRID_KEY, KeyStore
from local.host.worker import Datum
from tests.fuzz.budget import bounded, entrance
from tests.fuzz.mutation import damaged_bytes
from tests.fuzz.test_events import CLOUD, GRID, SCAN

KEYS = KeyStore(system={EVENT_GRID_KEY: "k"})
SPECS = [
    parse_function(name, name, [json.dumps({"name": "event", "type": "eventGridTrigger", "direction": "IN"})], {})
    for name in ("one", "two")
]
VALIDATION = {**GRID, "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "c"}}
QUOTED = {"data": json.dumps({"validationCode": "c"})}
BODIES = damaged_bytes([[GRID], [GRID, CLOUD, SCAN], CLOUD, [VALIDATION], VALIDATION, QUOTED])
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "aeg-event-type": st.sampled_from(["Notification", "SubscriptionValidation", "Unsubscribe", "x"]) | TEXT,
        "WebHook-Request-Origin": st.sampled_from(["eventgrid.azure.net", "evil.example"]) | TEXT,
    },
)


class Ran:
    """An invoker whose every second function fails."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    async def run(self, spec: FunctionSpec, value: Datum, metadata: dict[str, Datum]) -> Result:
        self.given.append(json.loads(str(value.value)))
        return Result(len(self.given) % 2 == 1, error="so")


@dataclass
class Request:
    """As much of a request as the webhook looks at."""

    method: str
    query: dict[str, str]
    headers: CIMultiDict[str]
    body: bytes

    async def read(self) -> bytes:
        return self.body


@entrance
@given(
    st.sampled_from(["POST", "POST", "POST", "OPTIONS", "GET"]),
    st.sampled_from(["one", "one", "two", "three", ""]),
    st.sampled_from(["k", "k", "k", None, "", "é"]) | TEXT,
    HEADERS,
    BODIES,
)
def test_a_call_is_answered_as_the_real_host_does(
    method: str, name: str, key: str | None, headers: dict[str, str], body: bytes
) -> None:
    ran = Ran()
    invoker: Any = ran

    request: Any = Request(method, {"functionName": name}, CIMultiDict(headers), body)
    with bounded(len(body)):
        answer = asyncio.run(EventGridWebhook(SPECS, invoker, KEYS).handle(request, key))
    assert answer.status in {200, 202, 400, 401, 404, 409, 500}
    if answer.status == 500:  # with a text some function failed; without one, nothing could be run
        assert len(ran.given) > 1 if answer.text else ran.given == []
    if key != "k":
        assert (answer.status, ran.given) == (401, [])


def test_a_tower_of_brackets_is_no_json() -> None:
    invoker: Any = Ran()
    headers = CIMultiDict({"aeg-event-type": "Notification"})
    request: Any = Request("POST", {"functionName": "one"}, headers, b"[" * 200_000)
    answer = asyncio.run(EventGridWebhook(SPECS, invoker, KEYS).handle(request, "k"))
    assert (answer.status, answer.text) == (500, None)
