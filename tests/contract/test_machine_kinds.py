"""Machines of every kind of image, in memory and on (simulated) Azure: made as the app makes them, they come up."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.adapters.memory.size_list import SIZES
from shared.domain.boot_test.failures import FailureCause, failure_cause
from shared.domain.boot_test.machine_sizes import controller, disk_type, obstacles, security_type
from shared.domain.facts import DefinitionFacts, ProvisioningState, PurchasePlan
from shared.domain.image_traits import DiskKeys, SecurityType, definition_traits
from shared.ports import MachineSpec, Refused
from tests.contract.clock import ManualClock
from tests.contract.gallery_labs import SOURCE
from tests.contract.machine_labs import (
    HOME,
    LONGEST,
    SUBSCRIPTION,
    MachineLab,
    MemoryMachineLab,
    arm_machine_lab,
    spec,
)

KEYS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/keys/providers/Microsoft.Compute/diskEncryptionSets"
BOTH = {"DiskControllerTypes": "SCSI, NVMe"}
PLAN = PurchasePlan("canonical", "ubuntu", "pro")
D2, D2_V6, ARM, DC2 = "Standard_D2s_v5", "Standard_D2s_v6", "Standard_D2ps_v6", "Standard_DC2as_v5"


@pytest.fixture(params=["memory", "azure"])
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[MachineLab]:
    if request.param == "memory":
        yield MemoryMachineLab(ManualClock())
        return
    async with arm_machine_lab() as made:
        yield made


def definition(
    security: str = "", *, state: str = "Generalized", generation: str = "V2", architecture: str = "x64", **more: Any
) -> DefinitionFacts:
    features = {**more.pop("features", {}), **({"SecurityType": security} if security else {})}
    return DefinitionFacts(
        SOURCE, ProvisioningState.SUCCEEDED, HOME, "Linux", state, generation, architecture, features, **more
    )


def named(value: object) -> str:
    """A parameter as pytest shows it."""
    if not isinstance(value, DefinitionFacts):
        return str(value)
    kind = (value.hyper_v_generation or "", value.architecture or "", *value.features.values())
    return " ".join((*kind, "with a plan") if value.plan else kind)


async def made_for(lab: MachineLab, image: DefinitionFacts, size: str, **more: Any) -> MachineSpec:
    """The machine that the app asks for."""
    traits, known = definition_traits(image), (await lab.machines.sizes(HOME)).get(size.lower())
    assert known is not None
    return spec(
        vm_size=size,
        os_state=image.os_state,
        architecture=traits.architecture,
        security=security_type(traits, known),
        controller=controller(traits, known),
        disk_type=disk_type(traits, known) or "",
        plan=traits.plan,
        **more,
    )


async def test_sizes_are_told_with_what_they_can_do(lab: MachineLab):
    found = await lab.machines.sizes(HOME)
    for name, known in SIZES.items():
        size = found[name]
        assert (size.name, size.architecture, size.generations, size.controllers, size.confidential) == (
            known.name,
            known.architecture,
            known.generations,
            known.controllers,
            known.confidential,
        )
        assert [size.supports(each) for each in SecurityType] == [known.supports(each) for each in SecurityType]


@pytest.mark.parametrize(
    ("image", "size", "security"),
    [
        (definition(), D2, SecurityType.STANDARD),
        (definition(generation="V1"), D2, SecurityType.STANDARD),
        (definition("TrustedLaunch"), D2, SecurityType.TRUSTED_LAUNCH),
        (definition("TrustedLaunchSupported"), D2, SecurityType.TRUSTED_LAUNCH),
        (definition("TrustedLaunchSupported"), DC2, SecurityType.STANDARD),
        (definition("ConfidentialVM"), DC2, SecurityType.CONFIDENTIAL_VM),
        (definition("ConfidentialVMSupported"), DC2, SecurityType.CONFIDENTIAL_VM),
        (definition("ConfidentialVMSupported"), D2, SecurityType.STANDARD),
        (definition("TrustedLaunchAndConfidentialVmSupported"), DC2, SecurityType.CONFIDENTIAL_VM),
        (definition("TrustedLaunchAndConfidentialVmSupported"), D2, SecurityType.TRUSTED_LAUNCH),
        (definition("TrustedLaunch", features=BOTH), D2_V6, SecurityType.TRUSTED_LAUNCH),
        (definition("TrustedLaunchSupported", architecture="Arm64"), ARM, SecurityType.TRUSTED_LAUNCH),
        (definition(architecture="Arm64", features={"DiskControllerTypes": "NVMe"}), ARM, SecurityType.STANDARD),
        (definition(plan=PLAN), D2, SecurityType.STANDARD),
    ],
    ids=named,
)
async def test_a_machine_of_each_kind_comes_up(
    lab: MachineLab, image: DefinitionFacts, size: str, security: SecurityType
):
    await lab.publish()
    lab.define(image)
    asked = await made_for(lab, image, size)
    assert asked.security is security
    await lab.machines.create(asked)
    lab.clock.advance(LONGEST)
    facts = await lab.machines.view(asked.name)
    assert facts is not None
    assert facts.ready, facts


async def test_a_machine_of_a_specialized_image_comes_up_without_a_profile_of_its_system(lab: MachineLab):
    await lab.publish()
    image = definition("TrustedLaunchSupported", state="Specialized")
    lab.define(image)
    asked = await made_for(lab, image, D2)
    await lab.machines.create(asked)
    lab.clock.advance(LONGEST)
    facts = await lab.machines.view(asked.name)
    assert facts is not None
    assert facts.running, facts


@pytest.mark.parametrize(
    ("image", "size"),
    [
        (definition(architecture="Arm64"), D2),
        (definition(), ARM),
        (definition(generation="V1"), DC2),
        (definition("TrustedLaunch"), DC2),
        (definition("ConfidentialVM"), D2),
        (definition(), D2_V6),
        (definition(features={"DiskControllerTypes": "NVMe"}), D2),
    ],
    ids=named,
)
async def test_what_the_domain_finds_in_the_way_is_refused_as_no_fault_of_the_image(
    lab: MachineLab, image: DefinitionFacts, size: str
):
    await lab.publish()
    lab.define(image)
    known = (await lab.machines.sizes(HOME))[size.lower()]
    assert list(obstacles(known, definition_traits(image)))
    with pytest.raises(Refused) as refused:
        await lab.machines.create(await made_for(lab, image, size))
    assert failure_cause(refused.value.code, refused.value.message) is FailureCause.CONFIGURATION


@pytest.mark.parametrize("security", [SecurityType.TRUSTED_LAUNCH, SecurityType.CONFIDENTIAL_VM])
async def test_a_security_type_that_the_definition_does_not_allow_is_refused(lab: MachineLab, security: SecurityType):
    await lab.publish()
    with pytest.raises(Refused) as refused:
        await lab.machines.create(spec(security=security))
    assert failure_cause(refused.value.code, refused.value.message) is FailureCause.CONFIGURATION


@pytest.mark.parametrize(
    ("image", "size", "keys"),
    [
        (definition(), D2, DiskKeys(f"{KEYS}/os")),
        (definition("ConfidentialVM"), DC2, DiskKeys(None, {}, "EncryptedWithPmk")),
        (definition("ConfidentialVM"), DC2, DiskKeys(None, {}, "EncryptedWithCmk", f"{KEYS}/secure")),
    ],
    ids=["a set", "platform key", "customer key"],
)
async def test_a_machine_with_keys_and_tags_comes_up(
    lab: MachineLab, image: DefinitionFacts, size: str, keys: DiskKeys
):
    await lab.publish()
    lab.define(image)
    asked = await made_for(lab, image, size, keys=keys, tags={"costCenter": "7"})
    await lab.machines.create(asked)
    lab.clock.advance(LONGEST)
    facts = await lab.machines.view(asked.name)
    assert facts is not None
    assert facts.ready
    assert {each.release for each in await lab.machines.ours()} == {asked.release}
