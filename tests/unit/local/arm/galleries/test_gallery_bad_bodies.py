"""A body that is wrong anywhere gets an answer of ARM's, never a crash."""

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from tests.unit.local.arm.arm_driver import BASE, DEFINITION, GALLERY, GROUP, VERSION, Arm, version_body

WRONG: tuple[Any, ...] = (None, "", [], {}, "x", -1, 0, True, 1.5, [None], [1], [[]], {"a": 1}, "ü" * 300, 10**30)
REGION = {
    "name": "westeurope",
    "regionalReplicaCount": 1,
    "excludeFromLatest": True,
    "storageAccountType": "Premium_LRS",
}
DEFINITION_BODY = {
    "location": "westeurope",
    "tags": {"a": "b"},
    "properties": {
        "osType": "Linux",
        "osState": "Generalized",
        "identifier": {"publisher": "p", "offer": "o", "sku": "s"},
        "features": [{"name": "SecurityType", "value": "Standard"}],
        "endOfLifeDate": "2099-01-01",
    },
}
GALLERY_BODY = {
    "location": "westeurope",
    "properties": {
        "softDeletePolicy": {"isSoftDeleteEnabled": True, "retentionPeriodInDays": 7},
        "sharingProfile": {"permissions": "Community", "communityGalleryInfo": {"publicNamePrefix": "x"}},
    },
}
IMAGE_BODY = {
    "location": "westeurope",
    "properties": {
        "storageProfile": {"osDisk": {"osType": "Linux", "managedDisk": {"id": "q"}}, "dataDisks": [{"lun": 0}]},
        "sourceVirtualMachine": {"id": "x"},
    },
}


def _version() -> dict[str, Any]:
    body = version_body(replicaCount=2, endOfLifeDate="2099-01-01T00:00:00Z")
    profile = body["properties"]["publishingProfile"]
    profile["targetRegions"] = [REGION, {"name": "northeurope"}]
    profile["targetExtendedLocations"] = [{"name": "westus", "extendedLocation": {"name": "a", "type": "EdgeZone"}}]
    body["properties"]["safetyProfile"] = {"allowDeletionOfReplicatedLocations": False}
    return body | {"tags": {"a": "b"}}


def _from_blobs() -> dict[str, Any]:
    body = _version()
    blob = {"uri": "https://account/os.vhd", "id": "account"}
    body["properties"]["storageProfile"] = {
        "osDiskImage": {"source": blob},
        "dataDiskImages": [{"lun": 0, "source": blob}],
    }
    return body


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from _places(part, (*path, key))


def _spoiled(body: dict[str, Any], path: tuple[Any, ...], wrong: Any) -> Any:
    if not path:
        return wrong
    made = copy.deepcopy(body)
    owner = made
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = wrong
    return made


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", VERSION + "1", _version()),
        ("PUT", VERSION + "2", _from_blobs()),
        ("PATCH", VERSION, _version()),
        ("PUT", DEFINITION + "2", DEFINITION_BODY),
        ("PATCH", DEFINITION, DEFINITION_BODY),
        ("PUT", GALLERY + "2", GALLERY_BODY),
        ("PATCH", GALLERY, GALLERY_BODY),
        ("PUT", BASE + "2", IMAGE_BODY),
        ("POST", GALLERY + "/share", {"operationType": "Add", "groups": [{"type": "Subscriptions", "ids": ["a"]}]}),
        ("PUT", GROUP + "2", {"location": "westeurope", "tags": {}}),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 6 else None,
)
def test_no_spoiled_body_breaks_the_simulator(gallery_arm: Arm, method: str, path: str, body: dict[str, Any]) -> None:
    gallery_arm.make_version()
    dice = Random(path)
    for place in _places(body):
        for wrong in dice.sample(WRONG, 6):
            gallery_arm.advance(30)
            status = gallery_arm.call(method, path, _spoiled(body, place, copy.deepcopy(wrong))).status
            assert status in (200, 201, 202, 400, 404, 409), f"{place} = {wrong!r}"
