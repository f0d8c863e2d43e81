"""Which function answers a request is decided by its route, never by its name: no two routes overlap.

The Functions host tries overlapping routes in the order of the functions' names (`local/host/routes.py`), so renaming
one would change what another answers.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.host.config import load_host_config
from local.host.functions import FunctionSpec, parse_function
from local.host.http_server import load_routes

ROOT = Path(__file__).resolve().parents[3]
INDEX = """
import asyncio, json, pathlib
from local.host.worker import Worker
functions = asyncio.run(Worker(pathlib.Path.cwd()).start())
print(json.dumps({each.name: each.raw_bindings for each in functions}))
"""


@pytest.fixture(scope="module")
def functions() -> list[FunctionSpec]:
    """The app's functions as the worker library indexes them, in a process of their own."""
    settings = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
    env = {"PATH": os.environ["PATH"], **settings}
    run = subprocess.run([sys.executable, "-c", INDEX], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return [parse_function(name, name, raw, settings) for name, raw in json.loads(run.stdout).items()]


def test_no_two_routes_of_the_app_overlap(functions: list[FunctionSpec]) -> None:
    routes, _ = load_routes(functions, load_host_config(ROOT).http.route_prefix)
    assert len(routes.entries) == sum(spec.trigger.type == "httpTrigger" for spec in functions)
    assert routes.overlapping() == []


def test_the_host_can_load_every_function_of_the_app(functions: list[FunctionSpec]) -> None:
    _, faults = load_routes(functions, load_host_config(ROOT).http.route_prefix)
    assert faults == {}
