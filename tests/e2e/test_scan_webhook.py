"""What scanners, or those who pretend to be some, may post: nothing is believed that is not signed, fresh and new."""

import gzip
import time

import pytest
import requests

from shared.domain.image import VersionId
from tests.e2e.app import App
from tests.e2e.scene import MAX_REPORT, report, version

pytestmark = pytest.mark.stack

IMAGE = version("scans", "1.0.1")
"""Nothing is ever kept for this one."""


def refused(answer: requests.Response, app: App) -> tuple[int, str]:
    """Status and code of a refusal, after which nothing is kept."""
    assert app.kept_reports(IMAGE) == []
    problem = answer.json()["error"]
    assert problem["message"]
    return answer.status_code, problem["code"]


# --- who says it, and when --------------------------------------------------------------------------------------------


def test_a_good_report_is_kept_and_gets_202(app: App) -> None:
    image = version("scans", "1.1.0")
    answer = app.scan(image, report(image))
    assert answer.status_code == 202
    assert answer.json()["report"] in app.kept_reports(image)


@pytest.mark.parametrize("name", ["x-ringmaster-signature", "x-ringmaster-timestamp"])
def test_without_a_signature_or_its_time_it_gets_401(app: App, name: str) -> None:
    answer = app.scan(IMAGE, report(IMAGE), headers={name: None})
    assert refused(answer, app) == (401, "signature_missing")


@pytest.mark.parametrize(
    "text", ["v1=abc", "v2=" + "0" * 64, "0" * 64, "v1=" + "g" * 64, ",".join(["v1=" + "0" * 64] * 9)]
)
def test_a_signature_that_is_none_gets_401(app: App, text: str) -> None:
    answer = app.scan(IMAGE, report(IMAGE), headers={"x-ringmaster-signature": text})
    assert refused(answer, app) == (401, "signature_malformed")


def test_a_signature_under_another_key_gets_401(app: App) -> None:
    answer = app.scan(IMAGE, report(IMAGE), key="another-key-of-sufficient-length")
    assert refused(answer, app) == (401, "signature_wrong")


def test_another_body_than_the_signed_one_gets_401(app: App) -> None:
    from local.scanner.signing import headers_for

    signed = headers_for(app.environment["RINGMASTER_WEBHOOK_KEY"].encode(), int(time.time()), b"{}")
    answer = app.scan(IMAGE, report(IMAGE), headers={**signed})
    assert refused(answer, app) == (401, "signature_wrong")


@pytest.mark.parametrize(("age", "code"), [(1000, "signature_old"), (-1000, "signature_future")])
def test_a_time_too_far_from_now_gets_401(app: App, age: int, code: str) -> None:
    answer = app.scan(IMAGE, report(IMAGE), at=time.time() - age)
    assert refused(answer, app) == (401, code)


def test_the_host_s_key_opens_no_door_for_scanners(app: App) -> None:
    answer = app.scan(
        IMAGE,
        report(IMAGE),
        headers={"x-ringmaster-signature": None, "x-functions-key": app.environment["RINGMASTER_KEY"]},
    )
    assert refused(answer, app) == (401, "signature_missing")


def test_the_same_request_again_gets_409(app: App) -> None:
    image, now = version("scans", "1.1.1"), time.time()
    body = report(image)
    assert app.scan(image, body, at=now).status_code == 202
    again = app.scan(image, body, at=now)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "replayed")


def test_a_captured_request_cannot_come_again_for_another_image(app: App) -> None:
    image, now = version("scans", "1.1.2"), time.time()
    body = report(image)
    assert app.scan(image, body, at=now).status_code == 202
    assert refused(app.scan(IMAGE, body, at=now), app) == (409, "replayed")


def test_the_same_report_signed_anew_is_taken_and_kept_once(app: App) -> None:
    image, now = version("scans", "1.1.3"), time.time()
    body = report(image)
    first, second = (app.scan(image, body, at=now - age) for age in (2, 1))
    assert [first.status_code, second.status_code] == [202, 202]
    assert len(app.kept_reports(image)) == 1


# --- what it says -----------------------------------------------------------------------------------------------------


def test_a_scanner_that_nobody_knows_gets_401(app: App) -> None:
    answer = app.scan(IMAGE, report(IMAGE), headers={"x-ringmaster-scanner": "nobody"})
    assert refused(answer, app) == (401, "unknown_scanner")


@pytest.mark.parametrize("format", ["grype", "nonsense"])
def test_a_format_that_the_scanner_may_not_send_gets_403(app: App, format: str) -> None:  # noqa: A002
    assert refused(app.scan(IMAGE, report(IMAGE), format=format), app) == (403, "format_not_allowed")


def test_the_format_may_be_written_in_any_casing(app: App) -> None:
    image = version("scans", "1.1.4")
    assert app.scan(image, report(image), format="Trivy").status_code == 202


NO_REPORTS = {
    "not JSON": b"not json",
    "empty": b"",
    "cut off": report(IMAGE)[:-500],
    "a list, as old versions wrote": b"[]",
    "of another schema version": b'{"SchemaVersion": 3, "Results": []}',
    "an object of something else": b'{"matches": []}',
    "of a system that was not recognised": report(IMAGE, "scan-without-system"),
    "UTF-16": '{"SchemaVersion": 2}'.encode("utf-16"),
    "nested without end": b"[" * 100_000,
}


@pytest.mark.parametrize("what", NO_REPORTS)
def test_a_body_that_is_no_report_gets_422_with_the_reason(app: App, what: str) -> None:
    assert refused(app.scan(IMAGE, NO_REPORTS[what]), app) == (422, "report_refused")


def test_a_report_over_the_limit_gets_413(app: App) -> None:
    body = report(IMAGE) + b" " * MAX_REPORT
    assert refused(app.scan(IMAGE, body), app) == (413, "too_large")


def test_a_compressed_report_is_signed_as_it_is_sent_and_kept_as_it_is_read(app: App) -> None:
    image = version("scans", "1.1.6")
    plain, body = (report(image) for _ in range(2))
    compressed = app.scan(image, gzip.compress(plain), headers={"content-encoding": "gzip"})
    assert compressed.status_code == 202
    assert app.scan(image, plain).json()["report"] == compressed.json()["report"]
    assert app.scan(image, gzip.compress(body)).status_code == 422


def test_what_is_no_gzip_gets_400(app: App) -> None:
    answer = app.scan(IMAGE, report(IMAGE), headers={"content-encoding": "gzip"})
    assert refused(answer, app) == (400, "report_refused")


def test_what_grows_over_the_limit_gets_413(app: App) -> None:
    bomb = gzip.compress(b"0" * 50 * MAX_REPORT)
    assert refused(app.scan(IMAGE, bomb, headers={"content-encoding": "gzip"}), app) == (413, "report_refused")


def test_another_encoding_gets_415(app: App) -> None:
    answer = app.scan(IMAGE, report(IMAGE), headers={"content-encoding": "br"})
    assert refused(answer, app) == (415, "content_encoding")


# --- of which image ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", [None, "", "nonsense", "/subscriptions/1", f"{IMAGE}/x", f"{IMAGE},{IMAGE}"])
def test_a_report_of_no_version_gets_400(app: App, image: str | None) -> None:
    assert refused(app.scan(image, report(IMAGE)), app) == (400, "invalid_image")


def test_a_report_of_a_version_outside_the_policy_gets_202_and_is_not_kept(app: App) -> None:
    stranger = version("stranger", "1.0.0")
    answer = app.scan(stranger, report(stranger))
    assert answer.status_code == 202
    assert "the policy does not cover gal_build/stranger/1.0.0" in answer.json()["status"]
    assert app.kept_reports(stranger) == []


def test_the_image_may_be_written_in_any_casing(app: App) -> None:
    image = version("scans", "1.1.5")
    answer = app.scan(str(image).upper(), report(image))
    assert answer.status_code == 202
    assert app.kept_reports(VersionId.parse(str(image))) == [answer.json()["report"]]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_gets_404(app: App, method: str) -> None:
    assert app.ask("/api/scans/trivy", method=method, image=str(IMAGE)).status_code == 404


# --- after all of that ------------------------------------------------------------------------------------------------


def test_a_report_older_than_its_version_is_told_of_and_the_next_one_decides(app: App) -> None:
    image = version("scans", "1.2.0")
    assert app.scan(image, report(image)).status_code == 202
    app.publish(image)
    waiting = app.awaiting_scan(image)
    assert any("is older than the version" in each["text"] for each in waiting["history"])
    assert app.scan(image, report(image, "critical-cve")).status_code == 202
    ended = app.settled(image)
    assert ended["state"] == "rejected"
    assert any("CVE-2021-44228" in reason for reason in ended["reasons"])
    assert app.machinery() == []
