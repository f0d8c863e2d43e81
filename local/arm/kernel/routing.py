"""How a module says which requests it answers, and what its handlers are given and give back.

A module has one `routes = Routes()`. Its handlers are plain functions: they run one at a time and to their end, so a
handler may read and change the store without locks. Everything that takes time is a long-running operation.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from local.arm.kernel import ids
from local.arm.kernel.errors import ArmError, parent_not_found, resource_not_found
from local.arm.kernel.kernel import Hook, Kernel
from local.arm.kernel.messages import Reply, Route, RoutedRequest
from local.arm.kernel.operations import Operation
from local.arm.kernel.store import Resource


@dataclass(slots=True, kw_only=True)
class Request(RoutedRequest):
    """One request as a handler sees it.

    `operations` are those that it has begun, `injected_failure` is what the fault plan lets them end with. A handler
    sets `silent` where no event shall be published.
    """

    kernel: Kernel
    operations: list[Operation] = field(default_factory=list)
    injected_failure: ArmError | None = None
    silent: bool = False

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

    def begin(self, resource_id: str, **arguments: Any) -> Operation:
        """Start a long-running operation on a resource; see `Operations.begin` for the arguments."""
        begun = self.kernel.operations.begin(self, resource_id, injected=self.injected_failure, **arguments)
        self.operations.append(begun)
        return begun


type Handler = Callable[[Request], Reply]


class Routes:
    """What one module answers, and its hooks: functions that run when a time has come."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.handlers: dict[Route, Handler] = {}
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
            self.handlers[Route(method, segments, name, bucket, public, api_version)] = handler
            return handler

        return register

    def hook(self, name: str) -> Callable[[Hook], Hook]:
        """Register a function for `Schedule.at` or for an operation's `done`; names are unique over all modules."""

        def register(function: Hook) -> Hook:
            self.hooks[name] = function
            return function

        return register


class Router:
    """All routes with their handlers, found by the number of path segments or as an extension's; and all hooks."""

    def __init__(self, modules: Iterable[Routes]) -> None:
        """Take in the routes and hooks of all modules."""
        self._by_length: dict[int, list[Route]] = {}
        self._extensions: list[Route] = []
        self.handlers: dict[Route, Handler] = {}
        self.hooks: dict[str, Hook] = {}
        for routes in modules:
            self._add(routes)

    def _add(self, routes: Routes) -> None:
        """A hook's name that is taken is a mistake of the code."""
        self.handlers |= routes.handlers
        for route in routes.handlers:
            of_its_length = self._by_length.setdefault(len(route.segments), [])
            (self._extensions if route.is_extension else of_its_length).append(route)
        for name, hook in routes.hooks.items():
            if name in self.hooks:
                raise ValueError(f"two hooks are called {name!r}")
            self.hooks[name] = hook

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and its placeholders; 404 or 405 as ARM words them."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        methods: list[str] = []
        for route in (*self._by_length.get(len(parts), ()), *self._extensions):
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
