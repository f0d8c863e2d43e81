"""Providers, their api-versions, and the list of all resources."""

from typing import Any

import pytest

from local.arm import world
from local.arm.management.api_versions import CATALOGUE
from tests.unit.local.arm.arm_driver import BASE, COMPUTE, DEFINITION, GALLERY, GROUP, SUBSCRIPTION, VERSION, Arm

ALL = f"/subscriptions/{SUBSCRIPTION}"


def test_all_providers_are_listed_with_types_and_versions(arm: Arm) -> None:
    found = {one["namespace"]: one for one in arm.document(f"{ALL}/providers")["value"]}
    assert set(found) == set(CATALOGUE)
    kinds = {one["resourceType"]: one["apiVersions"] for one in found["Microsoft.Compute"]["resourceTypes"]}
    assert kinds["galleries/images/versions"][0] == "2026-03-03"
    assert arm.document(f"{ALL}/providers/microsoft.storage")["registrationState"] == "Registered"
    assert arm.error("GET", f"{ALL}/providers/Microsoft.Moon")["code"] == "InvalidResourceNamespace"


@pytest.mark.parametrize(
    ("path", "api", "kind"),
    [
        (GALLERY, "2024-07-01", "galleries"),
        (f"{GALLERY}/images", "2024-03-02", "galleries/images"),
        (f"{COMPUTE}/virtualMachines/vm/instanceView", "2024-03-03", "virtualMachines"),
        (f"{COMPUTE}/disks", "2099-01-01", "disks"),
        (f"{GROUP}/providers/Microsoft.Network/virtualNetworks/net/subnets/s", "2024-07-02", "virtualNetworks/subnets"),
        (f"{GROUP}/providers/Microsoft.Authorization/locks", "2024-07-01", "locks"),
    ],
)
def test_an_api_version_that_a_type_has_not_is_refused(arm: Arm, path: str, api: str, kind: str) -> None:
    error = arm.error("GET", path, api=api)
    assert (error["status"], error["code"]) == (400, "NoRegisteredProviderFound")
    assert error["message"].startswith(
        f"No registered resource provider found for location 'global' and API version '{api}' for type '{kind}'. The "
        "supported api-versions are '20"
    )


def test_the_refusal_names_the_location_that_is_asked_for(arm: Arm) -> None:
    error = arm.error("PUT", GALLERY, {"location": "westeurope"}, api="2024-07-01")
    assert "for location 'westeurope'" in error["message"]
    assert "for location 'westeurope'" in arm.error("GET", BASE, api="2024-07-02")["message"]


def test_arm_s_own_operations_have_their_versions(arm: Arm) -> None:
    error = arm.error("GET", GROUP, api="2024-01-01")
    assert (error["status"], error["code"]) == (400, "InvalidApiVersionParameter")
    assert error["message"].startswith("The api-version '2024-01-01' is invalid. The supported versions are '20")


@pytest.mark.parametrize("api", ["2018-06-01", "2019-12-01", "2021-10-01", "2023-07-03", "2026-03-03"])
def test_old_and_new_versions_are_taken(gallery_arm: Arm, api: str) -> None:
    assert gallery_arm.call("GET", GALLERY, api=api).status == 200


def names(arm: Arm, text: str = "", path: str = ALL) -> list[str]:
    query = {"$filter": text} if text else {}
    return [one["name"] for one in arm.document(f"{path}/resources", **query)["value"]]


@pytest.fixture
def full(gallery_arm: Arm) -> Arm:
    """A gallery with a tagged version, a network and a deployment."""
    gallery_arm.make_version()
    gallery_arm.call("PATCH", VERSION, {"tags": {"Team": "images", "note": "it's"}})
    subnet = {"name": "tests", "properties": {"addressPrefix": "10.0.0.0/24"}}
    one = {
        "id": f"{GROUP}/providers/Microsoft.Network/virtualNetworks/net",
        "location": "northeurope",
        "properties": {"subnets": [subnet]},
    }
    world.seed(gallery_arm.kernel, {"resources": [one]})
    deployment = f"{GROUP}/providers/Microsoft.Resources/deployments/one"
    gallery_arm.call("PUT", deployment, {"properties": {"template": {"resources": []}}})
    return gallery_arm


def test_nested_resources_with_a_location_are_listed_and_deployments_are_not(full: Arm) -> None:
    assert names(full) == ["builds", "builds/ubuntu", "builds/ubuntu/1.0.0", "base", "net"]
    assert names(full, path=GROUP) == names(full)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("resourceType eq 'Microsoft.Compute/galleries/images/versions'", ["builds/ubuntu/1.0.0"]),
        ("tagName eq 'team' and tagValue eq 'images'", ["builds/ubuntu/1.0.0"]),
        ("tagName eq 'team' and tagValue eq 'other'", []),
        ("tagName eq 'note' and tagValue eq 'it''s'", ["builds/ubuntu/1.0.0"]),
        ("tagName eq 'team'", ["builds/ubuntu/1.0.0"]),
        ("name eq 'base'", ["base"]),
        ("location eq 'northeurope'", ["net"]),
        (
            "resourceGroup eq 'IMAGES' and resourceType ne 'Microsoft.Compute/images'",
            ["builds", "builds/ubuntu", "builds/ubuntu/1.0.0", "net"],
        ),
        ("substringof('ubuntu', name)", ["builds/ubuntu", "builds/ubuntu/1.0.0"]),
        ("startswith(tagName, 'te')", ["builds/ubuntu/1.0.0"]),
    ],
)
def test_the_list_is_filtered(full: Arm, text: str, found: list[str]) -> None:
    assert names(full, text) == found


def test_a_filter_that_makes_no_sense_is_refused(full: Arm) -> None:
    for text in ("moon eq 'x'", "name gt 'x'", "name eq x"):
        error = full.error("GET", f"{ALL}/resources", **{"$filter": text})
        assert error["code"] == "InvalidFilterInQueryString"


def test_doubled_slashes_are_one_in_paths_and_in_references(full: Arm) -> None:
    assert full.document(DEFINITION.replace("/images/", "//images///"))["id"] == DEFINITION
    network = f"{GROUP}/providers/Microsoft.Network//virtualNetworks/net/subnets/tests"
    address = {"name": "ip", "properties": {"subnet": {"id": network}}}
    body: dict[str, Any] = {"location": "northeurope", "properties": {"ipConfigurations": [address]}}
    reply = full.call("PUT", f"{GROUP}/providers/Microsoft.Network/networkInterfaces/nic", body)
    assert reply.status == 201, reply.body
