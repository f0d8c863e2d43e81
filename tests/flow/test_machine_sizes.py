"""The machine of each boot test: by the ring's own definition, and of another size where capacity or quota is short."""

from dataclasses import replace
from datetime import timedelta

from shared.adapters.memory.characters import CLEAN, NO_CAPACITY, NO_QUOTA
from shared.adapters.memory.size_list import SIZES
from shared.domain.boot_test.machine_sizes import Sizes
from shared.domain.facts import DefinitionFacts, ProvisioningState
from shared.domain.image_traits import SecurityType
from shared.domain.policy import BootRules, DefinitionPolicy
from shared.domain.release import State
from shared.ports import MachineSpec, Refused
from shared.stages.boot_verdict import MOST_MACHINES
from tests.flow.misfortunes import Misfortune
from tests.flow.rehearsal import DEFINITION, HOME, PRODUCTION, SMALL, SOURCE, Rehearsal

D2, D4 = "Standard_D2s_v5", "Standard_D4s_v5"
TWO = BootRules(vm_sizes=(D2, D4))


def with_boot(boot: BootRules, policy: DefinitionPolicy = SMALL) -> DefinitionPolicy:
    return replace(policy, boot=boot)


def specs(play: Rehearsal) -> list[MachineSpec]:
    return [call.args[0] for call in play.effects("machines.create")]


def define(play: Rehearsal, definition: DefinitionFacts) -> None:
    play.cloud.galleries.add_definition(definition)


def offered(play: Rehearsal, sizes: Sizes) -> None:
    play.cloud.machines.offer(sizes)


LINUX = DefinitionFacts(SOURCE, ProvisioningState.SUCCEEDED, HOME, "Linux", "Generalized", "V2", "x64")


def test_without_quota_for_one_size_the_next_is_asked_for_at_once() -> None:
    play = Rehearsal(with_boot(TWO))
    version = play.publish(character=[NO_QUOTA, CLEAN])
    play.until(lambda: bool(specs(play)), timedelta(minutes=5))
    assert specs(play)[0].vm_size == D4
    assert play.release(version).stalls == {}
    assert play.run().release(version).state is State.RELEASED


def test_without_capacity_for_one_size_the_next_machine_has_another() -> None:
    play = Rehearsal(with_boot(TWO))
    version = play.publish(character=[NO_CAPACITY, CLEAN])
    play.run()
    assert play.release(version).state is State.RELEASED
    assert [each.vm_size for each in specs(play) if each.region == HOME][:2] == [D2, D4]
    assert play.left() == []


def test_after_the_sizes_each_zone_is_tried() -> None:
    play = Rehearsal(with_boot(TWO))
    offered(play, {name: replace(size, zones=("1", "2")) for name, size in SIZES.items()})
    version = play.publish(character=[NO_QUOTA, NO_QUOTA, NO_QUOTA, CLEAN])
    play.run()
    assert play.release(version).state is State.RELEASED
    assert (specs(play)[0].vm_size, specs(play)[0].zone) == (D2, "2")


def test_sizes_of_a_region_are_tried_there() -> None:
    play = Rehearsal(with_boot(BootRules(vm_sizes_in={"northeurope": (D4,)})))
    play.publish()
    play.run()
    assert {(each.region, each.vm_size) for each in specs(play)} == {(HOME, D2), ("northeurope", D4)}


def test_where_no_size_has_quota_people_are_told_and_nothing_is_rejected() -> None:
    play = Rehearsal(with_boot(TWO))
    version = play.publish(character=NO_QUOTA)
    play.wait(30)
    release = play.release(version)
    assert (release.state, "quota" in release.stalls["boot_test"]) == (State.QUALIFYING, True)


def test_where_no_size_has_capacity_machines_are_bounded() -> None:
    play = Rehearsal(with_boot(TWO))
    version = play.publish(character=NO_CAPACITY)
    play.wait(48)
    release = play.release(version)
    assert (release.state, "boot_test" in release.stalls) == (State.QUALIFYING, True)
    assert len(specs(play)) == MOST_MACHINES
    assert {each.vm_size for each in specs(play)} == {D2, D4}


def test_a_machine_is_made_by_its_rings_own_definition() -> None:
    play = Rehearsal(DEFINITION)
    trusted = {"SecurityType": "TrustedLaunchSupported"}
    define(play, replace(LINUX, features=trusted))
    define(play, replace(LINUX, id=PRODUCTION, features=trusted, disallowed_disk_types=("Standard_LRS",)))
    version = play.publish()
    play.run()
    assert play.release(version).state is State.RELEASED
    made = {(each.image.definition, each.security, each.disk_type) for each in specs(play)}
    assert made == {
        (SOURCE, SecurityType.TRUSTED_LAUNCH, "Standard_LRS"),
        (PRODUCTION, SecurityType.TRUSTED_LAUNCH, "StandardSSD_LRS"),
    }


def test_a_size_that_cannot_boot_the_image_is_told_before_anything_is_made() -> None:
    wrong = with_boot(BootRules(vm_sizes=("Standard_D2ps_v6",)), DEFINITION)
    play = Rehearsal(wrong)
    version = play.publish()
    play.wait(12)
    release = play.release(version)
    assert (release.state, specs(play)) == (State.VALIDATING, [])
    assert "use an x64 size" in release.stalls["validate"]
    play.change_policy(replace(wrong, boot=BootRules(), digest="digest-2"))
    assert play.run().release(version).state is State.RELEASED


def test_an_identity_that_may_not_list_sizes_tests_all_the_same() -> None:
    play = Rehearsal(with_boot(TWO), misfortunes=[Misfortune("machines.sizes", forbidden, times=99)])
    version = play.publish()
    play.run()
    release = play.release(version)
    assert (release.state, {each.vm_size for each in specs(play)}) == (State.RELEASED, {D2})
    assert "Microsoft.Compute/skus/read" in " ".join(release.warnings)


def forbidden() -> Refused:
    return Refused("AuthorizationFailed", "The client may not list SKUs.", 403)


def test_the_policys_tags_and_keys_are_on_the_machine() -> None:
    keys = "/subscriptions/s/resourceGroups/k/providers/Microsoft.Compute/diskEncryptionSets/des-{region}"
    play = Rehearsal(with_boot(BootRules(tags={"costCenter": "7"}, disk_encryption_set=keys)))
    play.publish()
    play.run()
    for spec in specs(play):
        assert spec.tags == {"costCenter": "7"}
        assert spec.keys.os_disk == keys.replace("{region}", spec.region)
    probes = [call.kwargs["tags"] for call in play.effects("machines.start_probe")]
    assert probes == [{"costCenter": "7"}] * len(probes)
