"""What can be asked about resources as a whole: the activity log, Resource Graph, SKUs and usages."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.local.arm.arm_driver import (
    BASE,
    DEFINITION,
    GALLERY,
    OTHER_SUBSCRIPTION,
    SUBSCRIPTION,
    VERSION,
    Arm,
)
from tests.unit.local.arm.machine_driver import MACHINE, ended, image, machine, with_network

ALL = f"/subscriptions/{SUBSCRIPTION}"
LOG = f"{ALL}/providers/Microsoft.Insights/eventtypes/management/values"
GRAPH = "/providers/Microsoft.ResourceGraph/resources"


def since(arm: Arm, seconds: float = 86400, more: str = "") -> dict[str, str]:
    start = f"{datetime.fromtimestamp(arm.now - seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {"$filter": f"eventTimestamp ge '{start}'{more}"}


def test_what_was_done_is_in_the_activity_log_some_minutes_later(gallery_arm: Arm) -> None:
    gallery_arm.advance(3600)
    gallery_arm.call("PATCH", GALLERY, {"tags": {"a": "b"}})
    gallery_arm.advance(60)
    before = gallery_arm.document(LOG, **since(gallery_arm))["value"]
    gallery_arm.advance(1200)
    after = gallery_arm.document(LOG, **since(gallery_arm))["value"]
    assert len(after) == len(before) + 1
    entry = after[0]
    assert (entry["resourceId"], entry["operationName"]["value"]) == (GALLERY, "Microsoft.Compute/galleries/write")
    assert (entry["status"]["value"], entry["resourceType"]["value"]) == ("Succeeded", "Microsoft.Compute/galleries")
    assert entry["caller"] == gallery_arm.kernel.tokens.identities[0].client_id
    assert entry["eventTimestamp"] < entry["submissionTimestamp"]


def test_the_log_is_filtered_and_cut_to_the_members_that_are_wanted(gallery_arm: Arm) -> None:
    gallery_arm.advance(3600)
    query = since(gallery_arm, more=f" and resourceUri eq '{DEFINITION.upper()}'") | {"$select": "resourceId,status"}
    (entry,) = gallery_arm.document(LOG, **query)["value"]
    assert set(entry) == {"resourceId", "status"}
    assert gallery_arm.document(LOG, **since(gallery_arm, more=" and resourceGroupName eq 'none'"))["value"] == []
    other = LOG.replace(SUBSCRIPTION, OTHER_SUBSCRIPTION)
    assert gallery_arm.document(other, **since(gallery_arm))["value"] == []


def test_the_log_wants_a_start_within_ninety_days(arm: Arm) -> None:
    assert "is required" in arm.error("GET", LOG)["message"] or arm.error("GET", LOG)["status"] == 400
    assert "90 days" in arm.error("GET", LOG, **since(arm, 91 * 86400))["message"]
    assert arm.error("GET", LOG, **since(arm, more=" and moon eq 'x'"))["status"] == 400


def ask(arm: Arm, query: str, **more: Any) -> Any:
    reply = arm.call("POST", GRAPH, {"query": query, "subscriptions": [SUBSCRIPTION]} | more)
    assert reply.status == 200, reply.body
    return reply.body


@pytest.fixture
def graph(gallery_arm: Arm) -> Arm:
    """A gallery with three versions."""
    for name in ("1.0.0", "1.1.0", "2.0.0"):
        gallery_arm.make_version(f"{DEFINITION}/versions/{name}")
    gallery_arm.call("PATCH", VERSION, {"tags": {"Team": "images"}})
    gallery_arm.advance(3600)
    return gallery_arm


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("Resources | where type =~ 'Microsoft.Compute/IMAGES' | project name", [{"name": "base"}]),
        (
            "resources | where type == 'microsoft.compute/galleries' | project id, g = toupper(name)",
            [{"id": GALLERY, "g": "BUILDS"}],
        ),
        (
            "Resources | where type endswith 'versions' | order by name desc | take 1 | project name",
            [{"name": "2.0.0"}],
        ),
        ("Resources | where tags.team =~ 'IMAGES' or tags['none'] != '' | project name", [{"name": "1.0.0"}]),
        ("Resources | where isnotempty(tags.Team) and not(name contains 'moon') | project name", [{"name": "1.0.0"}]),
        (
            "Resources | where name in ('base', 'x') | project name, properties.hyperVGeneration",
            [{"name": "base", "properties_hyperVGeneration": "V1"}],
        ),
        ("Resources | where name !in~ ('BASE') and type !has 'galleries' | count", [{"Count": 0}]),
        (
            "Resources | where type has 'galleries' | summarize count() by type | project count_",
            [{"count_": 1}, {"count_": 1}, {"count_": 3}],
        ),
        ("Resources | summarize n = count()", [{"n": 6}]),
        ("Resources | distinct location", [{"location": "westeurope"}]),
        (
            "Resources | where properties.publishingProfile.targetRegions[0].name == 'West Europe' and name "
            "startswith '1.1' | project name",
            [{"name": "1.1.0"}],
        ),
        (
            "Resources | where array_length(properties.publishingProfile.targetRegions) >= 1 | extend n = "
            "strcat(name, '!') | project n | limit 1",
            [{"n": "1.0.0!"}],
        ),
        ("ResourceContainers | where type == 'microsoft.resources/subscriptions' | project name", [{"name": "Builds"}]),
        ("resourcecontainers | where type endswith 'resourcegroups' | project name // a note\n", [{"name": "images"}]),
    ],
)
def test_queries_are_answered(graph: Arm, query: str, rows: list[dict[str, Any]]) -> None:
    assert ask(graph, query)["data"] == rows


def test_all_subscriptions_are_asked_where_none_is_named(graph: Arm) -> None:
    query = "resourcecontainers | where type == 'microsoft.resources/subscriptions' | project name"
    assert len(graph.call("POST", GRAPH, {"query": query}).body["data"]) == 2


def test_a_long_result_comes_in_pages(graph: Arm) -> None:
    query = "Resources | where type endswith 'versions' | project id"
    first = ask(graph, query, options={"$top": 2})
    assert (first["totalRecords"], first["count"], first["resultTruncated"]) == (3, 2, "false")
    rest = ask(graph, query, options={"$top": 2, "$skipToken": first["$skipToken"]})
    assert (rest["count"], "$skipToken" in rest) == (1, False)
    cut = ask(graph, query.replace("project id", "project name"), options={"$top": 2})
    assert (cut["resultTruncated"], "$skipToken" in cut) == ("true", False)


def test_a_table_is_answered_where_one_is_wanted(graph: Arm) -> None:
    found = ask(graph, "Resources | where name == 'base' | project id, name", options={"resultFormat": "table"})
    assert found["data"]["rows"] == [[BASE, "base"]]
    assert [one["name"] for one in found["data"]["columns"]] == ["id", "name"]


@pytest.mark.parametrize(
    "query",
    [
        "SecurityResources | take 1",
        "Resources | join Other on id",
        "Resources | where",
        "Resources | where name ==",
        "Resources | where moon(name) == 1",
        "Resources where name == 'x'",
        "Resources | where name == 'x",
        "Resources | summarize max(name)",
        "Resources | take x",
        "Resources | mv-expand properties",
        "",
    ],
)
def test_what_is_not_known_is_refused(graph: Arm, query: str) -> None:
    error = graph.error("POST", GRAPH, {"query": query})
    assert (error["status"], error["code"]) == (400, "BadRequest")
    assert [one["code"] for one in error["details"]] == ["InvalidQuery", "ParserFailure"]


def test_skus_say_what_sizes_can_do(arm: Arm) -> None:
    found = arm.document(f"{ALL}/providers/Microsoft.Compute/skus", **{"$filter": "location eq 'westeurope'"})["value"]
    skus = {one["name"]: one for one in found}
    assert {tuple(one["locations"]) for one in found} == {("westeurope",)}

    def able(name: str) -> dict[str, str]:
        return {one["name"]: one["value"] for one in skus[name]["capabilities"]}

    assert able("Standard_D2s_v6")["DiskControllerTypes"] == "NVMe"
    assert able("Standard_D2s_v5")["HyperVGenerations"] == "V1,V2"
    assert able("Standard_DC2as_v5")["ConfidentialComputingType"] == "SNP"
    assert able("Standard_M64")["TrustedLaunchDisabled"] == "True"
    assert "TrustedLaunchDisabled" not in able("Standard_D2s_v5")
    assert skus["Standard_D2s_v5"]["family"] == "standardDSv5Family"
    assert skus["Standard_D2s_v5"]["locationInfo"][0]["zones"] == ["1", "2", "3"]
    error = arm.error("GET", f"{ALL}/providers/Microsoft.Compute/skus", **{"$filter": "name eq 'x'"})
    assert error["status"] == 400


def test_usages_count_the_cores_of_a_region(arm: Arm) -> None:
    image(with_network(arm))
    ended(arm, arm.call("PUT", MACHINE, machine()))
    found = arm.document(f"{ALL}/providers/Microsoft.Compute/locations/westeurope/usages")["value"]
    used = {one["name"]["value"]: one["currentValue"] for one in found}
    assert (used["cores"], used["standardDSv5Family"], used["virtualMachines"]) == (2, 2, 1)
    other = arm.document(f"{ALL}/providers/Microsoft.Compute/locations/eastus/usages")["value"]
    assert not any(one["currentValue"] for one in other)


def test_the_name_of_a_storage_account_is_free_taken_or_none(arm: Arm) -> None:
    path = f"{ALL}/providers/Microsoft.Storage/checkNameAvailability"
    body = {"name": "images01", "type": "Microsoft.Storage/storageAccounts"}
    assert arm.call("POST", path, body).body == {"nameAvailable": True}
    group = BASE.split("/providers/")[0]
    arm.call("PUT", f"{group}/providers/Microsoft.Storage/storageAccounts/images01", {"location": "westeurope"})
    assert arm.call("POST", path, body).body["reason"] == "AlreadyExists"
    assert arm.call("POST", path, body | {"name": "No-Name"}).body["reason"] == "AccountNameInvalid"
