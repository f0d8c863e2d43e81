"""Checks of the policy, run by a real shell: what passes, what fails, and that no text becomes a part of the script."""

from __future__ import annotations

import base64
import re
import shlex
import subprocess
import time
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.boot_test.own_checks import (
    BaselineRules,
    CommandCheck,
    FileCheck,
    OwnCheck,
    PortCheck,
    Protocol,
    ServiceCheck,
)
from shared.domain.boot_test.probe import Result
from shared.domain.boot_test.probe_check import CheckSeverity
from shared.domain.boot_test.probe_checks import checks_of
from shared.domain.policy import BootRules
from shared.probes import probe_script
from tests.unit.test_linux_probe import Machine, machine

__all__ = ["machine"]

NONCE = "8f14e45fceea167a5a36dedd4bea2543"
ALL_OFF = {each.id: CheckSeverity.OFF for os_type in ("Linux", "Windows") for each in checks_of(os_type)}


def script(*expected: CommandCheck | FileCheck | ServiceCheck | PortCheck, os_type: str = "Linux") -> str:
    own = tuple(OwnCheck(f"c{number}", each) for number, each in enumerate(expected))
    return probe_script(os_type, NONCE, BootRules(checks=ALL_OFF, own_checks=own))


def run(text: str) -> str:
    done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    return done.stdout


def answer(expected: CommandCheck) -> str:
    """What the machine at hand reports of a command."""
    (line,) = re.findall(r"^own:c0=(.*)$", run(script(expected)), re.MULTILINE)
    return line


class TestCommands:
    @pytest.mark.parametrize(
        ("check", "said"),
        [
            (CommandCheck("true"), "pass"),
            (CommandCheck("echo ok; exit 3", exit_code=3), "pass"),
            (CommandCheck("exit 3"), "fail exit code 3, not 0"),
            (CommandCheck("echo why >&2; exit 1"), "fail exit code 1, not 0: why"),
            (CommandCheck("echo one; echo two", matches="^two$"), "pass"),
            (CommandCheck("echo one", matches="^two$"), "fail the output does not match: one"),
            (CommandCheck("no-such-command"), "fail exit code 127, not 0"),
            (CommandCheck("yes | head -c 300000"), "pass"),
            (CommandCheck("cat", matches="^$"), "pass"),
            (CommandCheck("-x"), "fail exit code 127, not 0"),
            (CommandCheck("set -- a b; [[ ${#} == 2 ]]", interpreter="bash"), "pass"),
            (CommandCheck("import sys; sys.exit(4)", exit_code=4, interpreter="python3"), "pass"),
        ],
        ids=lambda each: each.text if isinstance(each, CommandCheck) else "",
    )
    def test_exit_code_and_output_decide(self, check: CommandCheck, said: str) -> None:
        assert answer(check).startswith(said)

    @pytest.mark.parametrize("text", ["sleep 20", "echo 0; sleep 20", "yes", "sleep 20 & exit 0", "setsid sleep 20 &"])
    def test_the_time_limit_holds_whatever_the_command_does(self, text: str) -> None:
        began = time.monotonic()
        said = answer(CommandCheck(text, timeout=timedelta(seconds=1)))
        assert said.startswith("fail it did not end within 1 s")
        assert time.monotonic() - began < 10

    def test_output_cannot_pass_for_the_frame_or_for_another_check(self) -> None:
        forged = f"printf 'x\\nringmaster done {NONCE} checks=0\\nown:c1=pass\\n'; exit 1"
        output = run(script(CommandCheck(forged), CommandCheck("false")))
        assert len(re.findall("^ringmaster done ", output, re.MULTILINE)) == 1
        assert len(re.findall("^own:c1=", output, re.MULTILINE)) == 1


TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=60) | st.sampled_from(
    [
        "'",
        "'; exit 0; '",
        "$(exit 1)",
        "`id`",
        "\\",
        "\n",
        "'\n# Checks of the policy are added here.\n",
        "@NONCE@",
        "‘’",
    ]
)


class TestText:
    """A policy's text is one word of the script, whatever it is."""

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(text=TEXTS, pattern=TEXTS)
    def test_a_text_cannot_break_out_of_its_word(self, text: str, pattern: str) -> None:
        printed = CommandCheck(f"printf %s {shlex.quote(text)} | od -An -tx1 | tr -d ' \\n'")
        expected = printed.__class__(printed.text, matches=f"^{text.encode().hex()}$")
        output = run(script(expected, CommandCheck("true", matches=pattern)))
        lines = output.splitlines()
        assert (lines[0], len(lines)) == (f"ringmaster begin {NONCE}", 6)
        assert lines[3] == "own:c0=pass"
        assert lines[5] == f"ringmaster done {NONCE} checks=4"

    @settings(max_examples=50, deadline=None)
    @given(text=TEXTS)
    def test_in_powershell_a_text_is_base64(self, text: str) -> None:
        (line,) = re.findall(r"^Own 'c0' (.*)$", script(CommandCheck(text), os_type="Windows"), re.MULTILINE)
        words = re.fullmatch(r"(?:\(Text '([A-Za-z0-9+/=]*)'\) ?)+", line)
        assert words
        assert base64.b64decode(words[1]).decode() == text

    @settings(max_examples=20, deadline=None)
    @given(path=TEXTS, rule=TEXTS, unit=TEXTS)
    def test_paths_rules_and_units_are_words_too(self, path: str, rule: str, unit: str) -> None:
        rules = BootRules(ignore_units=(unit,), baseline=BaselineRules(f"/nowhere/{path}", 0, (rule,)), checks=ALL_OFF)
        rules = BootRules(
            ignore_units=rules.ignore_units, baseline=rules.baseline, checks=ALL_OFF | {"baseline": CheckSeverity.WARN}
        )
        lines = run(probe_script("Linux", NONCE, rules)).splitlines()
        assert [line.partition("=")[0] for line in lines[1:-1]] == ["boot_id", "cloud_init", "baseline"]
        assert lines[3].startswith("baseline=fail ")


def found(machine: Machine, *expected: FileCheck | ServiceCheck | PortCheck) -> list[str]:
    """What a machine reports of each expectation."""
    own = tuple(OwnCheck(f"c{number}", each) for number, each in enumerate(expected))
    results = machine.judged(rules=BootRules(own_checks=own)).results
    return [results[f"own:{each.id}"].answer for each in own]


class TestExpectations:
    def test_files(self, machine: Machine) -> None:
        machine.write("etc/app.conf", "a = 1\n")
        (machine.root / "etc/app.conf").chmod(0o640)
        owner = (machine.root / "etc/app.conf").owner()
        assert found(
            machine,
            FileCheck("/etc/app.conf", mode="640", owner=owner, matches="^a *= *[0-9]$"),
            FileCheck("/etc/app.conf", mode="600", matches="^b"),
            FileCheck("/etc/app.conf", exists=False),
            FileCheck("/etc/none.conf"),
            FileCheck("/etc/none.conf", exists=False),
        ) == [
            "pass",
            "fail: mode 640, not 600 no line matches",
            "fail: it exists",
            "fail: it does not exist",
            "pass",
        ]

    def test_services(self, machine: Machine) -> None:
        with (machine.state / "units").open("a") as units:
            units.write("nginx.service failed failed disabled nginx\n")
        assert found(
            machine,
            ServiceCheck("chrony.service", running=True, enabled=True),
            ServiceCheck("nginx.service", running=True, enabled=True),
            ServiceCheck("nginx.service", running=False, enabled=False),
            ServiceCheck("none.service", running=True),
        ) == ["pass", "fail: it is failed it is disabled", "pass", "fail: it is inactive"]

    def test_ports(self, machine: Machine) -> None:
        assert found(
            machine, PortCheck(22), PortCheck(22, listening=False), PortCheck(53), PortCheck(53, Protocol.UDP, False)
        ) == ["pass", "fail: something listens", "fail: nothing listens for other machines", "pass"]


XCCDF = """<?xml version="1.0"?>
<Benchmark xmlns="http://checklists.nist.gov/xccdf/1.2">
 <Rule id="xccdf_org.ssgproject.content_rule_a"><title>result</title></Rule>
 <TestResult id="x" start-time="2026-03-01T00:00:00">
  <rule-result idref="xccdf_org.ssgproject.content_rule_a" severity="high"><result>pass</result></rule-result>
  <rule-result idref="xccdf_org.ssgproject.content_rule_b" severity="high">
   <result>fail</result><ident system="x">CCE-1</ident></rule-result>
  <rule-result idref="xccdf_org.ssgproject.content_rule_c"><result>notapplicable</result></rule-result>
  <rule-result idref="xccdf_org.ssgproject.content_rule_d"><result>error</result></rule-result>
  <score system="urn:xccdf:scoring:default" maximum="100.000000">61.904762</score>
 </TestResult>
</Benchmark>
"""
INSPEC = """{"platform": {"name": "debian"}, "profiles": [{"controls": [
 {"id": "a", "results": [{"status": "passed"}, {"status": "passed"}]},
 {"id": "b", "results": [{"status": "passed"}, {"status": "failed"}]},
 {"id": "c", "results": [{"status": "skipped"}]}, {"id": "d", "results": [{"status": "error"}]}]}]}
"""


class TestBaseline:
    def reasons(self, machine: Machine, text: str, **limits: object) -> str:
        machine.write("var/lib/scan", text)
        rules = BootRules(baseline=BaselineRules("/var/lib/scan", **limits))  # type: ignore[arg-type]
        return "".join(machine.judged(rules=rules).reasons)

    @pytest.mark.parametrize("text", [XCCDF, XCCDF.replace("<r", "<cdf:r").replace("</r", "</cdf:r"), INSPEC])
    def test_a_report_is_summarized_on_the_machine(self, machine: Machine, text: str) -> None:
        assert self.reasons(machine, text, max_failed=2, required=("a",)) == ""
        assert "2 rules failed, and 1 may: b d." in self.reasons(machine, text, max_failed=1)
        assert "1 required rules did not pass: c:not" in self.reasons(machine, text, max_failed=2, required=("a", "c"))
        assert "1 required rules did not pass: z:missing" in self.reasons(machine, text, max_failed=2, required=("z",))

    @pytest.mark.parametrize("text", ["", "{", "<html/>", "{}", XCCDF.replace(">pass<", ">notchecked<")])
    def test_a_report_without_a_passed_rule_proves_nothing(self, machine: Machine, text: str) -> None:
        assert "the baseline is not met" in self.reasons(machine, text, max_failed=10)

    def test_a_long_list_of_rules_is_cut_with_its_count(self, machine: Machine) -> None:
        rules = "".join(f'<rule-result idref="rule_{n:04}"><result>fail</result></rule-result>' for n in range(500))
        text = XCCDF.replace("<score", rules + "<score")
        assert re.search(r"502 rules failed.*\(\+[0-9]+ more\)", self.reasons(machine, text))


class TestIgnoredUnits:
    def fail(self, machine: Machine, *units: str) -> None:
        (machine.state / "system-state").write_text("degraded")
        with (machine.state / "units").open("a") as file:
            file.writelines(f"{unit} failed failed enabled x\n" for unit in units)

    def test_a_unit_that_the_policy_ignores_may_fail(self, machine: Machine) -> None:
        self.fail(machine, "cups.service", "cups-browsed.service")
        verdict = machine.judged(rules=BootRules(ignore_units=("cups*.service",)))
        assert (verdict.reasons, verdict.warnings) == ((), ())
        assert verdict.answers["systemd"] == "degraded by ignored units"

    def test_another_unit_may_not(self, machine: Machine) -> None:
        self.fail(machine, "cups.service", "nginx.service")
        verdict = machine.judged(rules=BootRules(ignore_units=("cups*.service",)))
        assert "failed units nginx.service." in verdict.reasons[0]
        assert verdict.results["failed_units"].detail == "nginx.service"
        assert verdict.results["systemd"].result is Result.FAIL
