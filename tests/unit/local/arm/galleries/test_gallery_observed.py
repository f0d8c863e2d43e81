"""Every answer of the galleries' and images' operations has a form that Azure was seen to give."""

import json
from pathlib import Path
from typing import Any

from tests.unit.local.arm.arm_driver import BASE, DEFINITION, GALLERY, VERSION, Arm, version_body

LONG_RUNNING = {"azure-asyncoperation", "location", "azure-asyncnotification"}


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
