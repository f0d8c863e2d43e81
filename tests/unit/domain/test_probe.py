"""What a probe's answers prove, and what they don't."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from shared.adapters.memory.characters import CLEAN
from shared.adapters.memory.probe_runner import RunningGuest, run_script
from shared.domain.boot import ProbeFacts
from shared.domain.probe import LINUX_CHECKS, WINDOWS_CHECKS, judge_probe
from shared.probes import probe_script

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NONCE = "8f14e45fceea167a5a36dedd4bea2543"
LINUX = {
    **dict.fromkeys(LINUX_CHECKS, "pass"),
    "hostname": "pass rm-1",
    "boot_id": "pass 6f4a",
    "machine_id": "pass bb",
    "systemd": "pass running",
    "cloud_init": "pass done",
    "root_writable": "pass yes",
    "clock": f"pass {int(NOW.timestamp())}",
    "ssh_keys": "pass 3",
}
WINDOWS = {
    **dict.fromkeys(WINDOWS_CHECKS, "pass none"),
    "hostname": "pass RM-1",
    "boot_time": "pass 2026-03-01T11:58:00",
    "image_state": "pass IMAGE_STATE_COMPLETE",
    "agent": "pass Running",
    "failed_services": "pass 0",
}


def output(
    answers: dict[str, str], *, nonce: str = NONCE, begin: str = NONCE, checks: int = len(LINUX_CHECKS), end: str = "\n"
) -> str:
    lines = [f"{name}={value}" for name, value in answers.items()]
    return end.join((f"ringmaster begin {begin}", *lines, f"ringmaster done {nonce} checks={checks}", ""))


def judge(text: str, *, os_type: str = "Linux", os_state: str = "Generalized", **facts):
    found = ProbeFacts(**{"execution_state": "Succeeded", "exit_code": 0, "output": text, **facts})
    return judge_probe(found, nonce=NONCE, machine="rm-1", os_type=os_type, os_state=os_state, now=NOW)


def test_a_complete_answer_with_the_nonce_passes():
    verdict = judge(output(LINUX))
    assert (verdict.reasons, verdict.warnings, verdict.answers["boot_id"]) == ((), (), "6f4a")


def test_a_complete_answer_of_windows_passes_with_its_line_ends():
    verdict = judge(output(WINDOWS, checks=len(WINDOWS_CHECKS), end="\r\n"), os_type="Windows")
    assert verdict.reasons == ()


@pytest.mark.parametrize("state", ["Failed", "TimedOut", "Canceled", "Unknown", "Running"])
def test_a_run_that_did_not_succeed_passes_on_no_output(state):
    assert judge(output(LINUX), execution_state=state).reasons != ()


def test_an_exit_code_other_than_zero_fails_with_its_words():
    assert "exit code 127: not found" in judge("", exit_code=127, error="not found").reasons[0]


def test_an_answer_without_the_completion_mark_did_not_run_to_its_end():
    cut = output(LINUX).rsplit("ringmaster done", 1)[0]
    assert "the probe did not finish" in judge(cut).reasons[0]


def test_the_nonce_of_another_test_proves_nothing():
    assert "the probe did not finish" in judge(output(LINUX, nonce="another")).reasons[0]


def test_an_output_whose_beginning_is_lost_proves_nothing():
    verdict = judge(output(LINUX).split("\n", 1)[1])
    assert "its beginning is missing" in verdict.reasons[0]
    assert not verdict.finished
    assert "its beginning is missing" in judge(output(LINUX, begin="another")).reasons[0]


def test_a_check_that_reports_twice_proves_nothing():
    twice = output(LINUX).replace("systemd=pass running", "systemd=pass running\nsystemd=fail degraded")
    assert judge(twice).reasons == ("check systemd was reported more than once",)


def test_a_new_check_that_fails_is_a_warning_and_one_that_is_skipped_is_none():
    verdict = judge(output({**LINUX, "swap": "fail /swapfile", "dns": "skip no getent"}))
    assert (verdict.reasons, verdict.warnings) == ((), ("swap is on the OS disk: /swapfile",))
    assert (verdict.answers["swap"], verdict.answers["dns"]) == ("fail: /swapfile", "skip: no getent")


def test_a_check_that_rejects_may_not_be_skipped():
    assert judge(output({**LINUX, "systemd": "skip no systemd"})).reasons == ("check systemd was skipped: no systemd",)


def test_no_output_at_all_proves_nothing():
    assert judge("").reasons != ()


def test_another_number_of_checks_is_another_script():
    assert judge(output(LINUX, checks=7)).reasons == (f"the probe ran 7 checks, not {len(LINUX_CHECKS)}",)


@pytest.mark.parametrize("check", LINUX_CHECKS)
def test_every_check_of_linux_must_be_answered(check):
    for answers in ({**LINUX, check: ""}, {name: value for name, value in LINUX.items() if name != check}):
        assert f"check {check} returned no result" in judge(output(answers)).reasons


@pytest.mark.parametrize("check", WINDOWS_CHECKS)
def test_every_check_of_windows_must_be_answered(check):
    answers = {name: value for name, value in WINDOWS.items() if name != check}
    assert (
        f"check {check} returned no result"
        in judge(output(answers, checks=len(WINDOWS_CHECKS)), os_type="Windows").reasons
    )


@pytest.mark.parametrize(
    ("answer", "value", "reason"),
    [
        ("hostname", "pass builder", "host name is 'builder'"),
        ("systemd", "fail degraded", "systemd is degraded"),
        ("systemd", "fail starting", "systemd is starting"),
        ("cloud_init", "fail error", "cloud-init ended with 'error'"),
        ("cloud_init", "fail running", "cloud-init ended with 'running'"),
        ("root_writable", "fail no", "is not writable"),
    ],
)
def test_an_unhealthy_linux_is_named(answer, value, reason):
    (said,) = judge(output({**LINUX, answer: value})).reasons
    assert reason in said


@pytest.mark.parametrize(
    ("answer", "value", "reason"),
    [
        ("hostname", "pass BUILDER", "host name is 'BUILDER'"),
        ("image_state", "fail IMAGE_STATE_UNDEPLOYABLE", "IMAGE_STATE_UNDEPLOYABLE"),
        ("agent", "fail Stopped", "guest agent's service is Stopped"),
        ("failed_services", "fail 2", "2 core services are not running"),
    ],
)
def test_an_unhealthy_windows_is_named(answer, value, reason):
    (said,) = judge(output({**WINDOWS, answer: value}, checks=len(WINDOWS_CHECKS)), os_type="Windows").reasons
    assert reason in said


def test_failed_units_are_named():
    verdict = judge(output({**LINUX, "systemd": "fail degraded", "failed_units": "fail nginx.service cron.service"}))
    assert "nginx.service cron.service" in verdict.reasons[0]


@pytest.mark.parametrize("value", ["done", "disabled", "absent"])
def test_cloud_init_may_be_done_disabled_or_absent(value):
    assert judge(output({**LINUX, "cloud_init": f"pass {value}"})).reasons == ()


def test_a_host_name_may_carry_its_domain():
    assert judge(output({**LINUX, "hostname": "pass RM-1.internal.cloudapp.net"})).reasons == ()


def test_a_specialized_image_keeps_its_own_name():
    assert judge(output({**LINUX, "hostname": "pass builder"}), os_state="Specialized").reasons == ()


def test_a_wrong_clock_is_a_warning():
    late = str(int((NOW - timedelta(hours=9)).timestamp()))
    verdict = judge(output({**LINUX, "clock": f"pass {late}"}))
    assert (verdict.reasons, len(verdict.warnings)) == ((), 1)


@pytest.mark.parametrize("os_type", ["Linux", "Windows"])
def test_the_script_carries_the_nonce_and_asks_every_check(os_type):
    script = probe_script(os_type, NONCE)
    ran = run_script(script, RunningGuest("rm-1", "image", os_type, CLEAN, NOW), NOW)
    assert judge(ran.output, os_type=os_type).reasons == ()


def test_the_linux_script_is_one_that_a_shell_can_read():
    shell = shutil.which("sh")
    assert shell is not None
    done = subprocess.run(
        [shell, "-n"], input=probe_script("Linux", NONCE), text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
