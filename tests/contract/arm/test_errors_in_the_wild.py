"""Every error that people met at Azure can be met in the simulator, in the same shape, and the adapter judges it right.

The rows are those of ``errors-seen-in-the-wild.md``. What the simulator answers of its own accord is provoked, the rest
is raised by its fault plan with the quoted body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest

from local.arm import world
from local.arm.kernel.messages import Incoming, Reply
from shared.adapters.azure.arm_errors import error_from_response
from shared.ports import Conflict, PassingFault, Refused, Throttled
from tests.contract.arm.azure import DAY, DEFINITION, GROUP, IMAGE, MACHINE, VERSION, Azure, machine, version

THROTTLED: Final = "The server rejected the request because too many requests have been received for this subscription."
THROTTLING: Final = {
    "code": "OperationNotAllowed",
    "message": THROTTLED,
    "details": [
        {
            "code": "TooManyRequests",
            "target": "HighCostGetVMScaleSet3Min",
            "message": json.dumps({"operationGroup": "HighCostGetVMScaleSet3Min", "allowedRequestCount": 162}),
        }
    ],
    "innererror": {"internalErrorCode": "TooManyRequestsReceived"},
}
PUBLISHING: Final = {
    "code": "InvalidBeginGetAccessForGalleryImageVersionSnapshotResponseFromPIR",
    "message": "The response from pir.BeginGetAccessForGalleryImageVersionSnapshot is invalid.",
}


def verdict(reply: Reply) -> PassingFault | Refused:
    """What the adapter makes of a refusal, or of an operation that ended Failed."""
    assert reply.body, reply
    status = reply.status if reply.status >= 400 else 409
    return error_from_response(status, reply.headers, reply.body["error"], "the request")


@pytest.fixture
def azure() -> Azure:
    return Azure()


@pytest.mark.parametrize("asked", [None, 17])
def test_compute_throttles_with_its_own_code_and_a_wait_that_may_be_absent(azure: Azure, asked: int | None) -> None:
    azure.befall(fault="throttle", retry_after=asked)
    reply = azure.call("GET", DEFINITION)
    assert reply.status == 429
    assert ("Retry-After" in reply.headers) == (asked is not None)
    assert shape(reply.body["error"]) >= shape(THROTTLING)
    inner = json.loads(reply.body["error"]["details"][0]["message"])
    assert set(inner) == {"operationGroup", "startTime", "endTime", "allowedRequestCount", "measuredRequestCount"}
    found = verdict(reply)
    assert isinstance(found, Throttled)
    assert found.retry_after == (timedelta(seconds=asked) if asked else None)


def test_the_quoted_throttling_body_can_be_raised_as_it_is(azure: Azure) -> None:
    azure.befall(fault="error", status=429, error=THROTTLING)
    reply = azure.call("GET", DEFINITION)
    assert reply.body == {"error": THROTTLING}
    assert isinstance(verdict(reply), Throttled)


def test_throttling_in_short_is_throttling(azure: Azure) -> None:
    azure.befall(fault="error", status=429, code="TooManyRequests", message="The request is being throttled.")
    reply = azure.call("GET", DEFINITION)
    assert reply.body == {"error": {"code": "TooManyRequests", "message": "The request is being throttled."}}
    assert isinstance(verdict(reply), Throttled)


def test_a_failed_replication_names_its_regions_and_what_to_do(azure: Azure) -> None:
    azure.character("replication-fails:northeurope")
    body = azure.build("northeurope").body
    assert (body["status"], body["error"]["code"]) == ("Failed", "ValidationError")
    assert body["error"]["message"] == (
        "Gallery replication jobs failed in one or more regions. The failing regions' details are as follows: "
        "'{region:northeurope, detail:Failed with internal server error.}'. If retry does not work, then please do an "
        "update by removing the failed regions and update again by adding them back."
    )
    assert azure.state()["provisioningState"] == "Failed"
    assert isinstance(verdict(Reply(409, body)), Refused)


def test_an_update_may_run_for_more_than_a_day(azure: Azure) -> None:
    azure.character("slow:300")
    regions = ("northeurope", "eastus", "westus", "uksouth")
    assert azure.build(*regions, seconds=1.5 * DAY).body["status"] == "InProgress"
    assert azure.state()["provisioningState"] == "Creating"
    found = azure.state(**{"$expand": "ReplicationStatus"})["replicationStatus"]
    assert found["aggregatedState"] == "InProgress"


def test_a_version_that_succeeded_may_not_be_ready_in_a_region(azure: Azure) -> None:
    azure.build("northeurope")
    resource = azure.kernel.store.get(VERSION)
    assert resource is not None
    resource.sim["regions"]["northeurope"]["done_at"] = azure.now + 600  # ten minutes more (AgentBaker#8373)
    assert azure.state()["provisioningState"] == "Succeeded"
    rows = azure.state(**{"$expand": "ReplicationStatus"})["replicationStatus"]["summary"]
    assert {row["region"]: row["state"] for row in rows}["northeurope"] == "Replicating"
    refused = azure.machine(region="northeurope")
    assert refused.status == 404
    assert "is not available in northeurope region" in refused.body["error"]["message"]
    assert coded(refused) == "GalleryImageNotFound"


def test_the_source_of_a_version_does_not_change(azure: Azure) -> None:
    azure.build()
    other = IMAGE.replace("base", "other")
    world.seed(azure.kernel, {"resources": [{"id": other, "location": "westeurope"}]})
    reply = azure.call("PUT", VERSION, version(source=other))
    error = reply.body["error"]
    assert re.fullmatch(r"Changing property 'galleryImageVersion\.properties\..+' is not allowed\.", error["message"])
    assert error["target"] in error["message"]
    assert coded(reply) == "PropertyChangeNotAllowed"


def test_a_publication_may_fail_inside_azure_and_leaves_a_failed_version(azure: Azure) -> None:
    azure.befall(fault="fail_operation", operation="GalleryImageVersions_CreateOrUpdate", error=PUBLISHING)
    body = azure.build().body
    assert (body["status"], body["error"]) == ("Failed", PUBLISHING)
    assert azure.state()["provisioningState"] == "Failed"
    azure.kernel.faults.replace([])
    assert azure.call("DELETE", VERSION).status == 202
    azure.advance(600)
    assert azure.build().body["status"] == "Succeeded"


UNPREPARED: Final = "However, the VM guest agent was detected running. This suggests the guest OS has not been "
LATER: Final = "The VM may still finish provisioning successfully. Please check provisioning state later."


@pytest.mark.parametrize(("character", "text"), [("never-generalized", UNPREPARED), ("panics-at-boot", LATER)])
def test_a_machine_that_is_not_provisioned_in_time_says_what_was_seen(azure: Azure, character: str, text: str) -> None:
    azure.character(character)
    azure.build()
    body = azure.machine().body
    assert (body["status"], body["error"]["code"]) == ("Failed", "OSProvisioningTimedOut")
    assert body["error"]["message"].startswith("OS Provisioning for VM 'probe' did not finish in the allotted time. ")
    assert text in body["error"]["message"]
    (status, *_) = azure.state(MACHINE, **{"$expand": "instanceView"})["instanceView"]["statuses"]
    assert status["code"] == "ProvisioningState/failed/OSProvisioningTimedOut"


@pytest.mark.parametrize("code", ["OSProvisioningClientError", "OSProvisioningInternalError"])
def test_a_machine_may_fail_with_other_codes_of_provisioning(azure: Azure, code: str) -> None:
    azure.build()
    message = "OS Provisioning failed for VM 'probe' due to an internal error."
    azure.befall(fault="fail_operation", operation="VirtualMachines_CreateOrUpdate", code=code, message=message)
    body = azure.machine().body
    assert body["error"] == {"code": code, "message": message}
    (status, *_) = azure.state(MACHINE, **{"$expand": "instanceView"})["instanceView"]["statuses"]
    assert status["code"] == f"ProvisioningState/failed/{code}"


def test_a_deployment_nests_what_its_machine_failed_with(azure: Azure) -> None:
    azure.character("never-generalized")
    azure.build()
    resource = machine() | {"type": "Microsoft.Compute/virtualMachines", "name": "probe", "apiVersion": "2024-07-01"}
    path = f"{GROUP}/providers/Microsoft.Resources/deployments/one"
    azure.call("PUT", path, {"properties": {"template": {"resources": [resource]}, "mode": "Incremental"}})
    azure.advance(1)  # the machine is asked for
    azure.advance(3600)
    error = azure.state(path)["error"]
    nested = error["details"][0]
    assert (error["code"], nested["code"]) == ("DeploymentFailed", "ResourceDeploymentFailure")
    assert nested["details"][0]["code"] == "OSProvisioningTimedOut"


def test_an_instance_view_before_the_agent_says_that_its_blob_is_empty(azure: Azure) -> None:
    azure.character("agent-never-ready")
    azure.build()
    azure.machine()
    agent = azure.state(MACHINE, **{"$expand": "instanceView"})["instanceView"]["vmAgent"]
    (status,) = agent["statuses"]
    del status["time"]
    assert agent["vmAgentVersion"] == "Unknown"
    assert status == {
        "code": "ProvisioningState/Unavailable",
        "level": "Warning",
        "displayStatus": "Not Ready",
        "message": "VM status blob is found but not yet populated.",
    }


def test_a_serial_log_that_is_not_there_yet_is_told_in_xml_behind_a_mark(azure: Azure) -> None:
    azure.build()
    azure.machine(seconds=1)
    signed = azure.call("POST", f"{MACHINE}/retrieveBootDiagnosticsData").body["serialConsoleLogBlobUri"]
    path, _, query = signed.removeprefix("https://arm").partition("?")
    reply = azure.kernel.handle(Incoming("GET", path, dict(parse_qsl(query)), {}, b"", "https://arm")).reply
    assert (reply.status, reply.content_type) == (404, "application/xml")
    assert reply.body.startswith(b"\xef\xbb\xbf<?xml")
    assert b"<Code>BlobNotFound</Code>" in reply.body


type Provoke = Callable[[Azure], Reply]


def _marked(azure: Azure) -> Reply:
    azure.build()
    azure.call("DELETE", VERSION)
    return azure.call("PUT", VERSION, version())


def _held_until_its_end(azure: Azure) -> Reply:
    body = version(endOfLifeDate="2099-01-01T00:00:00Z")
    body["properties"]["safetyProfile"] = {"blockDeletionBeforeEndOfLife": True}
    azure.call("PUT", VERSION, body)
    azure.advance(DAY)
    return azure.call("DELETE", VERSION)


def _nested(azure: Azure) -> Reply:
    azure.build()
    return azure.call("DELETE", DEFINITION)


def _hidden(azure: Azure) -> Reply:
    azure.build(excludeFromLatest=True)
    return azure.machine(image=DEFINITION)


def _without_profile(azure: Azure) -> Reply:
    azure.build()
    return azure.machine(profile=False)


def _specialized(azure: Azure) -> None:
    resource = azure.kernel.store.get(DEFINITION)
    assert resource is not None
    resource.properties["osState"] = "Specialized"


def _with_profile(azure: Azure) -> Reply:
    azure.build()
    _specialized(azure)
    return azure.machine()


def _of_another_state(azure: Azure) -> Reply:
    _specialized(azure)
    return azure.call("PUT", VERSION, version())


SERVICE_MESSAGES: Final[list[tuple[str, Provoke, str]]] = [
    (
        "InvalidParameter",
        lambda azure: azure.call("PUT", f"{DEFINITION}/versions/1.0", version()),
        "The image version name is invalid. The image version name should follow Major(int).Minor(int).Patch(int) "
        "format",
    ),
    (
        "InvalidParameter",
        lambda azure: azure.call("PUT", VERSION, version() | {"location": "eastus"}),
        "must contain the location of image version <eastus>",
    ),
    (
        "InvalidParameter",
        lambda azure: azure.call("PUT", VERSION, version("West Europe")),
        "Duplicate regions are not allowed in target publishing regions",
    ),
    ("CannotDeleteResource", _nested, "Can not delete resource before nested resources are deleted"),
    (
        "OperationNotAllowed",
        _marked,
        "Operation 'Update Gallery Image Version' is not allowed on 1.0.0 since it is marked for deletion. You can "
        "only retry the Delete operation (or wait for an ongoing one to complete)",
    ),
    (
        "DeleteGalleryImageVersionBlockedBeforeEndOfLife",
        _held_until_its_end,
        "Deletion of Gallery image version is not allowed because the image is enabled for "
        "blockDeletionBeforeEndOfLife and its endOfLifeDate has not reached yet",
    ),
    (
        "InvalidParameter",
        lambda azure: azure.call("PUT", VERSION, version(endOfLifeDate="2001-01-01T00:00:00Z")),
        "EndOfLifeDate must be set to a future date.",
    ),
    ("GalleryImageNotFound", _hidden, "There is no latest image version exists for "),
    ("InvalidParameter", _with_profile, "Parameter 'osProfile' is not allowed"),
    ("InvalidParameter", _without_profile, "Required parameter 'osProfile' is missing (null)"),
    (
        "InvalidParameter",
        _of_another_state,
        "since the OS State in the parent gallery image (Specialized) is not Generalized",
    ),
]


@pytest.mark.parametrize(("code", "provoke", "text"), SERVICE_MESSAGES)
def test_a_documented_refusal_is_worded_as_documented_and_is_final(
    azure: Azure, code: str, provoke: Provoke, text: str
) -> None:
    reply = provoke(azure)
    assert reply.status >= 400, reply.body
    assert text in reply.body["error"]["message"]
    assert coded(reply) == code


def test_a_source_that_is_asked_too_often_is_throttling_whatever_its_code(azure: Azure) -> None:
    text = (
        f"Too many requests on source '{IMAGE}'. Please reduce the number of requests on the source or wait some time "
        "before retrying"
    )
    azure.befall(fault="error", method="PUT", status=409, code="OperationNotAllowed", message=text)
    assert isinstance(verdict(azure.call("PUT", VERSION, version())), Throttled)


def test_an_image_that_is_too_large_fails_in_its_regions_and_says_why(azure: Azure) -> None:
    resource = azure.kernel.store.get(IMAGE)
    assert resource is not None
    resource.properties["storageProfile"]["osDisk"]["diskSizeGB"] = 2520
    azure.build()
    (row,) = azure.state(**{"$expand": "ReplicationStatus"})["replicationStatus"]["summary"]
    assert (row["region"], row["state"]) == ("westeurope", "Failed")
    assert row["details"] == (
        "Replication failed in this region due to 'The GalleryImageVersion source resource size 2520 exceeds the max "
        "size 2048 supported'"
    )


def test_a_write_that_meets_another_one_is_a_conflict_that_passes(azure: Azure) -> None:
    azure.build(seconds=1)
    assert isinstance(verdict(azure.call("PUT", VERSION, version("eastus"))), Conflict)


COVERED: Final = frozenset(
    {
        "429 throttling",
        "429 short form",
        "replication failed",
        "update runs > 1 day, 34 regions",
        "provisioningState Succeeded but region not ready",
        "source change on existing version",
        "internal publish failure",
        "boot: not generalized",
        "boot: timed out",
        "instance view before agent",
        "serial log not there yet",
    }
)
GUESTS: Final = frozenset({"Windows sysprep", "cloud-init", "emergency mode"})
"""What happens inside an image; the consoles of characters and the reading of serial logs are about these."""


def test_every_row_of_the_collection_has_a_test_here(real_data: Path) -> None:
    file = real_data / "arm" / "errors-seen-in-the-wild.md"
    if not file.is_file():
        pytest.skip(f"needs the collected errors in {file}")
    rows = [line.split("|")[1].strip() for line in file.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    assert set(rows) - {"case", "---"} == COVERED | GUESTS


def coded(reply: Reply) -> str:
    """The code of a refusal that the adapter takes for final."""
    found = verdict(reply)
    assert isinstance(found, Refused), found
    return found.code


def shape(value: Any, at: str = "") -> set[str]:
    if isinstance(value, dict):
        return set().union(*(shape(part, f"{at}.{key}") for key, part in value.items()))
    if isinstance(value, list):
        return set().union(*(shape(part, f"{at}[]") for part in value))
    return {at}
