"""Answers of ARM that are none, or of the wrong shape: Unavailable, or read as if it were missing; never a surprise."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.adapters.azure.activity_log import AzureActivityLog
from shared.adapters.azure.galleries import AzureGalleries
from shared.adapters.azure.machines import AzureMachines
from shared.adapters.azure.serial_log import read_serial_log
from shared.domain.facts import ProvisioningState, SourceFacts, SourceKind, VersionFacts
from shared.ports import ForeignTarget, Refused, Unavailable
from tests.fuzz.arm_wire import Answer, arm
from tests.fuzz.test_arm_adapters import ENVIRONMENT, GROUP, MACHINE, OURS, PART
from tests.fuzz.test_arm_answers import VERSION

NO_RESOURCE = [b"", b"{", b"5", b'"text"', b"[]", b"null", b"\xe3"]


def galleries(*bodies: bytes) -> AzureGalleries:
    wire = arm([Answer(200, body, {}) for body in bodies])
    return AzureGalleries(wire, frozenset({str(VERSION.definition.gallery)}))


def machines(*documents: Any) -> AzureMachines:
    return AzureMachines(arm([Answer(200, json.dumps(each).encode(), {}) for each in documents]), ENVIRONMENT)


@pytest.mark.parametrize("body", NO_RESOURCE)
async def test_what_is_no_resource_is_no_answer(body: bytes) -> None:
    with pytest.raises(Unavailable):
        await galleries(body).version(VERSION)
    with pytest.raises(Unavailable):
        await AzureMachines(arm([Answer(200, body, {})]), ENVIRONMENT).view(MACHINE)


@pytest.mark.parametrize(
    "body", [b"null", b'{"value": null}', b'{"value": 5}', b'{"value": ["text"]}', b'{"value": [5]}', b""]
)
async def test_a_list_with_what_is_no_version_is_no_answer(body: bytes) -> None:
    with pytest.raises(Unavailable):
        await galleries(body).versions(VERSION.definition)


@pytest.mark.parametrize("kind", ["images", "virtualMachines", "disks", "snapshots"])
@pytest.mark.parametrize(
    "properties", [[], 5, {"storageProfile": []}, {"instanceView": 1, "supportedCapabilities": "x"}]
)
async def test_a_source_of_another_shape_says_nothing(kind: str, properties: Any) -> None:
    facts = VersionFacts(
        VERSION, ProvisioningState.SUCCEEDED, "x", source_id=f"{GROUP}/providers/Microsoft.Compute/{kind}/a"
    )
    source = await galleries(json.dumps({"properties": properties}).encode()).source(facts)
    assert source is not None
    assert source.kind is not SourceKind.GONE
    assert (source.os_type, source.architecture) == (None, None)


MACHINE_AND_DISK = {
    "properties": {
        "timeCreated": "2026-05-01T10:00:00Z",
        "LastOwnershipUpdateTime": "2026-05-01T11:00:00.1234567Z",
        "storageProfile": {
            "osDisk": {"managedDisk": {"id": f"{GROUP}/providers/Microsoft.Compute/disks/os"}, "osType": "Linux"}
        },
        "osProfile": {"linuxConfiguration": {"disablePasswordAuthentication": False}},
        "instanceView": {"statuses": [{"code": "OSState/generalized"}, {"code": "PowerState/deallocated"}]},
    }
}
"""What Azure says of a source VM, and of its disk."""


async def source_of(*answers: tuple[int, Any]) -> SourceFacts:
    """What is read of a source VM."""
    name = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/a"
    wire = arm([Answer(status, json.dumps(each).encode(), {}) for status, each in answers])
    facts = VersionFacts(VERSION, ProvisioningState.SUCCEEDED, "x", source_vm_id=name)
    found = await AzureGalleries(wire, frozenset()).source(facts)
    assert found is not None
    return found


async def test_a_source_machine_tells_its_state_and_when_it_was_last_used() -> None:
    found = await source_of((200, MACHINE_AND_DISK), (200, MACHINE_AND_DISK))
    assert (found.os_state, found.power, found.password_login) == ("Generalized", "deallocated", True)
    assert (found.created_at, found.used_at) == (
        datetime(2026, 5, 1, 10, tzinfo=UTC),
        datetime(2026, 5, 1, 11, 0, 0, 123456, tzinfo=UTC),
    )


async def test_a_disk_that_the_app_may_not_read_leaves_its_use_unknown() -> None:
    found = await source_of((200, MACHINE_AND_DISK), (403, {"error": {"code": "AuthorizationFailed"}}))
    assert (found.power, found.used_at, found.unread) == ("deallocated", None, False)


async def test_a_source_that_the_app_may_not_read_is_not_compared() -> None:
    found = await source_of((403, {"error": {"code": "AuthorizationFailed"}}))
    assert (found.kind, found.unread) == (SourceKind.VM, True)


EVENT = b'{"value": [{"eventTimestamp": "2026-05-01T00:00:00Z", "operationName": "text", "claims": 5}]}'


@pytest.mark.parametrize(
    "body", [b"null", b'{"value": null}', b'{"value": 5}', b'{"value": ["text"]}', b"", b"[]", EVENT]
)
async def test_an_activity_log_of_another_shape_is_no_answer(body: bytes) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    with pytest.raises(Unavailable):
        await AzureActivityLog(arm([Answer(200, body, {})])).writes(VERSION, since=now - timedelta(days=1), until=now)


@pytest.mark.parametrize("page", [{"value": 5}, {"value": ["text"]}, {"value": None}])
async def test_a_list_of_parts_that_cannot_be_read_is_not_an_empty_one(page: Any) -> None:
    with pytest.raises(Unavailable, match="ARM returned an invalid list"):
        await machines(page).ours()


@pytest.mark.parametrize("tags", ["text", ["ringmaster-release"], {"ringmaster-release": 5}, None])
async def test_tags_of_another_shape_make_nothing_ours(tags: Any) -> None:
    assert await machines({"value": [{**OURS, "tags": tags}]}).ours() == []
    with pytest.raises(ForeignTarget):
        await machines({**OURS, "tags": tags}).delete(MACHINE)
    with pytest.raises(ForeignTarget):
        await machines({"id": PART, "tags": tags}).delete_part(PART)


@pytest.mark.parametrize("link", [5, ["https://arm.example/x"], {}])
async def test_a_next_page_that_is_no_address_is_none(link: Any) -> None:
    assert len(await machines({"value": [OURS], "nextLink": link}, {"value": []}).ours()) > 0


@pytest.mark.parametrize(
    ("link", "told"),
    [("https://arm.example/again", "read before"), ("https://arm.example.evil/x", "not on"), ("http://x/", "not on")],
)
async def test_pages_that_go_round_or_elsewhere_are_no_list(link: str, told: str) -> None:
    page = {"value": [], "nextLink": link}
    with pytest.raises(Unavailable, match=told):
        await machines(page).ours()
    with pytest.raises(Unavailable, match=told):
        await galleries(json.dumps(page).encode()).versions(VERSION.definition)


@pytest.mark.parametrize("address", ["https://[", "https://", "http://x/y", "https://x:99999/", "https://x:a/", "{}"])
async def test_a_serial_log_without_a_usable_address_is_refused(address: str) -> None:
    with pytest.raises(Refused, match="not https"):
        await read_serial_log(address)
