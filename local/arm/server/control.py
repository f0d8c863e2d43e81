"""The simulator's own endpoints below `/_sim/`: for tests, the demo and the curious. Loopback only, no token."""

import ipaddress
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from aiohttp import web

from local.arm import world
from local.arm.kernel.fault_injection import BadRule, read_rules
from local.arm.kernel.kernel import Kernel

type _Handler = Callable[[Kernel, web.Request], Awaitable[web.Response]]


def web_routes(kernel: Kernel) -> list[web.RouteDef]:
    """The routes for an aiohttp application."""

    def guard(handler: _Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def guarded(request: web.Request) -> web.Response:
            if not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback:
                raise web.HTTPForbidden(text="the control endpoints answer on loopback only")
            try:
                return await handler(kernel, request)
            except (BadRule, world.BadWorld) as fault:
                raise web.HTTPBadRequest(text=str(fault)) from fault

        return guarded

    return [
        web.get("/_sim/faults", guard(_get_faults)),
        web.post("/_sim/faults", guard(_set_faults)),
        web.get("/_sim/calls", guard(_calls)),
        web.get("/_sim/state", guard(_state)),
        web.get("/_sim/characters", guard(_get_characters)),
        web.post("/_sim/characters", guard(_set_characters)),
        web.post("/_sim/seed", guard(_seed)),
        web.post("/_sim/reset", guard(_reset)),
    ]


async def _body(request: web.Request) -> object:
    try:
        return await request.json()
    except ValueError as fault:
        raise web.HTTPBadRequest(text=f"the body is not JSON: {fault}") from fault


async def _get_faults(kernel: Kernel, request: web.Request) -> web.Response:
    return web.json_response({"rules": [asdict(rule) for rule in kernel.faults.rules]})


async def _set_faults(kernel: Kernel, request: web.Request) -> web.Response:
    given = await _body(request)
    rules = read_rules(given["rules"] if isinstance(given, dict) and "rules" in given else given)
    kernel.faults.replace(rules)
    kernel.store.commit()
    return web.json_response({"rules": len(rules)})


async def _calls(kernel: Kernel, request: web.Request) -> web.Response:
    """Counts per operation and status; with `?log=1` every call since `?since=<epoch>`."""
    since = float(request.query.get("since", "0"))
    calls = [call for call in kernel.calls if call.at >= since]
    found: dict[str, object] = {
        "total": len(calls),
        "operations": dict(Counter(call.operation or "?" for call in calls)),
        "statuses": dict(Counter(str(call.status) for call in calls)),
    }
    if request.query.get("log"):
        found["log"] = [asdict(call) for call in calls]
    return web.json_response(found)


async def _state(kernel: Kernel, request: web.Request) -> web.Response:
    """How many resources there are of each type, and their ids; events that wait; operations that run."""
    kernel.settle()
    found: dict[str, list[str]] = {}
    for resource in kernel.store:
        found.setdefault(resource.kind, []).append(resource.id)
    running = [key for key, one in kernel.store.table("operation").items() if one["status"] == "InProgress"]
    return web.json_response({"resources": found, "events_waiting": len(kernel.events.outbox), "operations": running})


async def _get_characters(kernel: Kernel, request: web.Request) -> web.Response:
    return web.json_response({one.id: one.sim["character"] for one in kernel.store if one.sim.get("character")})


async def _set_characters(kernel: Kernel, request: web.Request) -> web.Response:
    """Body: `{resource id: character}`; the resource must exist."""
    world.set_characters(kernel, await _body(request))
    kernel.store.commit()
    return web.json_response({})


async def _seed(kernel: Kernel, request: web.Request) -> web.Response:
    world.seed(kernel, await _body(request))
    return web.json_response({})


async def _reset(kernel: Kernel, request: web.Request) -> web.Response:
    """Forget all resources, operations, events and calls; identities and rules of faults stay."""
    world.reset(kernel)
    return web.json_response({})
