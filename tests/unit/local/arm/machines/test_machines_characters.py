"""Characters, timelines, consoles and the sandbox, without a simulator."""

import time
import uuid
from itertools import pairwise
from pathlib import Path

import pytest

from local.arm.machines.characters import CHARACTERS, named, sandbox
from local.arm.machines.characters.console import LATE_SECONDS, SCRIPTS, Guest, console
from local.arm.machines.characters.guest import GuestModel
from local.arm.machines.characters.timeline import PROVISIONING_WINDOW, first_boot, next_boot

GUEST = Guest("probe-1", "build-1", "10.0.0.4", "60:45:bd:00:00:01", "6.8.0-1021-azure", 1_700_000_000.0)


SPEAKING = sorted(set(SCRIPTS) - {"blank", "none", "late"})


def model() -> GuestModel:
    return GuestModel(
        host_name="probe-1",
        vm_name="probe-1",
        vm_id=str(uuid.UUID(int=7, version=4)),
        subscription="s",
        group="g",
        location="westeurope",
        size="Standard_D2s_v5",
        private_ip="10.0.0.4",
        mac="60:45:bd:00:00:01",
        admin="azureuser",
        booted_at=time.time() - 30,
        boot_number=1,
    )


def finish(run: sandbox.Run, seconds: float = 10) -> sandbox.Result:
    end = time.monotonic() + seconds
    while (result := run.poll()) is None:
        assert time.monotonic() < end, "the script does not end"
        time.sleep(0.01)
    return result


def test_the_first_known_word_is_the_character() -> None:
    assert named("replication-fails-once:westus, slow").name == "slow"
    assert named("whatever").name == "clean"
    assert named(None).name == "clean"


@pytest.mark.parametrize("name", CHARACTERS)
def test_the_moments_of_a_first_boot_come_in_order(name: str) -> None:
    line = first_boot(CHARACTERS[name], 1000.0, 60.0, "seed")
    assert 1000.0 < line.disks_ready < line.powered_on < line.provisioned
    assert line.agent_ready is None or line.agent_ready > line.powered_on


def test_the_same_seed_gives_the_same_boot_and_speed_divides_it() -> None:
    slow, fast = (first_boot(CHARACTERS["clean"], 0.0, speed, "x") for speed in (1.0, 10.0))
    assert slow == first_boot(CHARACTERS["clean"], 0.0, 1.0, "x")
    assert slow.provisioned == pytest.approx(10 * fast.provisioned)
    assert 40 <= slow.provisioned <= 90


def test_an_image_that_never_provisions_takes_the_whole_window() -> None:
    assert first_boot(CHARACTERS["panics-at-boot"], 0.0, 1.0, "x").provisioned == PROVISIONING_WINDOW


def test_a_restart_needs_no_provisioning() -> None:
    line = next_boot(CHARACTERS["clean"], 50.0, 1.0, "x")
    assert line.provisioned == 50.0
    assert line.agent_ready is not None
    assert 70 <= line.agent_ready <= 95


@pytest.mark.parametrize("script", SPEAKING)
def test_a_console_only_grows_and_fills_pages_with_nuls(script: str) -> None:
    moments = [console(script, GUEST, at) for at in (0.0, 1.0, 5.0, 20.0, 120.0)]
    assert moments[0] == b""
    for earlier, later in pairwise(moments):
        assert later.startswith(earlier.rstrip(b"\0"))
        assert len(later) % 512 == 0
    assert b"Linux version 6.8.0-1021-azure" in moments[-1]


@pytest.mark.parametrize("script", SPEAKING)
def test_a_healthy_console_has_a_prompt_and_a_dead_one_none(script: str) -> None:
    dead = script in ("panic", "initramfs", "emergency")
    assert (b"login: " in console(script, GUEST, 300.0)) is not dead


@pytest.mark.parametrize("name", ["blank-console", "no-console", "late-console"])
def test_a_machine_with_a_silent_console_is_otherwise_well(name: str) -> None:
    character, clean = CHARACTERS[name], CHARACTERS["clean"]
    assert first_boot(character, 0.0, 1.0, "x") == first_boot(clean, 0.0, 1.0, "x")
    assert (character.provisioning, character.has_agent, character.failed_units) == (clean.provisioning, True, ())


def test_a_blank_console_is_pages_of_nuls_and_no_console_is_no_blob() -> None:
    assert console("blank", GUEST, 3600.0) == b"\0" * 512
    assert console("none", GUEST, 3600.0) == b""


def test_a_late_console_is_blank_until_all_of_it_comes_at_once() -> None:
    assert console("late", GUEST, LATE_SECONDS - 1) == b"\0" * 512
    late, early = console("late", GUEST, LATE_SECONDS), console("normal", GUEST, LATE_SECONDS)
    assert late.strip(b"\0") == early.strip(b"\0")


def test_a_console_has_the_marks_of_a_real_one(real_data: Path) -> None:
    real = b"".join(file.read_bytes() for file in (real_data / "serial/lisa-azure-runs").rglob("*serial_console.log"))
    ours = console("normal", GUEST, 300.0)
    for mark in (
        b"\r\n",
        b"\0\0",
        b"[\x1b[0;32m  OK  \x1b[0m]",
        b"Hypervisor detected: Microsoft Hyper",
        b"cloud-init[",
        b"systemd[1]: Detected virtualization microsoft.",
        b"Wire server endpoint:168.63.129.16",
        b" login: ",
    ):
        assert mark in real
        assert mark in ours


def test_guest_paths_are_the_guests_own() -> None:
    result = finish(sandbox.start(model(), "cat /etc/hostname; ls /home; echo '/etc/fstab'; cat /etc/nope", seconds=5))
    assert result.output == "probe-1\nazureuser\n/etc/fstab\n"
    assert "/etc/nope: No such file or directory" in result.error
    assert "arm-guest" not in result.error


def test_a_script_beyond_its_time_is_killed_with_its_children() -> None:
    run = sandbox.start(model(), "(while :; do :; done) & while :; do :; done", seconds=0.3)
    assert finish(run).exit_code is None
    assert not run.directory.exists()


def test_a_flood_of_output_ends_the_script_and_keeps_the_tail() -> None:
    result = finish(sandbox.start(model(), "yes", seconds=8))
    assert result.exit_code not in (0, None)
    assert len(result.output) == sandbox.OUTPUT_LIMIT


def test_the_metadata_service_wants_its_header() -> None:
    script = "curl -s -o /dev/null -w '%{http_code}' 'http://169.254.169.254/metadata/instance?api-version=2021-02-01'"
    assert finish(sandbox.start(model(), script, seconds=5)).output == "400"


def test_nothing_of_the_network_is_reached() -> None:
    result = finish(sandbox.start(model(), "curl -sS https://example.org; echo $?; command -v nc ssh", seconds=5))
    assert result.output == "6\n"
