"""Manual runs (`POST /admin/functions/{name}`): converts the input for each type of trigger."""

import json
from datetime import timedelta

from azure.storage.queue import QueueMessage

from local.host.admin import ManualRun
from local.host.eventgrid import EventGridWebhook
from local.host.functions import FunctionSpec
from local.host.host_clock import Clock
from local.host.invoker import Invoker, Result
from local.host.queue_message import trigger_metadata, trigger_value
from local.host.worker import Datum

_WEEK = timedelta(days=7)


def manual_run(invoker: Invoker, webhook: EventGridWebhook, clock: Clock) -> ManualRun:
    """Return the function that runs a function once with a caller's input, outside its queue or schedule."""

    async def run(spec: FunctionSpec, text: str) -> Result:
        if spec.trigger.type == "eventGridTrigger":
            return await webhook.dispatch(spec, json.loads(text))
        if spec.trigger.type == "queueTrigger":
            value = trigger_value(text.encode())
            return await invoker.run(spec, value, trigger_metadata(_message(text, clock), value), dequeue_count=1)
        if spec.trigger.type == "timerTrigger":
            payload = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False}
            return await invoker.run(spec, Datum(json.dumps(payload), "json"))
        return await invoker.run(spec, _request(spec, text))

    return run


def _message(text: str, clock: Clock) -> QueueMessage:
    now = clock.now()
    message = QueueMessage(content=text)
    message.id, message.pop_receipt, message.dequeue_count = "manual", "manual", 1
    message.inserted_on, message.expires_on, message.next_visible_on = now, now + _WEEK, now
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
