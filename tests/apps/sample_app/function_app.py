"""A function app with one function for each thing that the local host does; its tests drive it.

`seen` is what tests in the same process look at: tuples of (function, fact ...).
"""

import asyncio
import json
import logging
import os
import time
from typing import Any

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

seen: list[tuple[Any, ...]] = []


@app.route("open/{name}", auth_level=func.AuthLevel.ANONYMOUS, methods=["GET", "POST"])
async def anonymous(req: func.HttpRequest) -> func.HttpResponse:
    logging.info("greeting %s", req.route_params["name"])
    facts = {
        "name": req.route_params["name"],
        "method": req.method,
        "query": dict(req.params),
        "header": req.headers.get("X-Probe"),
        "body": req.get_body().decode(),
    }
    return func.HttpResponse(
        json.dumps(facts), mimetype="application/json", headers={"X-Answer": "yes", "Set-Cookie": "a=b; Path=/"}
    )


@app.route("guarded", methods=["GET"])
def guarded(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("in")


@app.route("master", auth_level=func.AuthLevel.ADMIN)
def master(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("in")


@app.route("scans/{format}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def by_format(req: func.HttpRequest) -> str:
    return f"format {req.route_params['format']}"


@app.route("scans/{id:int}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def by_id(req: func.HttpRequest) -> str:
    return f"id {req.route_params['id']}"


@app.route("files/{*rest}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def by_rest(req: func.HttpRequest) -> str:
    return f"rest {req.route_params.get('rest', '')}"


@app.route("broken", auth_level=func.AuthLevel.ANONYMOUS)
async def broken(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("a secret detail")


@app.route("slow", auth_level=func.AuthLevel.ANONYMOUS)
async def slow(req: func.HttpRequest) -> func.HttpResponse:
    await asyncio.sleep(float(req.params.get("seconds", "60")))
    return func.HttpResponse("done")


@app.route("enqueue/{text}", auth_level=func.AuthLevel.ANONYMOUS)
@app.queue_output(arg_name="out", queue_name="%WORK_QUEUE%", connection="AzureWebJobsStorage")
async def enqueue(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    out.set(json.dumps({"text": req.route_params["text"], "body": req.get_body().decode()}))
    return func.HttpResponse(status_code=202)


@app.queue_trigger(arg_name="msg", queue_name="%WORK_QUEUE%", connection="AzureWebJobsStorage")
async def work(msg: func.QueueMessage) -> None:
    body = msg.get_body().decode()
    seen.append(
        (
            "work",
            body,
            msg.id,
            msg.dequeue_count,
            msg.insertion_time,
            msg.expiration_time,
            msg.time_next_visible,
            msg.pop_receipt,
        )
    )
    if "sleep" in body:
        await asyncio.sleep(float(json.loads(body)["sleep"]))
    if "fail" in body:
        raise RuntimeError(f"asked to fail: {body}")


@app.queue_trigger(arg_name="msg", queue_name="%WORK_QUEUE%-poison", connection="AzureWebJobsStorage")
async def work_poison(msg: func.QueueMessage) -> None:
    body = msg.get_body()
    seen.append(("work_poison", body, msg.dequeue_count))
    if b"stay" in body:
        raise RuntimeError("asked to fail in the poison queue")


@app.queue_trigger(arg_name="msg", queue_name="blocking", connection="AzureWebJobsStorage")
def blocking(msg: func.QueueMessage) -> None:
    time.sleep(float(msg.get_body()))
    seen.append(("blocking", msg.get_body().decode()))


@app.event_grid_trigger(arg_name="event")
async def either_schema(event) -> None:
    await _event("either_schema", event)


@app.event_grid_trigger(arg_name="event", bindingType="EventGridEvent")
async def grid_event(event: func.EventGridEvent) -> None:
    await _event("grid_event", event)


@app.event_grid_trigger(arg_name="event", bindingType="CloudEvent")
async def cloud_event(event: func.CloudEvent) -> None:
    await _event("cloud_event", event)


@app.event_grid_trigger(arg_name="event")
@app.queue_output(arg_name="$return", queue_name="%WORK_QUEUE%", connection="AzureWebJobsStorage")
async def fan_out(event: func.EventGridEvent):
    return [f"{event.id}-{number}" for number in range(2)]


async def _event(name: str, event: Any) -> None:
    seen.append((name, event.id, type(event).__name__, event.get_json()))
    if (event.get_json() or {}).get("fail"):
        raise RuntimeError("asked to fail")


@app.schedule(schedule="%TICK_SCHEDULE%", arg_name="timer")
async def tick(timer: func.TimerRequest) -> None:
    seen.append(("tick", timer.past_due))


@app.schedule(schedule="0 0 0 1 1 *", arg_name="timer", run_on_startup=True, use_monitor=False)
def at_start(timer: func.TimerRequest) -> None:
    seen.append(("at_start", timer.past_due, os.environ.get("WORK_QUEUE")))
