"""Requests, replies and what is told of them: plain values that know no other part of the simulator."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCOPE = "{scope}"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, from the token's claims."""

    app_id: str
    object_id: str
    tenant_id: str


@dataclass(slots=True)
class Incoming:
    """A request as it comes off the wire."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    base_url: str


@dataclass(slots=True)
class Reply:
    """What a handler answers. A dict or list becomes JSON; str and bytes go out as they are with `content_type`."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(slots=True)
class Outcome:
    """A reply, and what the fault plan wants done with it."""

    reply: Reply
    operation: str = ""
    caller: str = ""
    latency: float = 0
    drop_after: float | None = None
    fault: str | None = None
    code: str | None = None


@dataclass(slots=True)
class Call:
    """One answered (or dropped) request, for tests and figures. `seconds` is how long it took; `at` is the epoch."""

    at: float
    method: str
    operation: str
    path: str
    status: int
    seconds: float
    caller: str
    fault: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: a method and a path template with `{placeholders}`, all else of it compared without case.

    A template that begins with `{scope}` is one of an extension: the scope is any id, and what the template says
    follows it.
    """

    method: str
    segments: tuple[str, ...]
    name: str
    bucket: str | None
    public: bool
    needs_api_version: bool

    @property
    def is_extension(self) -> bool:
        """Whether it is one of an extension resource, whose scope has any length."""
        return self.segments[0] == SCOPE

    def match(self, parts: list[str]) -> dict[str, str] | None:
        """The values of the placeholders, or None when the path is another one."""
        found: dict[str, str] = {}
        if self.is_extension:
            head = max(len(parts) - len(self.segments) + 1, 0)
            found["scope"] = "/" + "/".join(parts[:head])
            parts = [SCOPE, *parts[head:]]
            if len(parts) != len(self.segments):
                return None
        for want, got in zip(self.segments, parts, strict=True):
            if want == SCOPE:
                continue
            if want.startswith("{"):
                found[want[1:-1]] = got
            elif want.lower() != got.lower():
                return None
        return found


@dataclass(slots=True, kw_only=True)
class RoutedRequest:
    """A request whose route, parameters, body and caller have been read.

    `params` holds the path's placeholders as the caller spelled them, `query` has lower-case keys, `now` is in seconds
    since the epoch. `base_url` is where the caller reached the simulator. `existed` says whether there was a resource
    under the path before the handler ran.
    """

    method: str
    path: str
    params: dict[str, str]
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any
    caller: Caller
    now: float
    base_url: str
    correlation_id: str
    route: Route
    existed: bool = False

    @property
    def api_version(self) -> str:
        """The `api-version` of the query."""
        return self.query.get("api-version", "")

    @property
    def resource_id(self) -> str:
        """The path as a resource id: fixed segments cased as in the route's template, names as given.

        For `…/list` paths and actions see `scope`.
        """
        given = self.path.strip("/").split("/")
        template = self.route.segments
        if self.route.is_extension:
            template = (*["{}"] * (len(given) - len(template) + 1), *template[1:])
        cased = [want if not want.startswith("{") else got for want, got in zip(template, given, strict=False)]
        return "/" + "/".join(cased)

    @property
    def scope(self) -> str:
        """The path up to its last segment: what a list lists, or what an action acts on."""
        return self.resource_id.rsplit("/", 1)[0]
