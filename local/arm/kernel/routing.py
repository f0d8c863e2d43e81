"""How a module says which requests it answers, and what its handlers are given and give back.

A module has one `routes = Routes()`. Its handlers are plain functions: they run one at a time and to their end, so a
handler may read and change the store without locks. Everything that takes time is a long-running operation.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from local.arm.kernel import ids
from local.arm.kernel.errors import ArmError, parent_not_found, resource_not_found
from local.arm.kernel.store import Resource

if TYPE_CHECKING:
    from local.arm.kernel.kernel import Kernel
    from local.arm.kernel.operations import Operation


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, from the token's claims."""

    app_id: str
    object_id: str
    tenant_id: str


@dataclass(slots=True)
class Reply:
    """What a handler answers. A dict or list becomes JSON; str and bytes go out as they are with `content_type`."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


@dataclass(slots=True)
class Request:
    """One request as a handler sees it.

    `params` holds the path's placeholders as the caller spelled them, `query` has lower-case keys, `now` is in seconds
    since the epoch. `base_url` is where the caller reached the simulator.
    """

    kernel: "Kernel"
    method: str
    path: str
    params: dict[str, str]
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any
    raw_body: bytes
    caller: Caller
    now: float
    base_url: str
    correlation_id: str
    route: "Route"
    operations: list["Operation"] = field(default_factory=list)
    injected_failure: ArmError | None = None
    silent: bool = False
    existed: bool = False

    @property
    def api_version(self) -> str:
        """The `api-version` of the query."""
        return self.query.get("api-version", "")

    @property
    def resource_id(self) -> str:
        """The path as a resource id in ARM's casing of fixed segments; for `…/list` paths and actions see `scope`."""
        return self.spelled(self.path)

    def spelled(self, path: str) -> str:
        """`path` with the fixed segments cased as in the route's template and the names as given."""
        given = path.strip("/").split("/")
        fixed = self.route.segments
        cased = [want if not want.startswith("{") else got for want, got in zip(fixed, given, strict=False)]
        return "/" + "/".join(cased)

    @property
    def scope(self) -> str:
        """The path up to its last segment: what a list lists, or what an action acts on."""
        return self.resource_id.rsplit("/", 1)[0]

    def require(self, resource_id: str | None = None) -> Resource:
        """The stored resource with this id (by default, of the path), or ARM's 404 for it or for its parent."""
        wanted = resource_id or self.resource_id
        found = self.kernel.store.get(wanted)
        if found is not None:
            return found
        parsed = ids.parse(wanted)
        if parsed is None:
            raise ArmError(404, "NotFound", f"The resource '{wanted}' could not be found.")
        self.require_parent(wanted)
        raise resource_not_found(parsed.kind, "/".join(parsed.names), parsed.group)

    def require_parent(self, resource_id: str | None = None) -> Resource | None:
        """The parent of a nested resource, or ARM's 404; None for a resource directly in its group."""
        parsed = ids.parse(resource_id or self.resource_id)
        parent = parsed.parent if parsed else None
        if parsed is None or parent is None:
            return None
        found = self.kernel.store.get(str(parent))
        if found is None:
            raise parent_not_found(parsed.kind, str(parent), "read" if self.method in ("GET", "HEAD") else "write")
        return found

    def begin(self, resource_id: str, **arguments: Any) -> "Operation":
        """Start a long-running operation on a resource; see `Operations.begin` for the arguments."""
        return self.kernel.operations.begin(self, resource_id, **arguments)


type Handler = Callable[[Request], Reply]
type Hook = Callable[["Kernel", dict[str, Any], float], None]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: a method and a path template with `{placeholders}`, all else of it compared without case."""

    method: str
    segments: tuple[str, ...]
    name: str
    handler: Handler
    bucket: str | None
    public: bool
    needs_api_version: bool

    def match(self, parts: list[str]) -> dict[str, str] | None:
        """The values of the placeholders, or None when the path is another one."""
        found: dict[str, str] = {}
        for want, got in zip(self.segments, parts, strict=True):
            if want.startswith("{"):
                found[want[1:-1]] = got
            elif want.lower() != got.lower():
                return None
        return found


class Routes:
    """What one module answers, and its hooks: functions that run when a time has come."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.routes: list[Route] = []
        self.hooks: dict[str, Hook] = {}

    def operation(
        self,
        method: str,
        template: str,
        *,
        name: str,
        bucket: str | None = None,
        public: bool = False,
        api_version: bool = True,
    ) -> Callable[[Handler], Handler]:
        """Register a handler.

        `name` is the operation's id in the OpenAPI (`GalleryImageVersions_Get`), `bucket` a throttling policy
        (`throttling.POLICIES`), `public` spares the token, `api_version` demands that query parameter.
        """
        segments = tuple(template.strip("/").split("/"))

        def register(handler: Handler) -> Handler:
            self.routes.append(Route(method, segments, name, handler, bucket, public, api_version))
            return handler

        return register

    def hook(self, name: str) -> Callable[[Hook], Hook]:
        """Register a function for `Schedule.at` or for an operation's `done`; names are unique over all modules."""

        def register(function: Hook) -> Hook:
            self.hooks[name] = function
            return function

        return register


class Router:
    """All routes, found by the number of path segments."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._by_length: dict[int, list[Route]] = {}
        self.hooks: dict[str, Hook] = {}

    def add(self, routes: Routes) -> None:
        """Take in a module's routes and hooks; a hook's name that is taken is a mistake of the code."""
        for route in routes.routes:
            self._by_length.setdefault(len(route.segments), []).append(route)
        for name, hook in routes.hooks.items():
            if name in self.hooks:
                raise ValueError(f"two hooks are called {name!r}")
            self.hooks[name] = hook

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and its placeholders; 404 or 405 as ARM words them."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        methods: list[str] = []
        for route in self._by_length.get(len(parts), ()):
            found = route.match(parts)
            if found is not None and route.method == method:
                return route, found
            if found is not None:
                methods.append(route.method)
        if methods:
            raise ArmError(405, "MethodNotAllowed", f"The requested resource does not support http method '{method}'.")
        raise _unknown(path)


def _unknown(path: str) -> ArmError:
    provider = re.search(r"/providers/([^/]+)/([^/]+)", path, re.IGNORECASE)
    if provider is None:
        return ArmError(404, "NotFound", f"No HTTP resource was found that matches the request URI '{path}'.")
    namespace, kind = provider.groups()
    return ArmError(
        404,
        "InvalidResourceType",
        f"The resource type '{kind}' could not be found in the namespace '{namespace}' for this api version, "
        "or the simulator does not know this operation on it.",
    )
