"""The simulator answers recorded requests of the Azure CLI's own tests as Azure answered them then."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from gallery_driver import BASE, DEFINITION, GALLERY, SUBSCRIPTION, VERSION, Arm, version_body

from local.arm import ids, world
from local.arm.routing import Reply

RECORDED_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
VOLATILE = re.compile(r"uniqueName|publicNames|publishedDate|\bid$|diskEncryptionSetId")
GALLERY_PATH = re.compile(r"/providers/Microsoft\.Compute/galleries(/|$)")
RECORDINGS = (
    "test_create_disk_from_diff_gallery_image_version",
    "test_create_image_version_with_region_cvm_encryption",
    "test_create_image_version_with_region_cvm_encryption_pmk",
    "test_create_vm_with_shared_gallery_image",
    "test_gallery_e2e",
    "test_gallery_image_version_vhd",
    "test_gallery_soft_delete",
    "test_image_version_create_for_diff_source",
    "test_image_version_with_target_extended_locations",
    "test_update_gallery_permissions",
)
SOURCES = re.compile(r"Microsoft\.Compute/(images|virtualMachines|disks|snapshots)/[^/]+$")
LONG_RUNNING = {"azure-asyncoperation", "location", "azure-asyncnotification"}


def _exchanges(file: Path) -> Iterator[tuple[str, str, Any, int, Any]]:
    """Method, path with query, request body, status and response body of every recorded exchange."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for one in yaml.load(file.read_text(), loader)["interactions"]:
        request, response = one["request"], one["response"]
        uri = request["uri"].replace("https://management.azure.com", "")
        body, answer = request.get("body"), response["body"].get("string")
        yield (
            request["method"],
            uri,
            json.loads(body) if body else None,
            response["status"]["code"],
            json.loads(answer) if answer and answer.startswith("{") else None,
        )


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """The leaves of a JSON value by their path."""
    if isinstance(value, dict):
        found = [(f"{path}.{key}", part) for key, part in value.items()]
    elif isinstance(value, list):
        found = [(f"{path}[{index}]", part) for index, part in enumerate(value)]
    else:
        return {path: "…" if VOLATILE.search(path) else value}
    leaves: dict[str, Any] = {path: "empty"} if not found else {}
    for below, part in found:
        leaves |= _flat(part, below)
    return leaves


def _moved(value: Any) -> Any:
    """A recorded value with the subscription that the simulator has."""
    return json.loads(json.dumps(value).replace(RECORDED_SUBSCRIPTION, SUBSCRIPTION))


def _seed(arm: Arm, group: str, resources: dict[str, Any]) -> None:
    for path, recorded in resources.items():
        parsed = ids.parse(path)
        assert parsed is not None
        one = {"id": path, "location": recorded["location"], "properties": recorded["properties"]}
        world.seed(
            arm.kernel, {"resource_groups": [{"id": group, "location": recorded["location"]}], "resources": [one]}
        )


def _replay(file: Path, sources: re.Pattern[str]) -> list[str]:
    """Send every recorded gallery request; answers the differences. What versions are made of is seeded as recorded."""
    arm, differences = Arm(), []
    exchanges = list(_exchanges(file))
    for _, uri, _, status, answer in exchanges:
        path = urlsplit(uri).path.replace(RECORDED_SUBSCRIPTION, SUBSCRIPTION)
        if re.fullmatch(r"/subscriptions/[^/]+/resourcegroups/[^/]+", path, re.IGNORECASE) and status == 200:
            world.seed(arm.kernel, {"resource_groups": [{"id": path, "location": answer["location"]}]})
    for method, uri, _, status, answer in exchanges:
        path = urlsplit(uri).path.replace(RECORDED_SUBSCRIPTION, SUBSCRIPTION)
        if method == "GET" and status == 200 and sources.search(path):
            _seed(arm, path.split("/providers/")[0], {path: _moved(answer)})
    for method, uri, body, status, answer in exchanges:
        parts = urlsplit(uri)
        if "/capsOperations/" in parts.path and answer and answer["status"] == "Succeeded":
            arm.advance(3 * 3600)
        if not GALLERY_PATH.search(parts.path):
            continue
        query = {key: value for key, value in parse_qsl(parts.query) if key != "api-version"}
        api = dict(parse_qsl(parts.query))["api-version"]
        path = parts.path.replace(RECORDED_SUBSCRIPTION, SUBSCRIPTION)
        reply = arm.call(method, path, _moved(body) if body else None, api=api, **query)
        differences += _differences(f"{method} {path}", (status, _moved(answer)), reply)
    return differences


def _differences(what: str, recorded: tuple[int, Any], reply: Reply) -> list[str]:
    status, answer = recorded
    if reply.status != status:
        return [f"{what}: {reply.status} {reply.body}, recorded {status}"]
    ours, theirs = _flat(reply.body), _flat(answer)
    return [
        f"{what}: {path}: {ours.get(path, 'missing')!r}, recorded {theirs.get(path, 'missing')!r}"
        for path in sorted(set(ours) | set(theirs))
        if ours.get(path, "missing") != theirs.get(path, "missing")
    ]


@pytest.mark.parametrize("recording", RECORDINGS)
def test_recorded_gallery_requests_are_answered_as_recorded(real_data: Path, recording: str) -> None:
    assert _replay(real_data / "arm" / "recordings" / "azure-cli" / f"{recording}.yaml", SOURCES) == []


def test_every_answer_has_a_form_that_azure_was_seen_to_give(real_data: Path) -> None:
    contract = json.loads((real_data / "arm" / "observed-contract.json").read_text())
    arm, seen = Arm(), set()
    for method, path, body, wait in _walk():
        reply = arm.call(method, path, body)
        state = (reply.body or {}).get("properties", {}).get("provisioningState") if reply.body else None
        headers = frozenset(LONG_RUNNING & {name.lower() for name in reply.headers})
        seen.add((f"{method} {_shape(path)}", reply.status, state, headers))
        arm.advance(wait)
    unseen = [one for one in seen if not _observed(contract, *one)]
    assert unseen == []
    assert len(seen) > 15


def _shape(path: str) -> str:
    provider, *rest = path.split("/providers/")[1].split("/")
    return "/".join([provider, *(part if index % 2 == 0 else "{}" for index, part in enumerate(rest))])


def _observed(
    contract: dict[str, Any], operation: str, status: int, state: str | None, headers: frozenset[str]
) -> bool:
    return any(
        (one["status"], one["provisioningState"]) == (status, state)
        and set(one["lro_headers"]) - {"retry-after"} == headers
        for one in contract[operation]
    )


def _walk() -> list[tuple[str, str, Any, float]]:
    identifier = {"publisher": "p", "offer": "o", "sku": "s"}
    definition = {
        "location": "westeurope",
        "properties": {"osType": "Linux", "osState": "Generalized", "identifier": identifier},
    }
    image = {
        "location": "westeurope",
        "properties": {"storageProfile": {"osDisk": {"osType": "Linux", "osState": "Generalized"}}},
    }
    gallery = {"location": "westeurope"}
    new = f"{BASE}2"
    lists = [GALLERY.rsplit("/", 1)[0], GALLERY + "/images", DEFINITION + "/versions", BASE.rsplit("/", 1)[0]]
    return [
        ("PUT", new, image, 60),
        ("GET", new, None, 0),
        ("PATCH", new, {"tags": {"a": "b"}}, 60),
        ("PUT", GALLERY, gallery, 5),
        ("PUT", GALLERY, gallery, 5),
        ("PATCH", GALLERY, {"tags": {}}, 5),
        ("PUT", DEFINITION, definition, 5),
        ("PUT", DEFINITION, definition, 5),
        ("PATCH", DEFINITION, {"tags": {}}, 5),
        ("PUT", VERSION, version_body(), 3600),
        ("PUT", VERSION, version_body(), 3600),
        ("PATCH", VERSION, {"tags": {}}, 3600),
        *[("GET", path, None, 0.0) for path in (GALLERY, DEFINITION, VERSION, *lists)],
        ("POST", GALLERY + "/share", {"operationType": "Reset"}, 5),
        ("DELETE", VERSION, None, 100),
        ("DELETE", DEFINITION, None, 5),
        ("DELETE", GALLERY, None, 5),
        ("DELETE", new, None, 60),
    ]
