"""What the Azure adapter does with long and refused lists, scale sets by subscription, queries and addresses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from azure.core.pipeline.transport import AioHttpTransport

from local.certificates import ensure_ca
from shared.adapters.azure.arm import Arm
from shared.adapters.azure.health import AzureHealth
from shared.adapters.azure.log_query import LogQueries
from shared.adapters.common.fleet import MOST_PAGES, image_of
from shared.domain.health import HttpFacts, QueryFacts
from shared.ports import Throttled
from tests.contract.gallery_labs import HOME, SOURCE, SUBSCRIPTION, StaticCredential, arm_lab
from tests.contract.health_labs import BEFORE, GROUP, SCALE_SET, VERSION, ArmHealthLab, question
from tests.contract.report_server import serving
from tests.contract.test_report_source import here

HEALTHY = "HealthState/healthy"
CREDENTIAL = StaticCredential("token", 4_000_000_000)
WORKSPACE = "00000000-0000-4000-8000-0000000000aa"


@pytest.fixture
async def lab() -> AsyncIterator[ArmHealthLab]:
    async with arm_lab() as found:
        yield ArmHealthLab(found)


# --- fleets -----------------------------------------------------------------------------------------------------------


async def test_scale_sets_of_a_subscription_count_where_their_model_names_the_definition(lab: ArmHealthLab) -> None:
    lab.instances(VERSION, HEALTHY)
    other = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/other"
    model = {"virtualMachineProfile": {"storageProfile": {"imageReference": {"id": str(SOURCE) + "-2"}}}}
    lab.lab.sim.seed(
        {
            "resources": [
                {"id": other, "location": HOME, "properties": model, "sku": {"name": "Standard_D2s_v5", "capacity": 3}}
            ]
        }
    )
    asked = question(lab.clock.now, scale_sets=(), scale_set_subscriptions=(SUBSCRIPTION,), machine_subscriptions=())
    assert (await lab.health.fleet(asked)).instances.good == 1


async def test_a_list_that_is_longer_than_a_look_may_read_is_not_complete(lab: ArmHealthLab) -> None:
    for number in range(MOST_PAGES * 100 + 1):
        lab.machine(f"vm-{number:04}", VERSION, "Succeeded")
    found = await lab.health.fleet(question(lab.clock.now, scale_sets=()))
    assert (found.machines.good, len(found.incomplete)) == (MOST_PAGES * 100, 1)


async def test_a_rolling_upgrade_that_failed_is_named(lab: ArmHealthLab) -> None:
    lab.instances(VERSION, HEALTHY)
    store = lab.lab.sim.kernel.store
    found = store.get(SCALE_SET)
    assert found is not None
    found.properties["upgradePolicy"] = {"mode": "Rolling"}
    began = (lab.clock.now + timedelta(minutes=1)).isoformat()
    found.sim["rolling"] = {"properties": {"runningStatus": {"code": "Faulted", "startTime": began}}}
    store.put(found)
    assert (await lab.health.fleet(question(lab.clock.now))).failed_upgrades == ("the upgrade of web is Faulted",)


async def test_a_scale_set_without_a_rolling_upgrade_is_complete(lab: ArmHealthLab) -> None:
    lab.instances(VERSION, HEALTHY)
    store = lab.lab.sim.kernel.store
    found = store.get(SCALE_SET)
    assert found is not None
    found.properties["upgradePolicy"] = {"mode": "Rolling"}
    store.put(found)
    assert (await lab.health.fleet(question(lab.clock.now))).incomplete == ()


@pytest.mark.parametrize(
    ("image", "exact", "number"),
    [
        (str(VERSION), None, VERSION),
        (str(VERSION), "9.9.9", VERSION),
        (str(SOURCE), "1.0.1", VERSION),
        (f"{SOURCE}/versions/latest", "1.0.0", BEFORE),
        (str(SOURCE), None, None),
        ("/subscriptions/x/images/one", "1.0.1", None),
        (None, "1.0.1", None),
    ],
)
def test_a_reference_means_a_version_only_where_it_tells_which(
    image: str | None, exact: str | None, number: Any
) -> None:
    assert image_of(image, exact) == number


# --- queries ----------------------------------------------------------------------------------------------------------


@dataclass
class LogsDouble:
    """The query endpoint: ``POST /v1/workspaces/{id}/query`` (Azure Monitor Log Analytics REST API)."""

    status: int = 200
    answer: dict[str, Any] = field(default_factory=dict[str, Any])
    seen: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.path == f"/v1/workspaces/{WORKSPACE}/query"
        self.seen.append(json.loads(await request.read()))
        return web.json_response(self.answer, status=self.status, headers={"Retry-After": "7"})


def table(columns: list[str], *rows: list[Any]) -> dict[str, Any]:
    named = [{"name": name, "type": "real"} for name in columns]
    return {"tables": [{"name": "PrimaryResult", "columns": named, "rows": list(rows)}]}


@asynccontextmanager
async def logs(folder: Path, double: LogsDouble) -> AsyncIterator[LogQueries]:
    certificates = ensure_ca(folder)
    runner = web.ServerRunner(web.Server(double.respond, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates.server_context()).start()
    endpoint = f"https://localhost:{runner.addresses[0][1]}"

    def transport() -> AioHttpTransport:
        return AioHttpTransport(connection_verify=str(certificates.ca_file))

    queries = LogQueries(CREDENTIAL, endpoint=endpoint, transport=transport)
    try:
        yield queries
    finally:
        await queries.close()
        await runner.cleanup()


async def queried(folder: Path, double: LogsDouble, samples: str | None = "n") -> QueryFacts:
    async with logs(folder, double) as queries:
        return await queries.run(
            WORKSPACE, "errors | count", column="errors", samples=samples, period=timedelta(hours=1)
        )


async def test_the_first_row_has_the_number_and_its_samples(tmp_path: Path) -> None:
    double = LogsDouble(answer=table(["errors", "n"], [3.5, 40], [99, 1]))
    assert await queried(tmp_path, double) == QueryFacts(3.5, 40)
    assert [(each["query"], each["timespan"]) for each in double.seen] == [("errors | count", "PT3600.0S")]


@pytest.mark.parametrize("answer", [table(["errors", "n"]), table(["errors", "n"], [None, None]), {"tables": []}])
async def test_a_result_without_a_number_has_no_value(tmp_path: Path, answer: dict[str, Any]) -> None:
    assert await queried(tmp_path, LogsDouble(answer=answer)) == QueryFacts()


@pytest.mark.parametrize("value", ["NaN", "Infinity", True, "many"])
async def test_what_is_no_finite_number_is_no_value(tmp_path: Path, value: Any) -> None:
    assert (await queried(tmp_path, LogsDouble(answer=table(["errors", "n"], [value, 5])))).value is None


async def test_a_partial_result_proves_nothing(tmp_path: Path) -> None:
    error = {"code": "PartialError", "message": "There were some errors when processing your query."}
    double = LogsDouble(answer={**table(["errors", "n"], [0, 40]), "error": error})
    found = await queried(tmp_path, double)
    assert (found.value, str(found.incomplete).startswith("the result is not complete")) == (None, True)


async def test_a_column_that_is_not_there_is_told(tmp_path: Path) -> None:
    found = await queried(tmp_path, LogsDouble(answer=table(["errors"], [1])))
    assert found.incomplete == "the result has no column n"


async def test_a_refused_query_is_told_and_never_healthy(tmp_path: Path) -> None:
    error = {"error": {"code": "BadArgumentError", "message": "The request had some invalid properties"}}
    found = await queried(tmp_path, LogsDouble(400, error))
    assert "the query was refused: BadArgumentError" in str(found.incomplete)


async def test_throttling_passes_and_is_not_waited_out_in_place(tmp_path: Path) -> None:
    double = LogsDouble(429, {"error": {"code": "ThrottledError", "message": "too many"}})
    with pytest.raises(Throttled) as caught:
        await queried(tmp_path, double)
    assert (caught.value.retry_after, len(double.seen)) == (timedelta(seconds=7), 1)


# --- addresses --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def site(folder: Path, **options: Any) -> AsyncIterator[tuple[Any, Callable[[str], Any]]]:
    async with serving(folder) as (server, certificates):
        checks = {"address_check": here, "tls": certificates.client_context()} | options
        health = AzureHealth(Arm(CREDENTIAL), LogQueries(CREDENTIAL), **checks)
        yield server, lambda path: health.check(server.url(path), contains="ok")


async def test_an_address_that_answers_with_the_text_is_healthy(tmp_path: Path) -> None:
    async with site(tmp_path) as (server, check):
        server.bodies["/health"] = b"all ok"
        assert await check("/health") == HttpFacts()


async def test_another_text_or_status_fails(tmp_path: Path) -> None:
    async with site(tmp_path) as (server, check):
        server.bodies["/health"] = b"degraded"
        server.statuses |= {"/broken": 500, "/gone": 404}
        found = [await check(path) for path in ("/health", "/broken", "/gone")]
        assert [each.failure is not None for each in found] == [True] * 3


async def test_a_redirect_to_another_host_is_not_followed_and_says_nothing(tmp_path: Path) -> None:
    async with site(tmp_path) as (server, check):
        server.redirects["/health"] = "https://169.254.169.254/metadata"
        found = await check("/health")
        assert (found.failure, "redirects" in str(found.incomplete)) == (None, True)


async def test_a_private_address_is_not_asked(tmp_path: Path) -> None:
    async with site(tmp_path, address_check=lambda _: "it is private") as (server, check):
        found = await check("/health")
        assert (found.failure, server.seen) == (None, [])
        assert "an address that is not allowed" in str(found.incomplete)
