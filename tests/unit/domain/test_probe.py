"""What a probe's answers prove, and what they don't."""

import hashlib
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from shared.adapters.memory.characters import CLEAN
from shared.adapters.memory.probe_runner import RunningGuest, run_script
from shared.domain.boot_test.failures import ProbeFacts
from shared.domain.boot_test.own_checks import BaselineRules, CommandCheck, OwnCheck, ServiceCheck
from shared.domain.boot_test.probe import LINUX_CHECKS, WINDOWS_CHECKS, judge_probe
from shared.domain.boot_test.probe_check import CheckSeverity
from shared.domain.boot_test.probe_checks import applied_checks, checks_of
from shared.domain.boot_test.probe_evidence import probe_rules
from shared.domain.policy import BootRules
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
    **dict.fromkeys(WINDOWS_CHECKS, "pass"),
    "clock": f"pass {int(NOW.timestamp())}",
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


def remedy(check: str, os_type: str = "Linux") -> str:
    return next(each.remedy for each in checks_of(os_type) if each.id == check)


def judge(text: str, *, os_type: str = "Linux", os_state: str = "Generalized", rules=None, secure_boot=False, **facts):
    found = ProbeFacts(**{"execution_state": "Succeeded", "exit_code": 0, "output": text, **facts})
    return judge_probe(
        found,
        nonce=NONCE,
        machine="rm-1",
        os_type=os_type,
        os_state=os_state,
        now=NOW,
        rules=rules,
        secure_boot=secure_boot,
    )


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
    assert (verdict.reasons, verdict.warnings) == ((), (f"swap is on the OS disk: /swapfile. {remedy('swap')}",))
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


BASELINE = "pass passed=58 failed=2 other=236 score=80.5 required=0 rule_a rule_b"


def by_policy(answers: dict[str, str], **rules):
    """The verdict of a Linux machine under rules. An answer of None is no line."""
    told = {name: answer for name, answer in {**LINUX, **answers}.items() if answer is not None}
    return judge(output(told, checks=len(told)), rules=BootRules(**rules))


def test_a_policy_makes_a_warning_an_error_and_an_error_a_warning():
    severities = {"swap": CheckSeverity.ERROR, "systemd": CheckSeverity.WARN}
    verdict = by_policy({"swap": "fail /swapfile", "systemd": "fail degraded"}, checks=severities)
    assert [text.split(":")[0] for text in verdict.reasons] == ["swap is on the OS disk"]
    assert [text.split(":")[0] for text in verdict.warnings] == ["systemd is degraded"]


def test_a_check_that_is_a_warning_must_still_report():
    verdict = judge(
        output({name: value for name, value in LINUX.items() if name != "systemd"}),
        rules=BootRules(checks={"systemd": CheckSeverity.WARN}),
    )
    assert verdict.reasons == ("check systemd returned no result",)


def test_a_check_that_is_off_is_not_asked_and_its_line_says_nothing():
    rules = BootRules(checks={"swap": CheckSeverity.OFF})
    assert "\ncheck swap\n" not in probe_script("Linux", NONCE, rules)
    verdict = judge(output({**LINUX, "swap": "fail /swapfile"}, checks=len(LINUX_CHECKS) - 1), rules=rules)
    assert (verdict.reasons, verdict.warnings, "swap" in verdict.answers) == ((), (), False)


def test_no_policy_takes_the_proof_of_the_boot_away():
    off = {each.id: CheckSeverity.OFF for each in checks_of("Linux")}
    left = {each.id: each.severity for each in applied_checks("Linux", BootRules(checks=off))}
    assert left == {"boot_id": CheckSeverity.ERROR, "cloud_init": CheckSeverity.ERROR}


def test_a_check_of_the_policy_must_report_and_pass():
    own = (OwnCheck("nginx", ServiceCheck("nginx.service", running=True), remedy="Start nginx."),)
    assert by_policy({"own:nginx": "pass"}, own_checks=own).reasons == ()
    (failed,) = by_policy({"own:nginx": "fail it is inactive"}, own_checks=own).reasons
    assert failed == "the check nginx of the policy failed: it is inactive. Start nginx."
    (missing,) = judge(output(LINUX, checks=len(LINUX) + 1), rules=BootRules(own_checks=own)).reasons
    assert missing == "check own:nginx returned no result"


@pytest.mark.parametrize(
    ("answer", "limits", "reason"),
    [
        (BASELINE, BaselineRules("/b", max_failed=2), ""),
        (BASELINE, BaselineRules("/b", max_failed=1), "2 rules failed, and 1 may: rule_a rule_b"),
        (BASELINE.replace("required=0", "required=1"), BaselineRules("/b", 9), "1 required rules did not pass"),
        (BASELINE.replace("passed=58", "passed=0"), BaselineRules("/b", 9), "no rule passed"),
        ("pass", BaselineRules("/b", 9), "the summary is not readable"),
        ("fail /b is missing", BaselineRules("/b", 9), "/b is missing"),
    ],
)
def test_the_baseline_of_the_image_is_compared_with_the_limits(answer, limits, reason):
    reasons = by_policy({"baseline": answer}, baseline=limits).reasons
    assert len(reasons) == bool(reason)
    assert reason in "".join(reasons)


@pytest.mark.parametrize("os_type", ["Linux", "Windows"])
def test_secure_boot_must_be_on_where_the_definition_requires_it(os_type):
    answers = {**(LINUX if os_type == "Linux" else WINDOWS), "secure_boot": "pass off"}
    text = output(answers, checks=len(answers))
    assert judge(text, os_type=os_type).warnings == ()
    (warning,) = judge(text, os_type=os_type, secure_boot=True).warnings
    assert warning == f"Secure Boot is off. {remedy('secure_boot', os_type)}"


def test_the_evidence_names_the_checks_that_were_applied_with_their_severities():
    own = (OwnCheck("x", CommandCheck("true")),)
    rules = BootRules(checks={"swap": CheckSeverity.OFF, "dns": CheckSeverity.ERROR}, own_checks=own)
    found = probe_rules("Linux", rules)
    assert "swap" not in found["checks"]
    assert (found["checks"]["dns"], found["checks"]["own:x"]) == ("error", "error")
    assert found["ownCheckSHA256"] == {"x": hashlib.sha256(b"true").hexdigest()}
