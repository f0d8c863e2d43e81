"""A simulator with a gallery, a network and a client of Azure's own SDK."""

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from azure.core.credentials import AccessToken
from azure.mgmt.compute.aio import ComputeManagementClient

from local.arm.kernel.clock import Clock
from local.arm.kernel.store import Resource
from local.arm.server.simulator import ArmSimulator
from local.arm.world import DEFAULT_SUBSCRIPTION

SUBSCRIPTION = f"/subscriptions/{DEFAULT_SUBSCRIPTION}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/boot-tests"
SPEED = 1200.0


class StaticToken:
    """A credential that always has the same token."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self._token, int(time.time()) + 3600)

    async def close(self) -> None:
        return

    async def __aenter__(self) -> "StaticToken":
        return self

    async def __aexit__(self, *_: object) -> None:
        return


class Watch:
    """The time of day, which a test may hold: a busy machine must not decide what is seen first."""

    def __init__(self) -> None:
        self._held: float | None = None

    def __call__(self) -> float:
        return time.time() if self._held is None else self._held

    def hold(self) -> None:
        self._held = self()

    def advance(self, seconds: float) -> None:
        """Let this much of the held time pass. The simulator's own is ``SPEED`` times as much."""
        assert self._held is not None
        self._held += seconds


@pytest.fixture
def watch() -> Watch:
    """What the simulator reads the time from."""
    return Watch()


@pytest.fixture
async def simulator(watch: Watch) -> AsyncIterator[ArmSimulator]:
    """A running simulator with a resource group and a network in West Europe and one in North Europe."""
    async with ArmSimulator(speed=SPEED, clock=Clock(SPEED, read=watch)) as running:
        running.seed(
            {
                "resource_groups": [{"id": GROUP, "location": "westeurope"}],
                "resources": [
                    {
                        "id": f"{GROUP}/providers/Microsoft.Network/virtualNetworks/vnet-{region}",
                        "location": region,
                        "properties": {"subnets": [{"name": "tests", "properties": {"addressPrefix": "10.0.0.0/24"}}]},
                    }
                    for region in ("westeurope", "northeurope")
                ],
            }
        )
        yield running


@pytest.fixture
async def compute(simulator: ArmSimulator) -> AsyncIterator[ComputeManagementClient]:
    """Azure's asynchronous SDK, without waiting of its own."""
    async with ComputeManagementClient(
        StaticToken(simulator.token()),  # type: ignore[arg-type]
        DEFAULT_SUBSCRIPTION,
        base_url=simulator.url,
        credential_scopes=[f"{simulator.url}/.default"],
        connection_verify=str(simulator.ca_file),
        retry_total=0,
        polling_interval=0.1,
    ) as client:
        yield client


@pytest.fixture
async def http(simulator: ArmSimulator) -> AsyncIterator[Callable[..., Any]]:
    """A bare HTTP call: `status, headers, body = await http(method, path or address, json=…)`."""
    headers = {"Authorization": f"Bearer {simulator.token()}"}
    context = __import__("ssl").create_default_context(cafile=str(simulator.ca_file))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:

        async def call(method: str, path: str, **more: Any) -> tuple[int, dict[str, str], bytes]:
            signed = "_blob" in path
            address = path if path.startswith("https://") else simulator.url + path
            sent = more.pop("headers", {}) | ({} if signed else headers)
            async with session.request(method, address, headers=sent, **more) as answer:
                return answer.status, dict(answer.headers), await answer.read()

        yield call


@pytest.fixture
def image(simulator: ArmSimulator) -> Callable[..., str]:
    """Put a replicated gallery version there: `image(character)` answers its id."""

    def make(
        character: str = "clean", *, number: str = "1.0.0", regions: tuple[str, ...] = ("westeurope",), **facts: Any
    ) -> str:
        name = character.replace(":", "-")
        gallery = f"{GROUP}/providers/Microsoft.Compute/galleries/golden"
        definition = f"{gallery}/images/{name}"
        features = {
            "osType": "Linux",
            "osState": "Generalized",
            "hyperVGeneration": "V2",
            "architecture": "x64",
        } | facts
        _put(simulator, gallery, "Microsoft.Compute/galleries", {})
        _put(simulator, definition, "Microsoft.Compute/galleries/images", features)
        version = f"{definition}/versions/{number}"
        done = {"begun_at": 0, "done_at": 0, "settled_at": 0, "fails": None}
        properties = {
            "storageProfile": {"osDiskImage": {"sizeInGB": 30}, "dataDiskImages": facts.get("data", [])},
            "publishingProfile": {"targetRegions": [{"name": region} for region in regions]},
        }
        sim = {"character": character, "regions": {region: dict(done) for region in regions}}
        _put(simulator, version, "Microsoft.Compute/galleries/images/versions", properties, sim)
        return version

    return make


def _put(
    simulator: ArmSimulator, key: str, kind: str, properties: dict[str, Any], sim: dict[str, Any] | None = None
) -> None:
    document = {"id": key, "name": key.rsplit("/", 1)[1], "type": kind, "location": "westeurope", "tags": {}}
    simulator.store.put(Resource(document | {"properties": properties | {"provisioningState": "Succeeded"}}, sim or {}))


@pytest.fixture
def model() -> Callable[..., dict[str, Any]]:
    """The body of a machine with an inline NIC; everything goes with it unless told otherwise."""

    def make(image_id: str, *, region: str = "westeurope", option: str = "Delete", **more: Any) -> dict[str, Any]:
        subnet = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/vnet-{region}/subnets/tests"
        address = {"name": "ip", "properties": {"subnet": {"id": subnet}}}
        nic = {
            "name": "nic",
            "properties": {"primary": True, "deleteOption": option, "ipConfigurations": [address]},
        }
        properties = {
            "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
            "storageProfile": {
                "imageReference": {"id": image_id},
                "osDisk": {"createOption": "FromImage", "deleteOption": option},
            },
            "osProfile": {"computerName": "probe-1", "adminUsername": "azureuser", "adminPassword": "Not-used-1234"},
            "networkProfile": {"networkApiVersion": "2022-11-01", "networkInterfaceConfigurations": [nic]},
            "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
        }
        merged = {key: value for key, value in (properties | more).items() if value is not None}
        return {"location": region, "tags": {"purpose": "boot-test"}, "properties": merged}

    return make
