"""Manual runs (`POST /admin/functions/{name}`): converts the input for each type of trigger."""

import json
from datetime import UTC, datetime

from azure.storage.queue import QueueMessage

from local.host.admin import ManualRun
from local.host.functions import FunctionSpec
from local.host.host_clock import Clock
from local.host.invoker import Invoker, Result
from local.host.queue_message import trigger_metadata, trigger_value
from local.host.worker import Datum

_NEVER = datetime.max.replace(tzinfo=UTC)


def manual_run(invoker: Invoker, clock: Clock) -> ManualRun:
    """Return the function that runs a function once with a caller's input, outside its queue or schedule."""

    async def run(spec: FunctionSpec, text: str) -> Result:
        if spec.trigger.type == "eventGridTrigger":
            return await invoker.run(spec, Datum(text, "json"))
        if spec.trigger.type == "queueTrigger":
            value = trigger_value(text.encode())
            return await invoker.run(spec, value, trigger_metadata(_message(text, clock), value), dequeue_count=0)
        if spec.trigger.type == "timerTrigger":
            payload = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False}
            return await invoker.run(spec, Datum(json.dumps(payload), "json"))
        return await invoker.run(spec, _request(spec, text))

    return run


def _message(text: str, clock: Clock) -> QueueMessage:
    """As QueueTriggerBinding.cs takes a text for a message: no id, no receipt, received never, inserted now."""
    message = QueueMessage(content=text)
    message.dequeue_count = 0
    message.inserted_on, message.expires_on, message.next_visible_on = clock.now(), _NEVER, _NEVER
    return message


def _request(spec: FunctionSpec, text: str) -> Datum:
    nothing: dict[str, Datum] = {}
    fields = {
        "method": Datum("POST", "string"),
        "url": Datum(f"http://localhost/admin/functions/{spec.name}", "string"),
        "headers": {"content-type": Datum("application/json", "string")},
        "body": Datum(text.encode(), "bytes"),
        "params": nothing,
        "query": nothing,
    }
    return Datum(fields, "http")
