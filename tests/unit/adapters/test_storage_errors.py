"""From an SDK's errors to the ports' faults."""

from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseTimeoutError,
)

from shared.adapters.azure.storage_errors import StorageConfigurationError, code_of, translate_errors
from shared.ports import Conflict, PassingFault, Refused, Throttled, Unavailable


class Response:
    """As much of a response as an error keeps."""

    def __init__(self, status: int, body: str = "", **headers: str) -> None:
        self.status_code = status
        self.reason = "because"
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self._body = body

    def text(self) -> str:
        return self._body


def answered(status: int, body: str = "", message: str = "no", **headers: str) -> HttpResponseError:
    response: Any = Response(status, body, **headers)
    return HttpResponseError(message=message, response=response)


def raised(error: Exception, final: Any = None) -> Exception:
    with (
        pytest.raises((PassingFault, StorageConfigurationError, Refused)) as caught,
        translate_errors("reading a row", final),
    ):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize(
    ("status", "fault"),
    [(429, Throttled), (503, Throttled), (409, Conflict), (412, Conflict), (408, Unavailable), (500, Unavailable),
     (502, Unavailable), (504, Unavailable), (400, StorageConfigurationError), (403, StorageConfigurationError),
     (404, StorageConfigurationError)],
)  # fmt: skip
def test_each_status_is_one_fault(status: int, fault: type[Exception]) -> None:
    assert type(raised(answered(status))) is fault


@pytest.mark.parametrize(
    "error",
    [ServiceRequestError("no route"), ServiceResponseTimeoutError("late"), TimeoutError(), ConnectionResetError(),
     ClientAuthenticationError("no token")],
)  # fmt: skip
def test_no_answer_is_unavailable(error: Exception) -> None:
    assert type(raised(error)) is Unavailable


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "7"}, timedelta(seconds=7)),
        ({"retry_after": "0"}, timedelta(0)),
        ({"x_ms_retry_after_ms": "1500"}, timedelta(seconds=1.5)),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry_after": "9" * 400}, None),
        ({}, None),
    ],
)
def test_a_throttled_request_says_how_long_to_wait(headers: dict[str, str], wait: timedelta | None) -> None:
    fault = raised(answered(429, **headers))
    assert isinstance(fault, Throttled)
    assert fault.retry_after == wait


def test_what_was_being_done_and_what_to_do_are_told() -> None:
    text = str(raised(answered(403, x_ms_error_code="AuthorizationFailure")))
    assert text.startswith("reading a row: no (AuthorizationFailure, status 403)")
    assert "data role" in text


def test_only_the_first_line_is_told() -> None:
    assert "signed" not in str(raised(answered(403, message="no\nString to sign: signed")))


def test_a_signature_is_not_told() -> None:
    assert "c2Vj" not in str(raised(answered(400, message="GET https://x/y?sig=c2Vj&se=2026 failed")))


def test_a_table_error_body_that_the_sdk_left_unread_is_read() -> None:
    body = '{"odata.error": {"code": "TableNotFound", "message": {"lang": "en-US", "value": "It is not there."}}}'
    error = answered(404, body)
    assert code_of(error) == "TableNotFound"
    assert "It is not there. (TableNotFound" in str(raised(error))


@pytest.mark.parametrize("body", ["", "<Error/>", "[]", '{"odata.error": 5}', '{"odata.error": {"message": 5}}'])
def test_a_body_that_says_nothing_is_no_fault_of_its_own(body: str) -> None:
    assert type(raised(answered(409, body))) is Conflict


def test_a_final_no_is_what_the_caller_makes_of_it() -> None:
    fault = raised(answered(400, x_ms_error_code="InvalidInput"), Refused)
    assert isinstance(fault, Refused)
    assert (fault.code, fault.status) == ("InvalidInput", 400)


def test_a_conflict_is_passing_even_where_a_no_is_final() -> None:
    assert type(raised(answered(409), Refused)) is Conflict


def test_a_fault_of_the_program_is_left_alone() -> None:
    with pytest.raises(KeyError), translate_errors("x"):
        raise KeyError("x")
