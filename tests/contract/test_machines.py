"""What ``Machines`` promises, in memory and on (simulated) Azure."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.boot_test.console import judge_console
from shared.domain.boot_test.failures import FailureCause, MachineFacts, failure_cause
from shared.domain.boot_test.identities import changed, read, shared
from shared.domain.boot_test.probe import judge_probe
from shared.domain.boot_test.probe_checks import LINUX
from shared.domain.policy import BootRules
from shared.ports import ForeignTarget, Refused
from shared.probes import probe_script
from tests.contract.clock import ManualClock
from tests.contract.machine_labs import (
    GROUP,
    HOME,
    LONGEST,
    SUBSCRIPTION,
    MachineLab,
    MemoryMachineLab,
    arm_machine_lab,
    disk_id,
    spec,
)

NAME = spec().name
NONCE = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
WITHIN = timedelta(minutes=15)


@pytest.fixture(params=["memory", "azure"])
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[MachineLab]:
    if request.param == "memory":
        yield MemoryMachineLab(ManualClock())
        return
    async with arm_machine_lab() as made:
        yield made


async def made(lab: MachineLab, character: str = "clean", *, after: timedelta = LONGEST) -> MachineFacts:
    await lab.publish(character)
    await lab.machines.create(spec())
    lab.clock.advance(after)
    return await seen(lab)


async def seen(lab: MachineLab) -> MachineFacts:
    facts = await lab.machines.view(NAME)
    assert facts is not None
    return facts


async def start(lab: MachineLab, script: str | None = None) -> None:
    text = script or probe_script("Linux", NONCE)
    await lab.machines.start_probe(NAME, "probe-1", region=HOME, script=text, os_type="Linux", within=WITHIN)


# --- making -----------------------------------------------------------------------------------------------------------


async def test_a_machine_that_is_not_there_is_none(lab: MachineLab):
    assert await lab.machines.view(NAME) is None


async def test_a_machine_is_not_waited_for(lab: MachineLab):
    facts = await made(lab, after=timedelta(seconds=1))
    assert (facts.ready, facts.failure_code) == (False, None)


async def test_a_machine_of_a_clean_image_becomes_ready(lab: MachineLab):
    facts = await made(lab)
    assert (facts.provisioning_state, facts.os_provisioned, facts.running, facts.agent_ready) == (
        "Succeeded",
        True,
        True,
        True,
    )


async def test_a_machine_names_what_it_is_made_of(lab: MachineLab):
    parts = (await made(lab)).parts
    assert [part.split("/")[-2] for part in parts] == ["virtualmachines", "disks", "networkinterfaces"]
    assert all(part.split("/")[-1].startswith(NAME) for part in parts)
    assert list(await lab.machines.remaining(parts)) == list(parts)


async def test_asking_for_a_machine_twice_is_asking_once(lab: MachineLab):
    facts = await made(lab)
    await lab.machines.create(spec())
    assert await seen(lab) == facts


async def test_a_name_that_another_release_uses_is_not_taken_over(lab: MachineLab):
    await made(lab)
    with pytest.raises(ForeignTarget):
        await lab.machines.create(spec(release="/another/release"))


async def test_a_name_that_is_not_a_boot_tests_is_never_made(lab: MachineLab):
    await lab.publish()
    with pytest.raises(ForeignTarget):
        await lab.machines.create(spec("production-db"))


async def test_a_region_without_a_replica_refuses_as_not_replicated(lab: MachineLab):
    await lab.publish()
    with pytest.raises(Refused) as refused:
        await lab.machines.create(spec(region="eastus"))
    assert failure_cause(refused.value.code, refused.value.message) is FailureCause.NOT_REPLICATED


async def test_an_os_profile_that_the_image_does_not_allow_is_refused_as_our_fault(lab: MachineLab):
    await lab.publish()
    with pytest.raises(Refused) as refused:
        await lab.machines.create(spec(os_state="Specialized"))
    assert failure_cause(refused.value.code, refused.value.message) is FailureCause.CONFIGURATION


async def test_an_image_that_was_never_generalized_is_told_by_the_platforms_own_words(lab: MachineLab):
    facts = await made(lab, "never-generalized", after=timedelta(hours=2))
    assert facts.failure_code is not None
    assert failure_cause(facts.failure_code, facts.failure_message) is FailureCause.IMAGE


async def test_an_image_that_panics_ends_in_an_ambiguous_time_out(lab: MachineLab):
    facts = await made(lab, "panics-at-boot", after=timedelta(hours=2))
    assert facts.failure_code == "OSProvisioningTimedOut"
    assert failure_cause(facts.failure_code, facts.failure_message) is FailureCause.AMBIGUOUS


async def test_a_machine_whose_agent_is_silent_is_never_ready(lab: MachineLab):
    facts = await made(lab, "agent-never-ready")
    assert (facts.running, facts.agent_ready, facts.ready) == (True, False, False)


# --- probing ----------------------------------------------------------------------------------------------------------


async def test_a_probe_that_was_not_started_is_none(lab: MachineLab):
    await made(lab)
    assert await lab.machines.probe(NAME, "probe-1") is None


async def test_a_probe_of_a_clean_machine_proves_it(lab: MachineLab):
    await made(lab)
    await start(lab)
    facts = await lab.probed(NAME, "probe-1")
    verdict = judge_probe(facts, nonce=NONCE, machine=NAME, os_type="Linux", now=lab.clock.now)
    assert verdict.reasons == ()
    assert verdict.answers["hostname"] == NAME


async def test_a_probe_is_not_waited_for(lab: MachineLab):
    await made(lab)
    await start(lab)
    facts = await lab.machines.probe(NAME, "probe-1")
    assert facts is not None
    assert not facts.finished


async def test_a_probe_of_a_degraded_machine_says_so(lab: MachineLab):
    await made(lab, "probe-fails")
    await start(lab)
    facts = await lab.probed(NAME, "probe-1")
    verdict = judge_probe(facts, nonce=NONCE, machine=NAME, os_type="Linux", now=lab.clock.now)
    (remedy,) = (each.remedy for each in LINUX if each.id == "systemd")
    assert verdict.reasons == (f"systemd is degraded: failed units nginx.service. {remedy}",)


async def test_a_command_that_the_machine_does_not_know_fails(lab: MachineLab):
    await made(lab)
    await start(lab, "no-such-command-at-all\n")
    facts = await lab.probed(NAME, "probe-1")
    assert (facts.execution_state, facts.exit_code) == ("Failed", 127)


async def test_a_probe_without_an_agent_does_not_finish(lab: MachineLab):
    await made(lab, "agent-never-ready")
    await start(lab)
    lab.clock.advance(timedelta(minutes=1))
    facts = await lab.machines.probe(NAME, "probe-1")
    assert facts is None or not facts.finished


async def test_a_probe_on_a_machine_that_is_not_there_is_refused_as_not_found(lab: MachineLab):
    with pytest.raises(Refused) as refused:
        await start(lab)
    assert refused.value.status == 404


# --- restarting -------------------------------------------------------------------------------------------------------


async def identities(lab: MachineLab, name: str = NAME, probe: str = "probe-1") -> dict[str, str]:
    """What identifies a machine, as its probe tells."""
    script = probe_script("Linux", NONCE)
    await lab.machines.start_probe(name, probe, region=HOME, script=script, os_type="Linux", within=WITHIN)
    facts = await lab.probed(name, probe)
    verdict = judge_probe(facts, nonce=NONCE, machine=name, os_type="Linux", now=lab.clock.now)
    assert verdict.finished, verdict
    return read(verdict.answers)


async def test_a_restarted_machine_is_updating_and_then_ready_again(lab: MachineLab):
    await made(lab)
    await lab.machines.restart(NAME)
    lab.clock.advance(timedelta(seconds=10))
    assert (await seen(lab)).provisioning_state == "Updating"
    lab.clock.advance(timedelta(seconds=22))
    assert not (await seen(lab)).ready
    lab.clock.advance(timedelta(minutes=2))
    facts = await seen(lab)
    assert (facts.ready, facts.provisioning_state) == (True, "Succeeded")


async def test_a_restart_is_another_boot_of_the_same_machine(lab: MachineLab):
    await made(lab)
    before = await identities(lab)
    await lab.machines.restart(NAME)
    lab.clock.advance(timedelta(minutes=3))
    after = await identities(lab, probe="probe-2")
    assert changed(before, after) == ()
    assert before["boot_id"] != after["boot_id"]
    assert {"machine_id", "host_keys:ed25519", "random_seed"} <= before.keys()


async def test_a_restart_of_what_is_not_there_is_refused_as_not_found(lab: MachineLab):
    with pytest.raises(Refused) as refused:
        await lab.machines.restart(NAME)
    assert refused.value.status == 404


async def test_a_name_that_is_not_a_boot_tests_is_never_restarted(lab: MachineLab):
    with pytest.raises(ForeignTarget):
        await lab.machines.restart("production-db")


async def test_a_machine_whose_second_boot_fails_is_not_ready_and_its_console_shows_it(lab: MachineLab):
    await made(lab, "never-returns")
    await lab.machines.restart(NAME)
    lab.clock.advance(timedelta(minutes=10))
    assert not (await seen(lab)).ready
    verdict = judge_console(await lab.machines.serial_log(NAME) or b"", BootRules())
    assert "emergency mode" in verdict.reasons


async def test_an_identity_that_each_boot_makes_anew_is_seen(lab: MachineLab):
    await made(lab, "identity-changes")
    before = await identities(lab)
    await lab.machines.restart(NAME)
    lab.clock.advance(timedelta(minutes=3))
    lost = changed(before, await identities(lab, probe="probe-2"))
    assert {"machine_id", "host_keys:rsa"} <= {each.name for each in lost}


@pytest.mark.parametrize(("character", "alike"), [("clean", False), ("cloned", True)])
async def test_machines_of_one_version_are_alike_only_where_the_image_was_cloned(
    lab: MachineLab, character: str, alike: bool
):
    await made(lab, character)
    other = "rm-ba9876543210"
    await lab.machines.create(spec(other))
    lab.clock.advance(LONGEST)
    found = shared(await identities(lab), await identities(lab, other))
    assert ({each.identity.check for each in found} == {"machine_id", "host_keys"}) is alike
    assert bool(found) is alike


async def test_how_long_provisioning_took_is_told_by_the_platforms_clock(lab: MachineLab):
    facts = await made(lab)
    assert facts.provisioned_in is not None
    assert timedelta(seconds=30) < facts.provisioned_in < timedelta(seconds=100)


# --- the console ------------------------------------------------------------------------------------------------------


async def test_right_after_creation_there_is_no_console(lab: MachineLab):
    await made(lab, after=timedelta(seconds=1))
    assert await lab.machines.serial_log(NAME) is None


async def test_a_machine_that_is_not_there_has_no_console(lab: MachineLab):
    assert await lab.machines.serial_log(NAME) is None


async def test_the_console_of_a_clean_boot_condemns_nothing(lab: MachineLab):
    await made(lab)
    raw = await lab.machines.serial_log(NAME)
    assert raw
    assert b"login" in raw
    assert judge_console(raw, BootRules()).reasons == ()


async def test_a_blank_console_is_seen_to_be_blank(lab: MachineLab):
    await made(lab, "blank-console")
    assert judge_console(await lab.machines.serial_log(NAME) or b"", BootRules()).blank


async def test_the_console_of_a_panic_shows_it(lab: MachineLab):
    await made(lab, "panics-at-boot")
    raw = await lab.machines.serial_log(NAME)
    verdict = judge_console(raw or b"", BootRules())
    assert "kernel panic" in verdict.reasons
    assert any("Kernel panic - not syncing" in line for line in verdict.lines)


# --- leaving nothing behind -------------------------------------------------------------------------------------------


async def test_a_deleted_machine_is_gone_with_everything_it_was_made_of(lab: MachineLab):
    parts = (await made(lab)).parts
    await lab.machines.delete(NAME)
    lab.clock.advance(timedelta(minutes=30))
    assert await lab.machines.view(NAME) is None
    assert list(await lab.machines.remaining(parts)) == []
    assert list(await lab.machines.ours()) == []


async def test_deleting_what_is_not_there_is_no_fault(lab: MachineLab):
    await lab.machines.delete(NAME)


async def test_deleting_twice_is_deleting_once(lab: MachineLab):
    await made(lab)
    await lab.machines.delete(NAME)
    await lab.machines.delete(NAME)
    lab.clock.advance(timedelta(minutes=30))
    assert await lab.machines.view(NAME) is None


async def test_a_name_that_is_not_a_boot_tests_is_never_deleted(lab: MachineLab):
    with pytest.raises(ForeignTarget):
        await lab.machines.delete("production-db")


async def test_everything_of_a_machine_is_found_with_its_release_and_expiry(lab: MachineLab):
    facts = await made(lab)
    ours = await lab.machines.ours()
    assert {each.resource_id for each in ours} == set(facts.parts)
    assert {each.release for each in ours} == {spec().release}
    assert {each.expires for each in ours} == {spec().expires}


async def test_what_carries_our_name_without_our_tag_is_not_ours(lab: MachineLab):
    await lab.plant("rm-lookalike", {"owner": "somebody"})
    assert list(await lab.machines.ours()) == []


async def test_what_carries_our_tag_without_our_name_is_not_ours(lab: MachineLab):
    await lab.plant("data-of-somebody", {"ringmaster-release": "x"})
    assert list(await lab.machines.ours()) == []


async def test_a_disk_of_ours_that_was_left_over_is_deleted(lab: MachineLab):
    disk = await lab.plant("rm-0123456789ab-os", {"ringmaster-release": "x"})
    await lab.machines.delete_part(disk)
    lab.clock.advance(timedelta(minutes=5))
    assert list(await lab.machines.remaining([disk])) == []


@pytest.mark.parametrize(
    ("name", "tags"), [("rm-lookalike", {"owner": "somebody"}), ("data-of-somebody", {"ringmaster-release": "x"})]
)
async def test_a_disk_that_is_not_proven_ours_is_never_deleted(lab: MachineLab, name: str, tags: dict[str, str]):
    disk = await lab.plant(name, tags)
    with pytest.raises(ForeignTarget):
        await lab.machines.delete_part(disk)
    lab.clock.advance(timedelta(minutes=5))
    assert list(await lab.machines.remaining([disk])) == [disk]


@pytest.mark.parametrize(
    "foreign",
    [
        disk_id("rm-0123456789ab-os").replace(GROUP, "production"),
        disk_id("rm-0123456789ab-os").replace(SUBSCRIPTION, "22222222-2222-4222-8222-222222222222"),
        disk_id("rm-0123456789ab-os").replace("Microsoft.Compute/disks", "Microsoft.Compute/galleries"),
        disk_id("rm-0123456789ab-os/../../production"),
    ],
)
async def test_nothing_outside_the_test_group_is_ever_deleted(lab: MachineLab, foreign: str):
    with pytest.raises(ForeignTarget):
        await lab.machines.delete_part(foreign)


async def test_a_left_over_that_is_gone_already_is_no_fault(lab: MachineLab):
    await lab.machines.delete_part(disk_id("rm-0123456789ab-os"))


async def test_a_machine_can_be_made_again_after_its_deletion(lab: MachineLab):
    await made(lab)
    await lab.machines.delete(NAME)
    lab.clock.advance(timedelta(minutes=30))
    await lab.machines.create(replace(spec(), release="/another/release"))
    lab.clock.advance(LONGEST)
    assert (await seen(lab)).ready
