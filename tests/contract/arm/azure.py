"""The simulator without sockets, on a clock that a test turns: a gallery, an image to publish and a network."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from local.arm import world
from local.arm.kernel.clock import Clock
from local.arm.kernel.events import DeliveryPlan
from local.arm.kernel.fault_injection import read_rules
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Incoming, Outcome, Reply
from local.arm.kernel.store import Store
from local.arm.resource_manager import ResourceManager
from tests.arm_api_versions import usual

SUBSCRIPTION: Final = world.DEFAULT_SUBSCRIPTION
GROUP: Final = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images"
COMPUTE: Final = f"{GROUP}/providers/Microsoft.Compute"
IMAGE: Final = f"{COMPUTE}/images/base"
GALLERY: Final = f"{COMPUTE}/galleries/golden"
DEFINITION: Final = f"{GALLERY}/images/ubuntu"
VERSION: Final = f"{DEFINITION}/versions/1.0.0"
NETWORK: Final = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/net"
MACHINE: Final = f"{COMPUTE}/virtualMachines/probe"
DAY: Final = 86400.0


@dataclass
class Azure:
    """The simulator without sockets, on a clock that a test turns; a gallery with a definition is there."""

    now: float = 1_800_000_000.0
    kernel: Kernel = field(init=False)
    hear: Callable[[Incoming, Outcome], None] = lambda _incoming, _outcome: None
    """Hears every exchange, as `ArmSimulator.on_exchange` does."""

    def __post_init__(self) -> None:
        manager = ResourceManager(Store(None), Clock(1, read=lambda: self.now), 1, DeliveryPlan(0, 0, 0))
        self.kernel = manager.kernel
        subnet = {"name": "tests", "properties": {"addressPrefix": "10.0.0.0/24"}}
        resources = [
            {"id": IMAGE},
            {"id": GALLERY},
            {"id": DEFINITION, "properties": {"hyperVGeneration": "V1"}},
            {"id": NETWORK, "properties": {"subnets": [subnet]}},
        ]
        world.seed(
            self.kernel,
            {
                "subscriptions": [{"id": SUBSCRIPTION}],
                "resource_groups": [{"id": GROUP, "location": "westeurope"}],
                "resources": [one | {"location": "westeurope"} for one in resources],
            },
        )
        first = self.kernel.tokens.identities[0]
        self.token = self.kernel.tokens.issue(first, "https://arm", self.now, lifetime=10**9)[0]

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Reply:
        headers = {"Authorization": f"Bearer {self.token}"}
        encoded = b"" if body is None else json.dumps(body).encode()
        asked = {"api-version": usual(path)} | query
        incoming = Incoming(method, path, asked, headers, encoded, "https://arm")
        outcome = self.kernel.handle(incoming)
        self.hear(incoming, outcome)
        return outcome.reply

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.kernel.settle()

    def befall(self, **rule: Any) -> None:
        self.kernel.faults.replace(read_rules([rule]))

    def character(self, text: str) -> None:
        world.set_characters(self.kernel, {IMAGE: text})

    def state(self, path: str = VERSION, **query: str) -> dict[str, Any]:
        reply = self.call("GET", path, **query)
        assert reply.status == 200, reply.body
        return reply.body["properties"]

    def build(self, *regions: str, seconds: float = DAY, **more: Any) -> Reply:
        """Publish a version and let time pass; answers what its operation says then."""
        begun = self.call("PUT", VERSION, version(*regions, **more))
        assert begun.status in (200, 201), begun.body
        self.advance(seconds)
        return self.ended(begun)

    def ended(self, begun: Reply) -> Reply:
        return self.call("GET", begun.headers["Azure-AsyncOperation"].removeprefix("https://arm").split("?")[0])

    def machine(self, *, seconds: float = 3600, **more: Any) -> Reply:
        begun = self.call("PUT", MACHINE, machine(**more))
        if begun.status >= 400:
            return begun
        self.advance(seconds)
        return self.ended(begun)


def version(*regions: str, source: str = IMAGE, home: str = "westeurope", **profile: Any) -> dict[str, Any]:
    targets = [{"name": name} for name in (home, *regions)]
    published = {"targetRegions": targets} | profile
    properties = {"publishingProfile": published, "storageProfile": {"source": {"id": source}}}
    return {"location": home, "properties": properties}


def machine(*, image: str = VERSION, region: str = "westeurope", profile: bool = True) -> dict[str, Any]:
    address = {"name": "ip", "properties": {"subnet": {"id": f"{NETWORK}/subnets/tests"}}}
    nic = {"name": "nic", "properties": {"primary": True, "ipConfigurations": [address]}}
    system = {"computerName": "probe", "adminUsername": "azureuser", "adminPassword": "Not-used-1234"}
    properties = {
        "hardwareProfile": {"vmSize": "Standard_DS1_v2"},
        "storageProfile": {"imageReference": {"id": image}},
        "networkProfile": {"networkApiVersion": "2022-11-01", "networkInterfaceConfigurations": [nic]},
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
    }
    return {"location": region, "properties": properties | ({"osProfile": system} if profile else {})}
