"""``ringmaster probe``: what it prints, and how it exits."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from shared.cli.command_line import Session, run
from shared.domain.boot_test.probe import LINUX_CHECKS
from shared.domain.boot_test.probe_checks import LINUX
from shared.policy_file import read_file
from shared.probes import probe_script
from tests.unit.policy_texts import MINIMAL, only
from tests.unit.test_linux_probe import DAY, KEY, Machine, machine

__all__ = ["machine"]


@pytest.fixture
def at_hand(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A clean machine that the command runs the probe on."""
    import platform

    (machine.state / "hostname").write_text(platform.node())
    for name, value in machine.environment().items():
        monkeypatch.setenv(name, value)
    return machine


@pytest.mark.parametrize("system", ["linux", "windows"])
def test_the_script_is_printed_with_a_new_nonce(system: str, capsys: pytest.CaptureFixture[str]) -> None:
    nonces: set[str] = set()
    for _ in range(2):
        assert run(["probe", system], Session()) == 0
        said = capsys.readouterr().out
        found = re.search(r"(?i)^\$?nonce ?= ?'([0-9a-f]{32})'$", said, re.MULTILINE)
        assert found
        assert said == probe_script(system, found[1])
        nonces.add(found[1])
    assert len(nonces) == 2


def test_another_system_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["probe", "beos"], Session()) == 2
    assert "beos" in capsys.readouterr().err


def test_json_without_a_run_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["probe", "linux", "--json"], Session()) == 2
    assert "--json needs --run" in capsys.readouterr().err


def test_a_clean_machine_exits_0(at_hand: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["probe", "linux", "--run", "--json"], Session()) == 0
    body = json.loads(capsys.readouterr().out)
    assert (body["verdict"], body["reasons"], body["warnings"]) == ("clean", [], [])
    assert [each["check"] for each in body["checks"]] == list(LINUX_CHECKS)
    assert body["checks"][0].keys() == {"check", "result", "detail", "severity", "remedy"}


def test_a_warning_is_shown_with_its_remedy_and_exits_0(at_hand: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    at_hand.write("root/.ssh/id_rsa", KEY, age=DAY)
    assert run(["probe", "linux", "--run"], Session()) == 0
    said = capsys.readouterr().out
    (check,) = [each for each in LINUX if each.id == "private_keys"]
    assert said.startswith("clean\n  warning: private keys are left: /root/.ssh/id_rsa. Delete ")
    assert check.remedy[:40] in said


def test_a_bad_machine_exits_1(at_hand: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    (at_hand.state / "cloud-init").write_text("error")
    assert run(["probe", "linux", "--run"], Session()) == 1
    assert capsys.readouterr().out.startswith("bad\n  reason: cloud-init ended with 'error'. Read ")


def test_a_probe_that_does_not_finish_is_inconclusive_and_exits_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = tmp_path / "sh"
    shell.write_text("#!/bin/sh\necho hostname=pass x\n")
    shell.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["probe", "linux", "--run", "--json"], Session()) == 2
    assert json.loads(capsys.readouterr().out)["verdict"] == "inconclusive"


def test_a_missing_shell_is_named_and_exits_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("pwsh") is None
    assert run(["probe", "windows", "--run"], Session()) == 2
    assert "needs pwsh or powershell" in capsys.readouterr().err


OWN = "boot: {checks: {swap: off}, ownChecks: [{id: marker, command: test -e /none/here, remedy: Create it.}]}"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "promotion.yaml"
    file.write_text(MINIMAL.replace("    rings:\n", f"    {OWN}\n    rings:\n"))
    return file


def test_the_script_of_a_definition_has_its_checks(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = only(read_file(policy)).name
    assert run(["probe", "linux", "--policy", str(policy), "--definition", name], Session()) == 0
    said = capsys.readouterr().out
    found = re.search(r"^nonce='([0-9a-f]{32})'$", said, re.MULTILINE)
    assert found
    assert said == probe_script("linux", found[1], only(read_file(policy)).boot)
    assert "\nown marker run_command 30 0 '' sh 'test -e /none/here'\n" in said
    assert "\ncheck swap\n" not in said


def test_a_run_is_judged_by_the_definition(at_hand: Machine, policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["probe", "linux", "--run", "--json", "--policy", str(policy)], Session()) == 1
    body = json.loads(capsys.readouterr().out)
    assert body["reasons"] == ["the check marker of the policy failed: exit code 1, not 0. Create it."]
    assert (body["checks"][-1]["check"], body["checks"][-1]["severity"]) == ("own:marker", "error")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--definition", "x"], "--definition needs --policy"),
        (["--policy", "{policy}", "--definition", "x"], "has no definition 'x'; the policy has"),
        (["--policy", "{policy}.none"], "cannot be read"),
    ],
)
def test_a_definition_that_is_not_there_is_named(
    policy: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe", "linux", *(each.format(policy=policy) for each in options)], Session()) == 2
    assert said in " ".join(capsys.readouterr().err.split())
