"""What a fault plan can put in force for a time: things that are not found, terms, a policy."""

import json
from typing import Any

import pytest

from local.arm.kernel.fault_injection import BadRule, read_rules
from tests.unit.local.arm.arm_driver import (
    BASE,
    COMPUTE,
    DEFINITION,
    GALLERY,
    GROUP,
    OTHER_GROUP,
    OTHER_SUBSCRIPTION,
    SUBSCRIPTION,
    VERSION,
    Arm,
    version_body,
)
from tests.unit.local.arm.machine_driver import MACHINE, SCALE_SET, image, machine, scale_set, with_network

PLAN = {"name": "rhel-9", "publisher": "redhat", "product": "rhel-byos"}


def befall(arm: Arm, fault: str, **rule: Any) -> None:
    arm.kernel.faults.replace(read_rules([{"fault": fault} | rule]))


def test_a_subscription_is_not_found_for_as_long_as_planned(arm: Arm) -> None:
    befall(arm, "subscription-not-found", after=60, lasting=180, match={"resource_regex": SUBSCRIPTION})
    assert arm.call("GET", BASE).status == 200
    arm.advance(61)
    error = arm.error("GET", BASE)
    assert (error["status"], error["code"]) == (404, "SubscriptionNotFound")
    assert error["message"] == f"The subscription '{SUBSCRIPTION}' could not be found."
    assert arm.call("GET", f"/subscriptions/{OTHER_SUBSCRIPTION}", api="2022-12-01").status == 200
    arm.advance(180)
    assert arm.call("GET", BASE).status == 200


def test_times_of_a_plan_are_azure_s(arm: Arm) -> None:
    fast = Arm(speed=60)
    befall(fast, "subscription-not-found", after=60, lasting=60)
    for seconds, status in ((0.5, 200), (1.0, 404), (1.0, 200)):
        fast.advance(seconds)
        assert fast.call("GET", BASE).status == status


def test_a_plan_s_time_outlives_a_restart(tmp_path: Any) -> None:
    kept = Arm(tmp_path / "arm.db")
    befall(kept, "subscription-not-found", after=60)
    kept.kernel.store.commit()
    kept.now += 61
    kept.reopen()
    assert kept.error("GET", BASE)["code"] == "SubscriptionNotFound"


def test_a_group_is_not_found_and_others_are(arm: Arm) -> None:
    befall(arm, "group-not-found", match={"resource_regex": f"{GROUP}(/|$)"})
    for path in (BASE, GROUP, f"{COMPUTE}/galleries"):
        assert arm.error("GET", path)["code"] == "ResourceGroupNotFound"
    assert arm.call("GET", OTHER_GROUP, api="2021-04-01").status == 200


def test_a_gallery_is_missed_itself_and_as_a_parent(gallery_arm: Arm) -> None:
    befall(gallery_arm, "gallery-not-found")
    assert gallery_arm.error("GET", GALLERY)["code"] == "ResourceNotFound"
    for path in (DEFINITION, VERSION, f"{GALLERY}/images", f"{DEFINITION}/versions"):
        error = gallery_arm.error("GET", path)
        assert (error["status"], error["code"]) == (404, "ParentResourceNotFound")
    error = gallery_arm.error("PUT", VERSION, version_body())
    assert error["message"] == (
        "Failed to perform 'write' on resource(s) of type 'galleries/images/versions', because the parent resource "
        f"'{DEFINITION}' could not be found."
    )
    assert gallery_arm.call("GET", BASE).status == 200


@pytest.mark.parametrize(("path", "body"), [(MACHINE, machine), (SCALE_SET, scale_set)])
def test_terms_that_nobody_accepted_are_told_at_once(arm: Arm, path: str, body: Any) -> None:
    image(with_network(arm), purchasePlan=PLAN)
    befall(arm, "terms-not-accepted")
    error = arm.error("PUT", path, body(plan=PLAN), api="2024-07-01")
    assert (error["status"], error["code"]) == (400, "ResourcePurchaseValidationFailed")
    assert (
        f"You have not accepted the legal terms on this subscription: '{SUBSCRIPTION}' for this plan."
        in error["message"]
    )
    assert "publisher='redhat' offer = 'rhel-byos', sku = 'rhel-9'" in error["message"]
    assert arm.call("PUT", path, body(), api="2024-07-01").status == 201  # without a plan, nothing is bought


def test_a_template_is_refused_before_anything_is_made(arm: Arm) -> None:
    image(with_network(arm), purchasePlan=PLAN)
    befall(arm, "terms-not-accepted")
    one = machine(plan=PLAN) | {
        "type": "Microsoft.Compute/virtualMachines",
        "name": "probe",
        "apiVersion": "2024-07-01",
    }
    deployment = f"{GROUP}/providers/Microsoft.Resources/deployments/one"
    error = arm.error("PUT", deployment, {"properties": {"template": {"resources": [one]}}}, api="2022-09-01")
    assert error["code"] == "MarketplacePurchaseEligibilityFailed"
    assert "Legal terms have not been accepted for this item" in error["details"][0]["message"]


def test_a_policy_demands_its_tags_of_what_is_written(gallery_arm: Arm) -> None:
    befall(gallery_arm, "tag-policy", tags=["Owner"])
    error = gallery_arm.error("PUT", VERSION, version_body())
    assert (error["status"], error["code"], error["target"]) == (403, "RequestDisallowedByPolicy", "1.0.0")
    head, _, listed = error["message"].partition(" Policy identifiers: ")
    assert head == "Resource '1.0.0' was disallowed by policy."
    (policy,) = json.loads(listed.strip("'.").removesuffix("'"))
    assert policy["policyDefinition"]["id"].startswith("/providers/Microsoft.Authorization/policyDefinitions/")
    info = error["additionalInfo"][0]["info"]
    assert info["policyDefinitionEffect"] == "Deny"
    assert info["evaluationDetails"]["evaluatedExpressions"][0]["operator"] == "Exists"
    assert gallery_arm.call("PUT", VERSION, version_body() | {"tags": {"owner": "me"}}).status == 201


def test_a_patch_is_judged_by_what_would_be_there(gallery_arm: Arm) -> None:
    gallery_arm.call("PUT", VERSION, version_body() | {"tags": {"owner": "me"}})
    gallery_arm.advance(3 * 3600)
    befall(gallery_arm, "tag-policy", tags=["owner"])
    change = {"properties": {"publishingProfile": {"excludeFromLatest": True}}}
    assert gallery_arm.call("PATCH", VERSION, change).status == 200
    assert gallery_arm.error("PATCH", VERSION, change | {"tags": {}})["code"] == "RequestDisallowedByPolicy"


def test_a_condition_counts_only_the_requests_that_it_is_about(gallery_arm: Arm) -> None:
    befall(gallery_arm, "gallery-not-found", times=1)
    gallery_arm.call("GET", BASE)
    assert gallery_arm.error("GET", GALLERY)["code"] == "ResourceNotFound"
    assert gallery_arm.call("GET", GALLERY).status == 200


@pytest.mark.parametrize("rule", [{"fault": "tag-policy"}, {"fault": "error", "tags": ["a"]}, {"fault": "moon"}])
def test_a_bad_rule_is_named(rule: dict[str, Any]) -> None:
    with pytest.raises(BadRule, match="rule 0"):
        read_rules([rule])
