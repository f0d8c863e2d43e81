"""What a version may be made of: a source that is there, and that is what the definition says."""

from typing import Any

import pytest

from local.arm import world
from tests.unit.local.arm.arm_driver import BASE, COMPUTE, DEFINITION, GALLERY, VERSION, Arm, version_body

OTHER = f"{GALLERY}/images/other"
COPY = f"{OTHER}/versions/1.0.0"
PLAN = {"name": "n", "publisher": "p", "product": "o"}
DISK = f"{COMPUTE}/snapshots/os"
MACHINE = f"{COMPUTE}/virtualMachines/vm"


def define(arm: Arm, path: str, **properties: Any) -> None:
    identifier = {"publisher": "p", "offer": "o", "sku": path.rsplit("/", 1)[1]}
    facts = {"osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V2", "identifier": identifier}
    arm.call("PUT", GALLERY, {"location": "westeurope"})
    reply = arm.call("PUT", path, {"location": "westeurope", "properties": facts | properties})
    assert reply.status == 201, reply.body
    arm.advance(5)


def feature(value: str) -> list[dict[str, str]]:
    return [{"name": "SecurityType", "value": value}]


def plant(arm: Arm, resource_id: str, **properties: Any) -> None:
    world.seed(arm.kernel, {"resources": [{"id": resource_id, "location": "westeurope", "properties": properties}]})


@pytest.fixture
def arm(arm: Arm) -> Arm:
    base = arm.store.get(BASE)
    assert base is not None
    base.properties["hyperVGeneration"] = "V2"
    return arm


@pytest.mark.parametrize(
    ("of_source", "of_copy"),
    [("TrustedLaunchSupported", "Standard"), ("Standard", "TrustedLaunchSupported"), (None, "TrustedLaunch")],
)
def test_a_version_is_not_copied_into_another_security_type(arm: Arm, of_source: str | None, of_copy: str) -> None:
    define(arm, DEFINITION, **({"features": feature(of_source)} if of_source else {}))
    define(arm, OTHER, features=feature(of_copy))
    arm.make_version()
    error = arm.error("PUT", COPY, version_body(source=VERSION))
    assert (error["status"], error["code"]) == (409, "Conflict")
    assert error["message"] == (
        f"The resource with id '{VERSION}' has a different security type ['{of_source or 'Standard'}'] than the parent "
        f"gallery image security type ['{of_copy}']."
    )


def test_a_version_is_copied_into_the_same_security_type(arm: Arm) -> None:
    for path in (DEFINITION, OTHER):
        define(arm, path, features=feature("trustedlaunchsupported"))
    arm.make_version()
    assert arm.make_version(COPY, source=VERSION).status == 201


def test_a_named_standard_is_no_other_type_than_none(arm: Arm) -> None:
    define(arm, DEFINITION)
    define(arm, OTHER, features=feature("Standard"))
    arm.make_version()
    assert arm.make_version(COPY, source=VERSION).status == 201


@pytest.mark.parametrize("wanted", ["TrustedLaunchSupported", "ConfidentialVMSupported"])
@pytest.mark.parametrize("source", [DISK, MACHINE])
def test_machines_and_disks_are_no_sources_of_images_that_support_a_type(arm: Arm, wanted: str, source: str) -> None:
    define(arm, DEFINITION, features=feature(wanted))
    plant(arm, source, storageProfile={"osDisk": {"osType": "Linux"}})
    made = arm.store.get(source)
    assert made is not None
    made.sim["generalized"] = True
    error = arm.error("PUT", VERSION, version_body(source=source))
    assert (error["status"], error["code"]) == (400, "InvalidParameter")
    assert "Currently only Vhd Blob, User Image and Gallery Image Version sources are supported" in error["message"]


@pytest.mark.parametrize(("its", "wanted"), [("TrustedLaunch", "Standard"), (None, "TrustedLaunch")])
def test_a_machine_of_another_security_type_is_no_source(arm: Arm, its: str | None, wanted: str) -> None:
    define(arm, DEFINITION, features=feature(wanted))
    plant(arm, MACHINE, storageProfile={"osDisk": {"osType": "Linux"}}, securityProfile={"securityType": its})
    made = arm.store.get(MACHINE)
    assert made is not None
    made.sim["generalized"] = True
    assert "has a different security type" in arm.error("PUT", VERSION, version_body(source=MACHINE))["message"]


def test_an_unknown_security_type_and_one_of_generation_1_are_refused(arm: Arm) -> None:
    arm.call("PUT", GALLERY, {"location": "westeurope"})
    identifier = {"publisher": "p", "offer": "o", "sku": "s"}
    facts = {"osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V2", "identifier": identifier}
    for change in ({"features": feature("Shielded")}, {"features": feature("TrustedLaunch"), "hyperVGeneration": "V1"}):
        error = arm.error("PUT", DEFINITION, {"location": "westeurope", "properties": facts | change})
        assert (error["code"], error["target"]) == ("InvalidParameter", "galleryImage.properties.features")


def test_confidential_versions_stay_in_their_region(arm: Arm) -> None:
    define(arm, DEFINITION, features=feature("ConfidentialVM"))
    plant(arm, DISK, osType="Linux")
    assert "ConfidentialVM" in arm.error("PUT", VERSION, version_body("northeurope", source=DISK))["message"]
    assert arm.call("PUT", VERSION, version_body(source=DISK)).status == 201


@pytest.mark.parametrize("wanted", [None, PLAN | {"name": "other"}])
def test_a_version_keeps_the_plan_that_it_was_bought_with(arm: Arm, wanted: dict[str, str] | None) -> None:
    define(arm, DEFINITION, purchasePlan=PLAN)
    define(arm, OTHER, **({"purchasePlan": wanted} if wanted else {}))
    arm.make_version()
    message = arm.error("PUT", COPY, version_body(source=VERSION))["message"]
    assert message.startswith(f'The resource with id \'{VERSION}\' has a different plan [\'{{"name":"n"')
    assert message.endswith("['null']." if wanted is None else '"product":"o"}\'].')


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"hyperVGeneration": "V1"}, "different Hypervisor generation ['V2'] than the parent gallery image Hypervisor"),
        (
            {"osType": "Windows"},
            "different OS type ['Linux'] than the parent gallery image OS type generation ['Windows",
        ),
    ],
)
def test_a_source_of_another_kind_is_refused(arm: Arm, facts: dict[str, str], text: str) -> None:
    define(arm, DEFINITION, **facts)
    error = arm.error("PUT", VERSION, version_body())
    assert (error["status"], error["code"]) == (409, "Conflict")
    assert text in error["message"]


def test_a_source_is_in_the_region_where_the_version_is_made(arm: Arm) -> None:
    define(arm, DEFINITION)
    plant(arm, DISK, osType="Linux")
    for source in (BASE, DISK):
        error = arm.error("PUT", VERSION, version_body(source=source, location="northeurope"))
        assert error["message"].startswith(
            f"Source {source} is not found. Please check source exists, and is in the same"
        )


def test_the_values_of_enumerations_are_taken_in_any_casing(arm: Arm) -> None:
    define(arm, DEFINITION, osType="linux", osState="GENERALIZED", hyperVGeneration="v2", architecture="X64")
    found = arm.document(DEFINITION)["properties"]
    assert [found[key] for key in ("osType", "osState", "hyperVGeneration", "architecture")] == [
        "Linux",
        "Generalized",
        "V2",
        "x64",
    ]
    assert arm.call("PATCH", DEFINITION, {"properties": {"osType": "LINUX"}}).status == 200
    arm.call("PATCH", GALLERY, {"properties": {"sharingProfile": {"permissions": "groups"}}})
    assert arm.document(GALLERY)["properties"]["sharingProfile"] == {"permissions": "Groups"}
