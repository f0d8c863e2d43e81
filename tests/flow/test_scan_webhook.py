"""The scan webhook over the memory adapters: who is let in, what is taken, and what becomes of it."""

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import azure.functions as func
import pytest

from shared.adapters.memory.report_source import MemoryReportSource
from shared.codec import decode_command
from shared.codec.report_references import CONTENT_TYPE
from shared.domain.image import DefinitionId, VersionId
from shared.domain.messages import Kind
from shared.domain.release import Gate, State
from shared.domain.signature import sign
from shared.ports import ReportRefused, Unavailable, World
from shared.settings import read_settings
from shared.triggers import event_grid, scan_webhook
from shared.triggers.http_responses import respond
from shared.triggers.runtime import Runtime
from tests.flow.rehearsal import SMALL, SOURCE, Rehearsal, small_report

KEY, OLDER, CI_KEY = "key-of-the-scanner", "older-key-of-the-scanner", "key-of-ci-0123456789"
CI_OBJECT = "0a0b0c0d-0000-4000-8000-00000000000a"
SETTINGS = {
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "RINGMASTER_WEBHOOK_KEYS": json.dumps(
        {
            "trivy": [KEY, OLDER],
            "ci": {"keys": [CI_KEY], "formats": ["trivy", "grype"], "definitions": ["gal_build/ubuntu"]},
            "other": {"keys": [CI_KEY], "definitions": ["gal_build/windows-*"]},
        }
    ),
    "RINGMASTER_WEBHOOK_PRINCIPALS": json.dumps({CI_OBJECT: {"name": "pipeline", "formats": ["trivy"]}}),
    "RINGMASTER_TRUST_EASYAUTH": "true",
    "RINGMASTER_MAX_REPORT_BYTES": "2000000",
}
HOST = "reports.example.com"
MINUTE = timedelta(minutes=1)


class Door:
    """The webhook of an app whose world is a rehearsal's."""

    def __init__(self, settings: Mapping[str, str] = SETTINGS) -> None:
        self.play = Rehearsal(SMALL)
        self.bodies: dict[str, bytes | Exception] = {}
        self.source = MemoryReportSource(self.bodies, {HOST}, most_bytes=2_000_000)
        self.play.host.world = replace(self.play.host.world, report_source=self.source)
        self.settings = read_settings(settings)

    @property
    def world(self) -> World:
        return self.play.host.world

    def instance(self) -> Runtime:
        """Another worker process over the same storage."""
        return Runtime(self.settings, _world=self.world)

    async def post(
        self,
        body: bytes,
        *,
        image: VersionId | str,
        scan_format: str = "trivy",
        key: str | None = KEY,
        headers: Mapping[str, str] | None = None,
        runtime: Runtime | None = None,
        later: timedelta = timedelta(0),
    ) -> tuple[int, dict[str, Any]]:
        """Send a body, signed where a key is given; the answer's status and document."""
        stamp = int(self.play.scheduler.now.timestamp())
        signed = {
            "x-ringmaster-timestamp": str(stamp),
            "x-ringmaster-signature": sign(stamp, body, key.encode()) if key else "",
        }
        request = func.HttpRequest(
            "POST",
            f"https://app.example/api/scans/{scan_format}",
            headers={**(signed if key else {}), **(headers or {})},
            params={"image": str(image)},
            route_params={"format": scan_format},
            body=body,
        )
        now = self.play.scheduler.now + later
        answer = await respond(
            scan_webhook.receive(request, runtime or self.instance(), now=now), include_details=False
        )
        return answer.status_code, json.loads(answer.get_body())

    async def refused(self, status: int, body: bytes, **given: Any) -> str:
        """The code of the refusal, which must have this status."""
        found, document = await self.post(body, **given)
        assert found == status, document
        assert document["error"]["message"]
        return document["error"]["code"]

    async def kept(self, version: VersionId) -> list[str]:
        """The formats of the reports that are kept of a version."""
        return [report.format for report in await self.world.evidence.reports(version)]

    def refusals(self) -> list[Mapping[str, Any]]:
        """Refused reports among the evidence."""
        documents = self.play.cloud.evidence.documents()
        return [document for name, document in documents.items() if "scan-refused" in name]

    def messages(self, kind: Kind) -> int:
        return sum(decode_command(each.body).kind is kind for each in self.play.cloud.queues.due())

    def history(self, version: VersionId) -> str:
        return "\n".join(line.text for line in self.play.release(version).history)


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def version(door: Door) -> VersionId:
    return door.play.publish(scan=None)


@pytest.fixture
def report(door: Door, version: VersionId) -> bytes:
    door.play.wait(minutes=10)
    return small_report("clean", version, door.play.scheduler.now)


def principal(object_id: str = CI_OBJECT, provider: str = "aad") -> dict[str, str]:
    document = {"auth_typ": provider, "claims": [{"typ": "oid", "val": object_id}]}
    return {"x-ms-client-principal": base64.b64encode(json.dumps(document).encode()).decode()}


def reference(body: bytes, url: str = f"https://{HOST}/r.json?sig=hidden") -> bytes:
    return json.dumps({"reportUrl": url, "sha256": sha256(body).hexdigest()}).encode()


AS_REFERENCE = {"content-type": f"{CONTENT_TYPE}; charset=utf-8"}
AS_GZIP = {"content-encoding": "gzip"}


# --- who is let in ----------------------------------------------------------------------------------------------------


async def test_a_signed_report_releases_its_version(door: Door, version: VersionId, report: bytes) -> None:
    status, document = await door.post(report, image=version)
    assert (status, sha256(report).hexdigest() in document["report"]) == (202, True)
    assert door.play.run().release(version).state is State.RELEASED


async def test_either_of_two_keys_counts(door: Door, version: VersionId, report: bytes) -> None:
    assert (await door.post(report, image=version, key=OLDER))[0] == 202


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"key": "a-key-of-nobody-at-all"}, "signature_wrong"),
        ({"key": None}, "signature_missing"),
        ({"later": 6 * MINUTE}, "signature_old"),
        ({"later": -6 * MINUTE}, "signature_future"),
        ({"headers": {"x-ringmaster-signature": "v1=abc"}}, "signature_malformed"),
        ({"scan_format": "sarif"}, "unknown_scanner"),
        ({"headers": {"x-ringmaster-scanner": "nobody"}}, "unknown_scanner"),
        ({"headers": {"x-ringmaster-scanner": "ci"}}, "signature_wrong"),
    ],
)
async def test_who_cannot_prove_it_is_not_let_in(
    door: Door, version: VersionId, report: bytes, given: Any, code: str
) -> None:
    assert await door.refused(401, report, image=version, **given) == code
    assert (await door.kept(version), door.refusals(), door.messages(Kind.SCAN)) == ([], [], 0)


async def test_a_body_that_was_changed_is_not_let_in(door: Door, version: VersionId, report: bytes) -> None:
    stamp = int(door.play.scheduler.now.timestamp())
    headers = {"x-ringmaster-signature": sign(stamp, report, KEY.encode())}
    assert await door.refused(401, report + b" ", image=version, headers=headers) == "signature_wrong"


async def test_a_scanner_signs_with_its_own_key_and_name(door: Door, version: VersionId, report: bytes) -> None:
    given = {"image": version, "key": CI_KEY, "headers": {"x-ringmaster-scanner": "CI"}}
    assert (await door.post(report, **given))[0] == 202


async def test_a_scanner_may_not_speak_of_other_definitions(door: Door, version: VersionId, report: bytes) -> None:
    given = {"image": version, "key": CI_KEY, "headers": {"x-ringmaster-scanner": "other"}}
    assert await door.refused(403, report, **given) == "definition_not_allowed"
    assert await door.kept(version) == []


@pytest.mark.parametrize("scanner", [{"key": KEY, "headers": {"x-ringmaster-scanner": "trivy"}}])
async def test_a_scanner_may_not_send_other_formats(
    door: Door, version: VersionId, report: bytes, scanner: Any
) -> None:
    assert await door.refused(403, report, image=version, scan_format="sarif", **scanner) == "format_not_allowed"


async def test_a_principal_on_the_list_needs_no_signature(door: Door, version: VersionId, report: bytes) -> None:
    status, _ = await door.post(report, image=version, key=None, headers=principal(CI_OBJECT.upper()))
    assert status == 202


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (principal("11111111-0000-4000-8000-000000000000"), "unknown_principal"),
        (principal(provider="github"), "principal_unreadable"),
        ({"x-ms-client-principal": "rubbish"}, "principal_unreadable"),
        ({"x-ms-client-principal-id": CI_OBJECT}, "signature_missing"),
    ],
)
async def test_another_principal_is_not_let_in(
    door: Door, version: VersionId, report: bytes, headers: dict[str, str], code: str
) -> None:
    assert await door.refused(401, report, image=version, scan_format="trivy", key=None, headers=headers) == code


async def test_a_principal_is_held_to_its_formats(door: Door, version: VersionId, report: bytes) -> None:
    given = {"image": version, "key": None, "headers": principal()}
    assert await door.refused(403, report, scan_format="sarif", **given) == "format_not_allowed"


async def test_without_trust_the_principal_s_header_is_worth_nothing(version: VersionId) -> None:
    trusting = {"RINGMASTER_WEBHOOK_PRINCIPALS", "RINGMASTER_TRUST_EASYAUTH"}
    door = Door({name: value for name, value in SETTINGS.items() if name not in trusting})
    assert await door.refused(401, b"{}", image=version, key=None, headers=principal()) == "signature_missing"


async def test_a_wrong_signature_beside_a_principal_is_wrong(door: Door, version: VersionId, report: bytes) -> None:
    given = {"image": version, "key": "a-key-of-nobody-at-all", "headers": principal()}
    assert await door.refused(401, report, **given) == "signature_wrong"


# --- replays ----------------------------------------------------------------------------------------------------------


async def test_a_request_is_taken_once_over_all_instances(door: Door, version: VersionId, report: bytes) -> None:
    assert (await door.post(report, image=version))[0] == 202
    assert await door.refused(409, report, image=version, runtime=door.instance()) == "replayed"


async def test_a_captured_request_cannot_be_used_for_another_image(
    door: Door, version: VersionId, report: bytes
) -> None:
    other = door.play.publish("2.0.0", scan=None)
    await door.post(report, image=version)
    assert await door.refused(409, report, image=other, later=4 * MINUTE) == "replayed"
    assert await door.kept(other) == []


async def test_a_request_with_two_signatures_cannot_be_used_again_with_one_of_them(
    door: Door, version: VersionId, report: bytes
) -> None:
    other = door.play.publish("2.0.0", scan=None)
    stamp = int(door.play.scheduler.now.timestamp())
    newer, older = sign(stamp, report, KEY.encode()), sign(stamp, report, OLDER.encode())
    both = {"x-ringmaster-timestamp": str(stamp), "x-ringmaster-signature": f"{newer},{older}"}
    assert (await door.post(report, image=version, key=None, headers=both))[0] == 202
    older_alone = {**both, "x-ringmaster-signature": older}
    assert await door.refused(409, report, image=other, key=None, headers=older_alone) == "replayed"


@pytest.mark.parametrize(
    "first", ["", str(DefinitionId(SOURCE.gallery, "unknown")) + "/versions/1.0.0"], ids=["unreadable", "not covered"]
)
async def test_a_request_that_came_to_nothing_cannot_be_used_again_either(
    door: Door, version: VersionId, report: bytes, first: str
) -> None:
    assert (await door.post(report, image=first))[0] in {202, 400}
    assert await door.refused(409, report, image=version) == "replayed"


async def test_a_request_is_remembered_as_long_as_its_time_counts(
    door: Door, version: VersionId, report: bytes
) -> None:
    """Sent ahead of our clock by the tolerance, it counts for twice that; the memory must not be shorter."""
    assert (await door.post(report, image=version, later=-5 * MINUTE))[0] == 202
    await door.world.ledger.purge_claims(now=door.play.scheduler.now + 5 * MINUTE)
    assert await door.refused(409, report, image=version, later=5 * MINUTE) == "replayed"


async def test_the_same_report_signed_anew_is_one_report(door: Door, version: VersionId, report: bytes) -> None:
    await door.post(report, image=version)
    door.play.wait(minutes=1)
    assert (await door.post(report, image=version))[0] == 202
    assert await door.kept(version) == ["trivy"]
    door.play.run()
    assert [gate.gate for gate in door.play.release(version).gates].count(Gate.SCAN) == 1


# --- what is taken ----------------------------------------------------------------------------------------------------


async def test_the_signature_of_a_gzip_body_is_over_what_was_sent(
    door: Door, version: VersionId, report: bytes
) -> None:
    status, document = await door.post(gzip.compress(report), image=version, headers=AS_GZIP)
    assert status == 202
    assert await door.world.evidence.read_report(document["report"]) == report


async def test_plain_and_gzip_are_the_same_report(door: Door, version: VersionId, report: bytes) -> None:
    await door.post(report, image=version)
    await door.post(gzip.compress(report), image=version, headers=AS_GZIP)
    assert await door.kept(version) == ["trivy"]


@pytest.mark.parametrize(
    ("body", "status"),
    [(gzip.compress(bytes(2_000_001)), 413), (b"no gzip at all", 400), (gzip.compress(b"{}" * 50)[:-9], 400)],
    ids=["bomb", "no gzip", "cut off"],
)
async def test_gzip_that_is_none_or_too_much_is_refused_and_told(
    door: Door, version: VersionId, report: bytes, body: bytes, status: int
) -> None:
    assert await door.refused(status, body, image=version, headers=AS_GZIP) == "report_refused"
    (document,) = door.refusals()
    assert (document["sender"], document["sha256"]) == ("trivy", sha256(body).hexdigest())
    door.play.wait(minutes=1)
    assert "gzip" in door.history(version)


async def test_another_encoding_is_not_understood(door: Door, version: VersionId, report: bytes) -> None:
    given = {"image": version, "headers": {"content-encoding": "br"}}
    assert await door.refused(415, report, **given) == "content_encoding"


async def test_a_body_over_the_limit_is_refused_before_anything(door: Door, version: VersionId) -> None:
    assert await door.refused(413, bytes(2_000_001), image=version, key="whatever-key-there-is") == "too_large"


@pytest.mark.parametrize("body", [b"", b"{}", b"not json", b'{"SchemaVersion": 2'])
async def test_a_report_that_is_none_is_refused_kept_out_and_told(
    door: Door, version: VersionId, report: bytes, body: bytes
) -> None:
    assert await door.refused(422, body, image=version) == "report_refused"
    assert await door.kept(version) == []
    (document,) = door.refusals()
    assert (document["answer"], document["format"], document["sha256"]) == (
        "refused",
        "trivy",
        sha256(body).hexdigest(),
    )
    assert document["reasons"][0]
    door.play.wait(minutes=1)
    assert sha256(body).hexdigest()[:16] in door.history(version)


async def test_the_same_refusal_twice_is_told_once(door: Door, version: VersionId, report: bytes) -> None:
    await door.post(b"{}", image=version)
    door.play.wait(minutes=1)
    await door.post(b"{}", image=version)
    door.play.wait(minutes=1)
    assert len(door.refusals()) == 1
    assert door.history(version).count(sha256(b"{}").hexdigest()[:16]) == 1


async def test_a_refused_report_of_an_unknown_version_is_kept_among_the_evidence(door: Door) -> None:
    unheard = VersionId.parse(f"{SOURCE}/versions/9.9.9")
    await door.post(b"{}", image=unheard)
    assert [document["version"] for document in door.refusals()] == [str(unheard)]


async def test_a_report_of_what_the_policy_does_not_cover_is_ignored(door: Door, report: bytes) -> None:
    stranger = f"{DefinitionId(SOURCE.gallery, 'unknown')}/versions/1.0.0"
    status, document = await door.post(report, image=stranger)
    assert (status, "ignored" in document["status"]) == (202, True)


async def test_a_report_that_proves_no_scan_is_evidence_of_a_refusal_by_the_gate(door: Door) -> None:
    version = door.play.publish(scan="scan-without-system")
    door.play.wait(1)
    (document,) = door.refusals()
    assert (document["report"] is not None, document["incarnation"]) == (True, door.play.release(version).incarnation)


async def test_a_format_that_is_not_named_is_found(door: Door, version: VersionId, report: bytes) -> None:
    given = {"image": version, "scan_format": "auto", "headers": {"x-ringmaster-scanner": "trivy"}}
    assert (await door.post(report, **given))[0] == 202
    assert await door.kept(version) == ["trivy"]
    assert await door.refused(422, b"{}", **given) == "report_refused"


async def test_a_format_that_is_found_must_be_allowed(door: Door, version: VersionId, report: bytes) -> None:
    sarif = b'{"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": []}'
    given = {"image": version, "scan_format": "auto", "headers": {"x-ringmaster-scanner": "trivy"}}
    status, document = await door.post(sarif, **given)
    assert status in {403, 422}, document
    assert await door.kept(version) == []


# --- by reference -----------------------------------------------------------------------------------------------------


async def test_a_report_by_reference_is_fetched_from_the_queue(door: Door, version: VersionId, report: bytes) -> None:
    door.bodies[f"https://{HOST}/r.json?sig=hidden"] = report
    status, document = await door.post(reference(report), image=version, headers=AS_REFERENCE)
    assert (status, door.source.opened) == (202, [])
    assert "hidden" not in json.dumps(document)
    assert door.play.run().release(version).state is State.RELEASED
    assert len(door.source.opened) == 1


async def test_a_reference_that_comes_before_its_version_is_not_lost(door: Door) -> None:
    version = VersionId.parse(f"{SOURCE}/versions/1.0.0")
    body = small_report("clean", version, door.play.scheduler.now + 10 * MINUTE)
    door.bodies[f"https://{HOST}/r.json?sig=hidden"] = body
    await door.post(reference(body), image=version, headers=AS_REFERENCE)
    door.play.wait(minutes=5)
    assert await door.kept(version) == ["trivy"]


async def test_a_reference_to_what_is_kept_is_not_fetched_again(door: Door, version: VersionId, report: bytes) -> None:
    await door.post(report, image=version)
    await door.post(reference(report), image=version, headers=AS_REFERENCE)
    door.play.wait(minutes=5)
    assert (await door.kept(version), door.source.opened) == (["trivy"], [])


async def test_a_host_that_is_not_on_the_list_is_refused_at_once_and_told(
    door: Door, version: VersionId, report: bytes
) -> None:
    body = reference(report, "https://169-254-169-254.example/r.json?sig=hidden")
    assert await door.refused(422, body, image=version, headers=AS_REFERENCE) == "reference_refused"
    (document,) = door.refusals()
    assert document["reference"] == "https://169-254-169-254.example/r.json"
    door.play.wait(minutes=1)
    assert "RINGMASTER_REPORT_HOSTS" in door.history(version)
    assert (door.source.opened, "hidden" in door.history(version)) == ([], False)


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b'{"reportUrl": "https://reports.example.com/x", "sha256": "short"}', b" " * 20_000],
)
async def test_a_reference_that_is_none_is_refused(door: Door, version: VersionId, body: bytes) -> None:
    assert await door.refused(400, body, image=version, headers=AS_REFERENCE) == "invalid_reference"


async def test_a_reference_needs_its_format(door: Door, version: VersionId, report: bytes) -> None:
    headers = {**AS_REFERENCE, "x-ringmaster-scanner": "trivy"}
    given = {"image": version, "scan_format": "auto", "headers": headers}
    assert await door.refused(422, reference(report), **given) == "unknown_format"


async def test_what_lies_there_with_another_digest_is_refused_and_told(
    door: Door, version: VersionId, report: bytes
) -> None:
    door.bodies[f"https://{HOST}/r.json?sig=hidden"] = report + b" "
    await door.post(reference(report), image=version, headers=AS_REFERENCE)
    door.play.wait(minutes=5)
    (document,) = door.refusals()
    assert (document["code"], document["reference"], await door.kept(version)) == (
        "digest",
        f"https://{HOST}/r.json",
        [],
    )
    assert "was expected" in door.history(version)


async def test_a_refusal_of_the_source_is_told_and_not_tried_again(
    door: Door, version: VersionId, report: bytes
) -> None:
    door.bodies[f"https://{HOST}/r.json?sig=hidden"] = ReportRefused("address", "it is at 10.0.0.4")
    await door.post(reference(report), image=version, headers=AS_REFERENCE)
    door.play.wait(minutes=30)
    assert len(door.source.opened) == 1
    assert "it is at 10.0.0.4" in door.history(version)


async def test_a_source_that_is_away_is_asked_again(door: Door, version: VersionId, report: bytes) -> None:
    url = f"https://{HOST}/r.json?sig=hidden"
    door.bodies[url] = Unavailable("away")
    await door.post(reference(report), image=version, headers=AS_REFERENCE)
    door.play.wait(minutes=30)
    assert 3 <= len(door.source.opened) <= 15
    door.bodies[url] = report
    assert door.play.run().release(version).state is State.RELEASED


async def test_a_source_that_stays_away_is_given_up_and_told(door: Door, version: VersionId, report: bytes) -> None:
    door.bodies[f"https://{HOST}/r.json?sig=hidden"] = Unavailable("away")
    await door.post(reference(report), image=version, headers=AS_REFERENCE)
    door.play.wait(8)
    asked = len(door.source.opened)
    assert [document["code"] for document in door.refusals()] == ["not-fetched"]
    assert "could not be downloaded by" in door.history(version)
    door.play.wait(8)
    assert len(door.source.opened) == asked


async def test_a_fetch_that_fails_as_nobody_foresaw_is_told_without_its_secrets(
    door: Door, version: VersionId, report: bytes
) -> None:
    door.bodies[f"https://{HOST}/r.json?sig=hidden"] = RuntimeError("nobody foresaw this")
    await door.post(reference(report), image=version, headers=AS_REFERENCE)
    door.play.wait(8)
    assert [document["code"] for document in door.refusals()] == ["not-fetched"]
    assert "every attempt to download it failed" in door.history(version)
    assert (door.play.letters(), "hidden" in json.dumps(door.refusals())) == ([], False)


async def test_an_outage_of_storage_that_outlasts_every_attempt_loses_no_report(
    door: Door, version: VersionId, report: bytes
) -> None:
    door.bodies[f"https://{HOST}/r.json?sig=hidden"] = RuntimeError("neither blobs nor queues answer")
    await door.post(reference(report), image=version, headers=AS_REFERENCE)
    door.play.wait(1)
    door.bodies[f"https://{HOST}/r.json?sig=hidden"] = report
    assert door.play.run().release(version).state is State.RELEASED


# --- events -----------------------------------------------------------------------------------------------------------


async def deliver(door: Door, version: VersionId, **data: Any) -> None:
    """Event Grid delivers that a scan finished."""
    event = func.CloudEvent(
        id="1",
        source="/scanner",
        type="Ringmaster.ScanFinished",
        specversion="1.0",
        time=door.play.scheduler.now,
        data={"image": str(version), **data},
    )
    await event_grid.scan_completed(event, door.instance(), now=door.play.scheduler.now)


async def test_an_event_may_name_where_the_report_lies(door: Door, version: VersionId, report: bytes) -> None:
    url = f"https://{HOST}/r.json"
    door.bodies[url] = report
    await deliver(door, version, format="trivy", reportUrl=url, sha256=sha256(report).hexdigest())
    assert door.play.run().release(version).state is State.RELEASED


async def test_an_event_s_host_must_be_on_the_list_too(door: Door, version: VersionId, report: bytes) -> None:
    await deliver(door, version, format="trivy", reportUrl="https://evil.example/r.json", sha256="0" * 64)
    (document,) = door.refusals()
    assert (document["code"], document["sender"]) == ("host", "an event")


async def test_an_event_may_carry_a_report_without_its_format(door: Door, version: VersionId, report: bytes) -> None:
    await deliver(door, version, format="auto", report=json.loads(report))
    assert await door.kept(version) == ["trivy"]
    await deliver(door, version, format="auto", report={"what": "is this"})
    assert len(door.refusals()) == 1
