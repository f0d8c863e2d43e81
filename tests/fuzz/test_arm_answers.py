"""ARM's answers: recorded ones, damaged, become facts or an unknown; errors always become a fault of the ports."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from azure.core.exceptions import AzureError, HttpResponseError
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.azure.arm_errors import error_from_response, port_error, retry_after
from shared.adapters.azure.gallery_facts import (
    copy_body,
    read_definition,
    read_gallery,
    read_time,
    read_version,
    targets_body,
)
from shared.adapters.azure.machine_facts import read_machine, read_probe
from shared.domain.boot_test.failures import MachineFacts, ProbeFacts
from shared.domain.facts import VersionFacts
from shared.domain.image import VersionId
from shared.ports import PassingFault, Refused
from tests.fuzz.budget import bounded, entrance
from tests.fuzz.mutation import STRINGS, as_bytes, damaged

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
VERSION = VersionId.parse(
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute"
    "/galleries/g/images/i/versions/1.0.0"
)
TRACES = Path(__file__).resolve().parents[3] / "shared" / "data" / "arm" / "lro-traces.jsonl"
needs_recordings = pytest.mark.skipif(not TRACES.is_file(), reason=f"needs recorded answers in {TRACES}")


def recorded(kind: str, most: int = 60) -> list[Any]:
    """Recorded bodies of one kind of resource; one that says little where there are none."""
    found: list[Any] = []
    if TRACES.is_file():
        with TRACES.open(encoding="utf-8") as lines:
            for line in lines:
                for body in _bodies(json.loads(line), kind):
                    if body not in found:
                        found.append(body)
                if len(found) >= most:
                    break
    return found or [{"id": str(VERSION), "name": "1.0.0", "location": "westeurope", "properties": {}}]


def _bodies(trace: dict[str, Any], kind: str) -> list[Any]:
    if trace.get("kind") != kind:
        return []
    candidates = [trace.get("response_body"), trace.get("body"), *(each.get("body") for each in trace.get("polls", ()))]
    return [each for each in candidates if isinstance(each, dict) and "properties" in each]


REPLICATED = {
    "id": str(VERSION),
    "name": "1.0.0",
    "location": "West Europe",
    "properties": {
        "provisioningState": "Succeeded",
        "publishingProfile": {
            "publishedDate": "2026-03-02T08:00:00.1234567+00:00",
            "targetRegions": [{"name": "West Europe", "regionalReplicaCount": 1, "excludeFromLatest": True}],
        },
        "storageProfile": {"osDiskImage": {"sizeInGB": 30}, "dataDiskImages": [{"lun": 0, "sizeInGB": 10}]},
        "safetyProfile": {"policyViolations": [{"category": "x", "details": "y"}]},
        "validationsProfile": {"executedValidations": [{"type": "a", "status": "b", "executionTime": "2026-01-01"}]},
        "replicationStatus": {
            "aggregatedState": "InProgress",
            "summary": [{"region": "West Europe", "state": "Replicating", "details": "", "progress": 20}],
        },
    },
}
MACHINE = {
    "id": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm",
    "properties": {
        "provisioningState": "Failed",
        "storageProfile": {"osDisk": {"managedDisk": {"id": "/d"}}, "dataDisks": [{"managedDisk": {"id": "/e"}}]},
        "networkProfile": {"networkInterfaces": [{"id": "/n"}]},
        "instanceView": {
            "vmAgent": {"vmAgentVersion": "2.1", "statuses": [{"code": "ProvisioningState/succeeded",
                        "displayStatus": "Ready", "message": "ok", "time": "2026-03-02T08:00:00+00:00"}]},
            "statuses": [{"code": "ProvisioningState/failed/OSProvisioningTimedOut", "level": "Error",
                          "message": "late"}, {"code": "PowerState/running"}],
        },
    },
}  # fmt: skip
PROBE = {
    "properties": {
        "provisioningState": "Succeeded",
        "instanceView": {
            "executionState": "Succeeded",
            "exitCode": 0,
            "output": "a",
            "error": "",
            "executionMessage": "",
        },
    }
}
VERSIONS = [REPLICATED, *recorded("Microsoft.Compute/galleries/{}/images/{}/versions/{}")]
DEFINITIONS = recorded("Microsoft.Compute/galleries/{}/images/{}")
GALLERIES = recorded("Microsoft.Compute/galleries/{}")
MACHINES = [MACHINE, *recorded("Microsoft.Compute/virtualMachines/{}")]


@entrance
@given(damaged(VERSIONS).filter(lambda found: isinstance(found, dict)))
def test_a_version_becomes_facts_that_can_be_written_back(document: Any) -> None:
    with bounded(len(as_bytes(document))):
        facts = read_version(document, VERSION)
        assert isinstance(facts, VersionFacts)
        assert targets_body(facts, facts.targets, excluded=facts.excluded)
        assert copy_body(facts, location=facts.location, targets=facts.targets)
    assert all(isinstance(target.region, str) and isinstance(target.replicas, int) for target in facts.targets)


@entrance
@given(damaged([*DEFINITIONS, *GALLERIES]).filter(lambda found: isinstance(found, dict)))
def test_a_definition_or_gallery_becomes_facts(document: Any) -> None:
    with bounded(len(as_bytes(document))):
        read_definition(document, VERSION.definition)
        read_gallery(document, VERSION.definition.gallery)


@entrance
@given(damaged(MACHINES).filter(lambda found: isinstance(found, dict)))
def test_a_machine_becomes_facts_and_is_ready_only_when_it_says_so(document: Any) -> None:
    with bounded(len(as_bytes(document))):
        facts = read_machine(document, "vm")
    assert isinstance(facts, MachineFacts)
    assert not facts.ready or "powerstate/running" in json.dumps(document).lower()


@entrance
@given(damaged([PROBE]).filter(lambda found: isinstance(found, dict)))
def test_a_run_command_becomes_facts(document: Any) -> None:
    with bounded(len(as_bytes(document))):
        facts = read_probe(document)
    assert isinstance(facts, ProbeFacts)
    assert isinstance(facts.execution_state, str)
    assert isinstance(facts.output, str)


ERROR = {
    "error": {
        "code": "OperationNotAllowed",
        "message": "The server rejected the request; try after '120' seconds.",
        "target": "HighCostGet3Min",
        "details": [{"code": "TooManyRequests", "target": "x", "message": "{\"a\":1}"}],
        "innererror": {"internalErrorCode": "TooManyRequestsReceived"},
    }
}  # fmt: skip
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "retry-after-ms", "x-ms-retry-after-ms", "x-ms-ratelimit-remaining-resource"]),
    STRINGS
    | st.integers(-(10**30), 10**30).map(str)
    | st.sampled_from(
        ["Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 99 Oct 2026 07:28:00 -9999", "²", "١٢", "1e9", "9" * 4500]
    ),
)


class Answer:
    """As much of an answer as the SDK's error shows."""

    reason = "so"

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status_code, self.headers, self._body = status, headers, body
        self.content_type = "application/json"

    def json(self) -> Any:
        return json.loads(self._body)

    def text(self, encoding: str | None = None) -> str:
        return self._body.decode("utf-8", errors="replace")

    def body(self) -> bytes:
        return self._body


@entrance
@given(st.integers(0, 999), HEADERS, damaged([ERROR]) | st.none(), st.binary(max_size=40))
def test_every_error_of_arm_is_a_fault_of_the_ports(
    status: int, headers: dict[str, str], document: Any, raw: bytes
) -> None:
    body = raw if document is None else as_bytes(document)
    try:
        error: AzureError = HttpResponseError(response=cast(Any, Answer(status, headers, body)))
    except Exception as ours:  # noqa: BLE001 - the SDK's own reading is not what is tested
        error = AzureError(str(ours))
    with bounded(len(body)):
        fault = port_error(error, "read", now=NOW)
    assert isinstance(fault, PassingFault | Refused)
    assert str(fault)
    wait = getattr(fault, "retry_after", None)
    assert wait is None or wait.total_seconds() >= 0


@entrance
@given(st.integers(0, 999), HEADERS, damaged([ERROR["error"]]).filter(lambda found: isinstance(found, dict)))
def test_throttling_is_never_taken_for_a_final_no(status: int, headers: dict[str, str], error: Any) -> None:
    with bounded(len(as_bytes(error))):
        fault = error_from_response(status, headers, error, "read", now=NOW)
    assert status not in {429, 500, 503} or isinstance(fault, PassingFault)


@entrance
@given(HEADERS)
def test_what_a_service_asks_for_is_a_wait_or_nothing(headers: dict[str, str]) -> None:
    with bounded(sum(map(len, headers.values()))):
        wait = retry_after(headers, NOW)
    assert wait is None or wait.total_seconds() >= 0


@entrance
@given(STRINGS | st.integers() | st.none() | st.datetimes().map(str))
def test_a_time_is_read_or_none(text: object) -> None:
    with bounded(len(str(text))):
        time = read_time(text)
    assert time is None or time.tzinfo is UTC


@needs_recordings
def test_the_recordings_hold_versions_definitions_galleries_and_machines() -> None:
    assert min(map(len, (VERSIONS, DEFINITIONS, GALLERIES, MACHINES))) > 5
