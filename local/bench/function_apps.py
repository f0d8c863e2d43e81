"""Function apps for measurements: the product's app with a different host.json, and an empty app."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from local.stack.options import PROJECT_ROOT

EMPTY_APP: Final = """import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.function_name("ping")
@app.route(route="ping", methods=["GET"])
async def ping(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("pong")
"""


def linked_app(directory: Path, queues: Mapping[str, Any]) -> Path:
    """Create the product's app with different ``extensions.queues`` settings. Returns its folder."""
    directory.mkdir(parents=True)
    for name in ("function_app.py", "shared"):
        (directory / name).symlink_to(PROJECT_ROOT / name)
    host = json.loads((PROJECT_ROOT / "host.json").read_text(encoding="utf-8"))
    host["extensions"]["queues"] |= queues
    (directory / "host.json").write_text(json.dumps(host), encoding="utf-8")
    return directory


def empty_app(directory: Path) -> Path:
    """Create an app with one function that does nothing, with the product's host.json. Returns its folder."""
    directory.mkdir(parents=True)
    (directory / "function_app.py").write_text(EMPTY_APP, encoding="utf-8")
    (directory / "host.json").write_text((PROJECT_ROOT / "host.json").read_text(encoding="utf-8"), encoding="utf-8")
    return directory
