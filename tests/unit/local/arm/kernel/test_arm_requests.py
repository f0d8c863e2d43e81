"""What ARM asks of and answers to every request."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from local.arm.kernel.fault_injection import BadRule, read_rules
from local.arm.kernel.messages import Incoming
from local.arm.world import BadWorld, seed
from tests.unit.local.arm.arm_driver import BASE, DEFINITION, GALLERY, GROUP, SUBSCRIPTION, VERSION, Arm, version_body


def test_a_request_without_a_token_is_refused(arm: Arm) -> None:
    outcome = arm.raw("GET", GALLERY, None, {"api-version": "2024-03-03"}, {})
    assert outcome.reply.status == 401
    assert outcome.reply.body["error"]["code"] == "AuthenticationFailed"
    assert outcome.reply.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_token_of_somebody_else_is_refused(arm: Arm) -> None:
    forged = arm.token[:-4] + "AAAA"
    outcome = arm.raw("GET", GALLERY, None, {"api-version": "2024-03-03"}, {"Authorization": f"Bearer {forged}"})
    assert outcome.reply.body["error"]["code"] == "InvalidAuthenticationToken"


def test_an_expired_token_is_refused(arm: Arm) -> None:
    arm.now += 2 * 10**9
    assert arm.error("GET", GALLERY)["code"] == "ExpiredAuthenticationToken"


def test_the_api_version_is_required_and_checked(arm: Arm) -> None:
    token = {"Authorization": f"Bearer {arm.token}"}
    missing = arm.raw("GET", GALLERY, None, {}, token).reply
    assert (missing.status, missing.body["error"]["code"]) == (400, "MissingApiVersionParameter")
    assert arm.error("GET", GALLERY, api="latest")["code"] == "InvalidApiVersionParameter"


def test_ids_are_read_in_any_casing_and_written_as_created(gallery_arm: Arm) -> None:
    found = gallery_arm.document(DEFINITION.replace("resourceGroups", "resourcegroups").upper())
    assert found["id"] == DEFINITION


def test_the_api_version_may_be_spelled_in_any_casing(gallery_arm: Arm) -> None:
    token = {"Authorization": f"Bearer {gallery_arm.token}"}
    assert gallery_arm.raw("GET", GALLERY, None, {"Api-Version": "2024-03-03"}, token).reply.status == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/subscriptions/99999999-9999-4999-8999-999999999999/resourceGroups/x", "SubscriptionNotFound"),
        (
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/nowhere/providers/Microsoft.Compute/galleries/g",
            "ResourceGroupNotFound",
        ),
        (f"{GROUP}/providers/Microsoft.Compute/galleries/none", "ResourceNotFound"),
        (f"{GROUP}/providers/Microsoft.Compute/galleries/none/images/i", "ParentResourceNotFound"),
        (f"{GROUP}/providers/Microsoft.Compute/unicorns/u", "InvalidResourceType"),
    ],
)
def test_what_is_not_there_is_a_404_with_its_code(arm: Arm, path: str, code: str) -> None:
    error = arm.error("GET", path)
    assert (error["status"], error["code"]) == (404, code)


def test_a_body_that_is_not_json_is_a_400(arm: Arm) -> None:
    headers = {"Authorization": f"Bearer {arm.token}", "Content-Type": "application/json"}
    reply = arm.kernel.handle(
        Incoming("PUT", GALLERY, {"api-version": "2024-03-03"}, headers, b"{", "https://arm")
    ).reply
    assert (reply.status, reply.body["error"]["code"]) == (400, "InvalidRequestContent")


def test_answers_carry_tracing_and_rate_headers(gallery_arm: Arm) -> None:
    headers = gallery_arm.call("GET", VERSION.rsplit("/", 1)[0]).headers
    assert headers["x-ms-ratelimit-remaining-resource"] == (
        "Microsoft.Compute/ListGalleryImageVersionsInGalleryImage3Min;1499,"
        "Microsoft.Compute/ListGalleryImageVersionsInGalleryImage30Min;9999"
    )
    assert int(headers["x-ms-ratelimit-remaining-subscription-reads"]) == 249
    assert headers["x-ms-routing-request-id"].endswith(headers["x-ms-correlation-request-id"])


def test_the_caller_s_correlation_id_is_kept(arm: Arm) -> None:
    headers = {"Authorization": f"Bearer {arm.token}", "x-ms-correlation-request-id": "abc"}
    reply = arm.raw("GET", BASE, None, {"api-version": "2024-07-01"}, headers).reply
    assert reply.headers["x-ms-correlation-request-id"] == "abc"


def test_reads_beyond_the_subscription_s_bucket_are_throttled_until_it_refills(arm: Arm) -> None:
    statuses = [arm.call("GET", BASE).status for _ in range(251)]
    assert statuses == [200] * 250 + [429]
    refused = arm.call("GET", BASE)
    assert refused.body["error"]["code"] == "SubscriptionRequestsThrottled"
    assert refused.headers["Retry-After"] == "1"
    arm.advance(1)
    assert arm.call("GET", BASE).status == 200


def test_a_compute_bucket_answers_with_compute_s_own_429(arm: Arm) -> None:
    for number in range(50):
        arm.advance(0.2)
        assert arm.call("PUT", f"{GALLERY}{number}", {"location": "westeurope"}).status == 201
    reply = arm.call("PUT", f"{GALLERY}x", {"location": "westeurope"})
    while reply.status < 400:
        reply = arm.call("PUT", f"{GALLERY}x", {"location": "westeurope"})
    detail = reply.body["error"]["details"][0]
    assert (reply.status, reply.body["error"]["code"], detail["code"]) == (
        429,
        "OperationNotAllowed",
        "TooManyRequests",
    )
    assert detail["target"] == "CreateUpdateGallery3Min"
    assert json.loads(detail["message"])["allowedRequestCount"] == 50
    assert int(reply.headers["Retry-After"]) in range(1, 5)


def test_a_planned_throttle_hits_the_nth_matching_call_alone(gallery_arm: Arm) -> None:
    match = {"method": "GET", "operation": "GalleryImages_Get"}
    gallery_arm.kernel.faults.replace(
        read_rules([{"match": match, "nth": 2, "fault": "throttle", "retry_after": 1200}])
    )
    statuses = [gallery_arm.call("GET", DEFINITION).status for _ in range(3)]
    assert statuses == [200, 429, 200]


def test_a_planned_error_does_nothing_to_the_state(gallery_arm: Arm) -> None:
    rule = {
        "match": {"method": "DELETE", "resource_regex": "/galleries/builds/images/"},
        "times": 1,
        "fault": "error",
        "status": 503,
    }
    gallery_arm.kernel.faults.replace(read_rules([rule]))
    assert gallery_arm.call("DELETE", DEFINITION).status == 503
    assert gallery_arm.document(DEFINITION)["properties"]["provisioningState"] == "Succeeded"
    assert gallery_arm.call("DELETE", DEFINITION).status == 202


def test_a_dropped_response_leaves_its_effect(gallery_arm: Arm) -> None:
    gallery_arm.kernel.faults.replace(read_rules([{"fault": "drop_response_after_effect", "times": 1}]))
    outcome = gallery_arm.send("PUT", VERSION, version_body())
    assert outcome.drop_after == 0
    assert gallery_arm.document(VERSION)["properties"]["provisioningState"] == "Creating"


def test_a_timeout_has_no_effect(gallery_arm: Arm) -> None:
    gallery_arm.kernel.faults.replace(read_rules([{"fault": "timeout", "times": 1, "seconds": 3}]))
    assert gallery_arm.send("PUT", VERSION, version_body()).drop_after == 3
    assert gallery_arm.call("GET", VERSION).status == 404


def test_a_planned_failure_ends_the_operation_and_marks_the_resource(gallery_arm: Arm) -> None:
    rule = {
        "match": {"method": "PUT"},
        "times": 1,
        "fault": "fail_operation",
        "code": "InternalExecutionError",
        "message": "no",
    }
    gallery_arm.kernel.faults.replace(read_rules([rule]))
    reply = gallery_arm.call("PUT", VERSION, version_body())
    gallery_arm.advance(3600)
    assert gallery_arm.operation(reply)["error"] == {"code": "InternalExecutionError", "message": "no"}
    assert gallery_arm.document(VERSION)["properties"]["provisioningState"] == "Failed"


def test_the_dice_of_a_fault_plan_are_seeded() -> None:
    def run(seed_value: int) -> list[int]:
        arm = Arm(seed=seed_value)
        arm.kernel.faults.replace(read_rules([{"fault": "error", "status": 500, "probability": 0.5}]))
        return [arm.call("GET", BASE).status for _ in range(30)]

    assert run(7) == run(7)
    assert run(7) != run(8)


@pytest.mark.parametrize(
    ("rules", "complaint"),
    [
        ({}, "a list"),
        ([{"fault": "unicorn"}], "rule 0: 'fault'"),
        ([{"fault": "throttle"}, {"fault": "error", "colour": "red"}], "rule 1: unknown fields colour"),
        ([{"fault": "error", "match": {"resource_regex": "("}}], "rule 0: resource_regex"),
    ],
)
def test_a_bad_rule_is_named(rules: object, complaint: str) -> None:
    with pytest.raises(BadRule, match=complaint):
        read_rules(rules)


@pytest.mark.parametrize(
    ("world", "complaint"),
    [
        ([], "a world is an object"),
        ({"planets": []}, "a world is an object"),
        ({"resources": [{"id": "/x", "location": "westeurope"}]}, "not the id"),
        ({"resources": [{"id": BASE + "2", "location": "atlantis"}]}, "no region 'atlantis'"),
        (
            {"resources": [{"id": BASE.replace("/images/providers", "/none/providers"), "location": "westus"}]},
            "no resource group",
        ),
        ({"resources": [{"id": f"{GALLERY}/images/i", "location": "westus"}]}, "there is no .*galleries/builds"),
    ],
)
def test_a_bad_world_is_refused_with_the_reason(arm: Arm, world: object, complaint: str) -> None:
    with pytest.raises(BadWorld, match=complaint):
        seed(arm.kernel, world)


def test_a_killed_simulator_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    arm = Arm(tmp_path / "arm.db")
    arm.make_definition()
    reply = arm.call("PUT", VERSION, version_body("northeurope"))
    arm.reopen(orderly=False)
    assert arm.operation(reply)["status"] == "InProgress"
    arm.advance(3 * 3600)
    assert arm.operation(reply)["status"] == "Succeeded"
    assert arm.document(VERSION)["properties"]["provisioningState"] == "Succeeded"
    assert [event["data"]["operationName"] for event in arm.events()][
        -1
    ] == "Microsoft.Compute/galleries/images/versions/write"


def test_what_fell_due_while_it_was_down_happens_at_its_own_time(tmp_path: Path) -> None:
    arm = Arm(tmp_path / "arm.db")
    arm.make_definition()
    reply = arm.call("PUT", VERSION, version_body())
    begun = arm.now
    arm.reopen()
    arm.now += 10 * 3600
    ended = arm.operation(reply)["endTime"]
    assert datetime.fromisoformat(ended).timestamp() - begun < 3600
