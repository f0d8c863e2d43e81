"""A body that makes no sense is answered as ARM answers it, with an error of its own making, and never by a crash."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.arm.azure import COMPUTE, Azure, machine
from tests.contract.arm.tour import a_tour

GONE = object()
WRONG: tuple[Any, ...] = (GONE, 1, "x", [], {}, [None], [1], {"a": 1}, True)


def good_bodies() -> dict[str, tuple[str, str, Any]]:
    """A body for each writing operation, with method and path: from the tour through all of them."""
    found: dict[str, tuple[str, str, Any]] = {}
    for incoming, outcome in a_tour().exchanges:
        if incoming.body:
            found.setdefault(outcome.operation, (incoming.method, incoming.path, json.loads(incoming.body)))
    return found


BODIES = good_bodies()


def definitions_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, part in value.items():
            yield from definitions_of(part, (*path, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from definitions_of(part, (*path, index))


def spoiled(value: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    if not path:
        return wrong
    found = copy.deepcopy(value)
    parent = found
    for key in path[:-1]:
        parent = parent[key]
    if wrong is GONE:
        del parent[path[-1]]
    else:
        parent[path[-1]] = wrong
    return found


@pytest.fixture(scope="module")
def azure() -> Azure:
    """A version, and two machines to send things to."""
    made = Azure()
    made.build()
    for name in ("probe", "runs"):
        made.call("PUT", f"{COMPUTE}/virtualMachines/{name}", machine())
    made.advance(3600)
    return made


@pytest.mark.parametrize("operation", sorted(BODIES))
def test_a_wrong_part_anywhere_is_accepted_or_refused_but_breaks_nothing(azure: Azure, operation: str) -> None:
    method, path, body = BODIES[operation]
    for place in definitions_of(body):
        for wrong in WRONG:
            if wrong is GONE and not place:
                continue
            reply = azure.call(method, path, spoiled(body, place, wrong))
            assert reply.status != 429
            assert reply.status < 300 or reply.body["error"]["code"], (place, wrong)
            azure.advance(1800)  # what was accepted ends, well or badly; nobody is throttled
