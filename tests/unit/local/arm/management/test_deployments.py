"""Template deployments write their resources in order, and say what they cannot do."""

from typing import Any

import pytest

from tests.unit.local.arm.arm_driver import GALLERY, GROUP, Arm

ONE = f"{GROUP}/providers/Microsoft.Resources/deployments/d1"
NAME = "[parameters('gallery')]"
API = {"apiVersion": "2024-03-03"}


def _template(*resources: dict[str, Any]) -> dict[str, Any]:
    parameters = {"gallery": {"type": "string", "defaultValue": "builds"}}
    template = {"parameters": parameters, "variables": {"where": "westeurope"}, "resources": list(resources)}
    return {"properties": {"mode": "Incremental", "template": template}}


def _gallery() -> dict[str, Any]:
    return {"type": "Microsoft.Compute/galleries", "name": NAME, "location": "[variables('where')]", **API}


def _definition(os_type: str = "Linux") -> dict[str, Any]:
    identifier = {"publisher": "p", "offer": "o", "sku": "s"}
    return {
        "type": "Microsoft.Compute/galleries/images",
        "name": "[concat(parameters('gallery'), '/ubuntu')]",
        "location": "westeurope",
        "dependsOn": ["[resourceId('Microsoft.Compute/galleries', parameters('gallery'))]"],
        "properties": {"osType": os_type, "osState": "Generalized", "identifier": identifier},
        **API,
    }


def test_what_depends_on_something_is_written_after_it(arm: Arm) -> None:
    reply = arm.call("PUT", ONE, _template(_definition(), _gallery()), api="2022-09-01")
    assert (reply.status, reply.body["properties"]["provisioningState"]) == (201, "Accepted")
    assert arm.operation(reply)["status"] == "Running"
    for _ in range(12):
        arm.advance(5)
    assert arm.operation(reply) == {"status": "Succeeded"}
    assert arm.document(f"{GALLERY}/images/ubuntu")["properties"]["provisioningState"] == "Succeeded"
    made = [event["data"]["operationName"] for event in arm.events()]
    kinds = ("Resources/deployments", "Compute/galleries", "Compute/galleries/images")
    assert made == [f"Microsoft.{kind}/write" for kind in kinds]  # the deployment's own comes first (azure-docs#12166)


def test_a_refused_resource_fails_the_deployment_with_its_error(arm: Arm) -> None:
    reply = arm.call("PUT", ONE, _template(_gallery(), _definition("BeOS")), api="2022-09-01")
    for _ in range(12):
        arm.advance(5)
    error = arm.operation(reply)["error"]
    assert (error["code"], error["details"][0]["code"]) == ("DeploymentFailed", "InvalidParameter")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "[uniqueString('x')]"}, "function 'uniqueString' is not known"),
        ({"name": "[parameters('none')]"}, "parameter 'none' is not found"),
        ({"name": "a/b"}, "incorrect segment lengths"),
        ({"apiVersion": ""}, "has no 'apiVersion'"),
    ],
)
def test_a_template_that_cannot_be_read_makes_nothing(arm: Arm, change: dict[str, str], complaint: str) -> None:
    error = arm.error("PUT", ONE, _template(_gallery() | change), api="2022-09-01")
    assert error["code"] == "InvalidTemplate"
    assert complaint in error["message"]
    assert arm.call("GET", GALLERY).status == 404
