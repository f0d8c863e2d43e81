"""How ARM's faults are told apart. Bodies are quoted from where they were seen."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseTimeoutError,
)

from shared.adapters.azure.arm_errors import error_from_response, port_error, retry_after, translate_arm_errors
from shared.ports import Conflict, PassingFault, Refused, Throttled, Unavailable

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
# github.com/hashicorp/terraform-provider-azurerm/issues/19146
THROTTLED = {
    "code": "OperationNotAllowed",
    "message": "The server rejected the request because too many requests have been received for this subscription.",
    "details": [
        {
            "code": "TooManyRequests",
            "target": "HighCostGetVMScaleSet3Min",
            "message": '{"operationGroup":"HighCostGetVMScaleSet3Min","allowedRequestCount":162}',
        }
    ],
    "innererror": {"internalErrorCode": "TooManyRequestsReceived"},
}
QUOTA = {
    "code": "OperationNotAllowed",
    "message": "Operation could not be completed as it results in exceeding approved standardDSv5Family Cores quota.",
}
MARKED = {
    "code": "OperationNotAllowed",
    "message": "Operation 'Update Gallery Image Version' is not allowed on 1.0.0 since it is marked for deletion. "
    "You can only retry the Delete operation (or wait for an ongoing one to complete)",
}


class Response:
    """What azure-core keeps of an answer."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.status_code = status
        self.reason = "reason"
        self.headers = headers or {}
        self._body = body

    def json(self) -> Any:
        return json.loads(self._body)

    def text(self) -> str:
        return self._body.decode(errors="replace")


def failed(status: int, body: Any, headers: dict[str, str] | None = None) -> HttpResponseError:
    raw = body if isinstance(body, bytes) else json.dumps({"error": body}).encode()
    return HttpResponseError(response=Response(status, raw, headers))  # pyright: ignore[reportArgumentType]


def fault(status: int, body: Any, headers: dict[str, str] | None = None) -> PassingFault | Refused:
    return port_error(failed(status, body, headers), "try", now=NOW)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (429, THROTTLED, Throttled),
        (429, {"code": "TooManyRequests", "message": "The request is being throttled."}, Throttled),
        (429, {}, Throttled),
        # Compute throttles under OperationNotAllowed, whatever the status.
        (409, THROTTLED, Throttled),
        (403, {"code": "SubscriptionRequestsThrottled", "message": ""}, Throttled),
        (
            400,
            {"code": "BadRequest", "message": "Too many requests on source '/x'. Please reduce the number"},
            Throttled,
        ),
        (
            409,
            {"code": "Conflict", "message": "The request failed due to conflict with a concurrent request."},
            Conflict,
        ),
        (409, {"code": "AnotherOperationInProgress", "message": ""}, Conflict),
        (409, {"code": "OperationPreempted", "message": ""}, Conflict),
        (409, {"code": "Whatever", "message": "Gallery image version 1.0.0 is being updated."}, Conflict),
        (400, {"code": "Whatever", "message": "Another operation is in progress on this resource."}, Conflict),
        (412, {"code": "PreconditionFailed", "message": ""}, Conflict),
        (409, QUOTA, Refused),
        (409, MARKED, Refused),
        (409, {"code": "PropertyChangeNotAllowed", "message": "Changing property 'x' is not allowed."}, Refused),
        (409, {"code": "SkuNotAvailable", "message": ""}, Refused),
        (409, {"code": "AllocationFailed", "message": ""}, Refused),
        (409, {"code": "ScopeLocked", "message": "a concurrent request locked it"}, Refused),
        (400, {"code": "InvalidParameter", "message": "Parameter 'osProfile' is not allowed."}, Refused),
        (403, {"code": "AuthorizationFailed", "message": "no"}, Refused),
        (401, {"code": "InvalidAuthenticationToken", "message": "no"}, Refused),
        (404, {"code": "ResourceNotFound", "message": "no"}, Refused),
        (404, {"code": "GalleryImageNotFound", "message": "no"}, Refused),
        (408, {}, Unavailable),
        (500, {"code": "InternalServerError", "message": ""}, Unavailable),
        (502, {}, Unavailable),
        (503, {"code": "ServerBusy", "message": ""}, Unavailable),
        (504, {"code": "GatewayTimeout", "message": ""}, Unavailable),
    ],
)
def test_an_answer_is_told_apart_by_status_code_and_words(status, error, kind):
    assert type(fault(status, error)) is kind


@pytest.mark.parametrize("body", [b"<html>404 - no such site</html>", b"", b"{}", b'"text"', b"[1]", b'{"error":"x"}'])
def test_a_404_without_arms_words_does_not_mean_that_the_thing_is_gone(body):
    assert type(fault(404, body)) is Unavailable


@pytest.mark.parametrize(
    "body", [b"<html>bad gateway</html>", b"", b'{"error": null}', b'{"error": {"details": null}}']
)
def test_an_unreadable_body_of_a_5xx_is_no_second_fault(body):
    assert type(fault(502, body)) is Unavailable


def test_a_refusal_carries_code_message_and_status():
    refused = fault(409, QUOTA)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.status) == ("OperationNotAllowed", 409)
    assert "quota" in refused.message


def test_a_refusal_without_a_body_still_has_a_code():
    refused = fault(403, b"")
    assert isinstance(refused, Refused)
    assert refused.code == "AuthorizationFailed"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "1200"}, timedelta(minutes=20)),
        ({"Retry-After": "0"}, timedelta(0)),
        ({"Retry-After": "Sun, 01 Mar 2026 12:02:30 GMT"}, timedelta(seconds=150)),
        ({"Retry-After": "Sun, 01 Mar 2026 11:00:00 GMT"}, timedelta(0)),
        ({"x-ms-retry-after-ms": "2500"}, timedelta(seconds=2.5)),
        ({"retry-after-ms": "500", "Retry-After": "9"}, timedelta(seconds=0.5)),
        ({"Retry-After": "99999999999"}, timedelta(days=7)),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
    ],
)
def test_what_the_service_asked_for_is_kept(headers, wait):
    assert retry_after(headers, NOW) == wait


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_is_kept_with_throttling_and_with_outages(status):
    found = fault(status, {}, {"Retry-After": "17"})
    assert isinstance(found, PassingFault)
    assert found.retry_after == timedelta(seconds=17)


def test_a_wait_that_is_only_in_the_message_is_kept():
    body = {
        "code": "ResourceCollectionRequestsThrottled",
        "message": "Number of requests exceeded. Please try after '120' seconds",
    }
    found = fault(429, body)
    assert isinstance(found, Throttled)
    assert found.retry_after == timedelta(seconds=120)


@pytest.mark.parametrize(
    "error",
    [
        ServiceRequestError("no route"),
        ServiceResponseTimeoutError("slow"),
        IncompleteReadError("cut"),
        DecodeError("not JSON"),
        ClientAuthenticationError("no token"),
    ],
)
def test_no_answer_is_unavailable(error):
    assert type(port_error(error, "try")) is Unavailable


def test_the_sdks_error_is_chained():
    error = failed(500, {})
    with pytest.raises(Unavailable) as raised, translate_arm_errors("try"):
        raise error
    assert raised.value.__cause__ is error


def test_what_is_no_fault_of_arm_escapes():
    with pytest.raises(KeyError), translate_arm_errors("try"):
        raise KeyError("a fault of the program")


def test_a_message_is_bounded():
    refused = error_from_response(400, {}, {"code": "InvalidParameter", "message": "x" * 100_000}, "try")
    assert len(str(refused)) < 2000
