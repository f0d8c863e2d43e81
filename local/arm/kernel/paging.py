"""Lists in pages, as ARM gives them: `value` and, while there is more, `nextLink`."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from local.arm.kernel.errors import ArmError
from local.arm.kernel.messages import Reply
from local.arm.kernel.routing import Request

PAGE = 100
"""Items on a page; ARM does not promise a number."""


def paged(request: Request, documents: Iterable[dict[str, Any]]) -> Reply:
    """One page of `documents`, which must come in the same order every time."""
    found = list(documents)
    token = request.query.get("$skiptoken", "0")
    if not token.isdigit():
        raise ArmError(400, "InvalidSkipToken", f"The skip token '{token}' is invalid.")
    start = int(token)
    body: dict[str, Any] = {"value": found[start : start + PAGE]}
    if start + PAGE < len(found):
        kept = {key: value for key, value in request.query.items() if key != "$skiptoken"}
        query = urlencode(kept | {"$skiptoken": str(start + PAGE)}, safe="$")
        body["nextLink"] = f"{request.base_url}{request.path}?{query}"
    return Reply(200, body)
