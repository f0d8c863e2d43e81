"""The simulator without sockets, with a clock that a test turns."""

import json
from pathlib import Path
from typing import Any

from local.arm import world
from local.arm.kernel.clock import Clock
from local.arm.kernel.events import DeliveryPlan
from local.arm.kernel.messages import Incoming, Outcome, Reply
from local.arm.kernel.store import Store
from local.arm.resource_manager import ResourceManager
from tests.arm_api_versions import usual

SUBSCRIPTION = world.DEFAULT_SUBSCRIPTION
OTHER_SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images"
OTHER_GROUP = f"/subscriptions/{OTHER_SUBSCRIPTION}/resourceGroups/prod"
COMPUTE = f"{GROUP}/providers/Microsoft.Compute"
BASE = f"{COMPUTE}/images/base"
GALLERY = f"{COMPUTE}/galleries/builds"
DEFINITION = f"{GALLERY}/images/ubuntu"
VERSION = f"{DEFINITION}/versions/1.0.0"
PUNCTUAL = DeliveryPlan(duplicate=0, late=0, delay_seconds=0)


class Arm:
    """Sends requests to a kernel as a client with a good token would; `now` is the epoch, `advance` lets time pass."""

    def __init__(
        self, file: Path | None = None, *, seed: int = 1, now: float = 1_800_000_000.0, speed: float = 1
    ) -> None:
        self.now = now
        self.seed = seed
        self.speed = speed
        self.file = file
        self._open()
        if not len(self.store.table("subscription")):
            world.seed(self.kernel, _world())

    def _open(self) -> None:
        self.store = Store(self.file)
        clock = Clock(self.speed, read=lambda: self.now)
        self.kernel = ResourceManager(self.store, clock, self.seed, PUNCTUAL).kernel
        first = self.kernel.tokens.identities[0]
        self.token = self.kernel.tokens.issue(first, "https://arm", self.now, lifetime=10**9)[0]

    def reopen(self, *, orderly: bool = True) -> None:
        """Start again on the same file; `orderly=False` leaves the old one as a killed process would."""
        if orderly:
            self.store.close()
        self._open()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.now += seconds
        self.kernel.settle()

    def send(self, method: str, path: str, body: Any = None, *, api: str | None = None, **query: str) -> Outcome:
        """One request with everything that it left behind."""
        asked = {"api-version": api or usual(path)} | query
        return self.raw(method, path, body, asked, {"Authorization": f"Bearer {self.token}"})

    def raw(
        self, method: str, path: str, body: Any = None, query: dict[str, str] | None = None, headers: Any = None
    ) -> Outcome:
        """One request as given."""
        encoded = b"" if body is None else json.dumps(body).encode()
        return self.kernel.handle(Incoming(method, path, query or {}, headers or {}, encoded, "https://arm"))

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Reply:
        """One request's reply."""
        return self.send(method, path, body, **options).reply

    def error(self, method: str, path: str, body: Any = None, **options: Any) -> dict[str, Any]:
        """The error object of a request that must be refused; its status is added."""
        reply = self.call(method, path, body, **options)
        assert reply.status >= 400, reply
        return reply.body["error"] | {"status": reply.status}

    def document(self, path: str, **options: Any) -> dict[str, Any]:
        """What a GET answers."""
        reply = self.call("GET", path, **options)
        assert reply.status == 200, reply.body
        return reply.body

    def operation(self, reply: Reply) -> dict[str, Any]:
        """The state of the operation that a reply began."""
        path, _, query = reply.headers["Azure-AsyncOperation"].removeprefix("https://arm").partition("?")
        return self.raw(
            "GET",
            path,
            None,
            dict(part.split("=") for part in query.split("&")),
            {"Authorization": f"Bearer {self.token}"},
        ).reply.body

    def events(self) -> list[dict[str, Any]]:
        """The events that wait for a sink, in the order of their time."""
        return [event for _, event in self.kernel.events.due(self.now + 10**6)]

    def make_definition(self, **properties: Any) -> None:
        """The gallery and its definition, done."""
        identifier = {"publisher": "p", "offer": "o", "sku": "s"}
        base = {"osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V1", "identifier": identifier}
        assert self.call("PUT", GALLERY, {"location": "westeurope"}).status == 201
        given = {"location": "westeurope", "properties": base | properties}
        assert self.call("PUT", DEFINITION, given).status == 201
        self.advance(5)

    def make_version(self, path: str = VERSION, *regions: str, **options: Any) -> Reply:
        """A version of the base image, finished: an hour later."""
        reply = self.call("PUT", path, version_body(*regions, **options))
        assert reply.status == 201, reply.body
        self.advance(3 * 3600)
        return reply


def version_body(*regions: str, source: str = BASE, location: str = "westeurope", **profile: Any) -> dict[str, Any]:
    """The body of a version's PUT; the home region comes first by itself."""
    targets = [{"name": name} for name in (location, *regions)]
    return {
        "location": location,
        "properties": {
            "publishingProfile": {"targetRegions": targets, **profile},
            "storageProfile": {"source": {"id": source}},
        },
    }


def _world() -> dict[str, Any]:
    return {
        "subscriptions": [{"id": SUBSCRIPTION, "name": "Builds"}, {"id": OTHER_SUBSCRIPTION, "name": "Production"}],
        "resource_groups": [{"id": GROUP, "location": "westeurope"}, {"id": OTHER_GROUP, "location": "northeurope"}],
        "resources": [{"id": BASE, "location": "westeurope"}],
    }
