"""What can be chosen about a stack, what is refused, and what the shell is told."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local.arm.kernel.tokens import DEFAULT_TENANT, identity
from local.host.people import load_people
from local.stack import Stack, StackError, StackOptions
from local.stack.options import PROJECT_ROOT
from local.stack.record import Record
from local.stack.services import COMMANDS, PEOPLE, READERS, Plan, app_settings, environment, read_readiness
from shared.domain.access import Role
from shared.domain.scan_formats import SCAN_FORMATS
from shared.policy_file import read_file
from shared.settings import read_settings


def _plan(tmp_path: Path, options: StackOptions | None = None) -> Plan:
    ports = {
        "host": 1,
        "arm": 2,
        "eventgrid": 3,
        "eventgrid-control": 4,
        "scanner": 5,
        "blob": 6,
        "queue": 7,
        "table": 8,
    }
    return Plan(tmp_path, options or StackOptions(), Record(tmp_path / "stack.json", ports=ports))


def test_the_app_s_settings_are_without_fault(tmp_path: Path) -> None:
    settings = read_settings(app_settings(_plan(tmp_path, StackOptions(speed=120))))
    assert (settings.pace, settings.arm_endpoint) == (120, "https://localhost:2")
    assert settings.topic_endpoint == "https://localhost:3/api/events"


def test_the_one_key_of_the_stack_signs_reports_of_every_format(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    scanners = read_settings(app_settings(plan)).scanners
    assert set(scanners) == set(SCAN_FORMATS)
    assert {key for each in scanners.values() for key in each.keys} == {plan.record.webhook_key.encode()}


def test_people_sign_in_only_where_that_was_chosen(tmp_path: Path) -> None:
    plain, signed = (_plan(tmp_path, StackOptions(sign_in=chosen)) for chosen in (False, True))
    assert "--people" not in COMMANDS["host"](plain)
    assert read_settings(app_settings(plain)).readers == frozenset()
    command = COMMANDS["host"](signed)
    assert load_people(Path(command[command.index("--people") + 1]))
    assert command[command.index("--tokens") + 1] == str(tmp_path / "tokens.json")
    assert "--tokens" not in COMMANDS["host"](plain)
    assert read_settings(app_settings(signed)).readers == {READERS}


def test_of_the_people_who_sign_in_some_may_read_pages_and_some_may_not() -> None:
    people = load_people(PEOPLE)
    assert {each.tenant for each in people} == {DEFAULT_TENANT}
    assert [READERS in each.groups for each in people] == [True, True, True, True, True, False]


@pytest.mark.parametrize("file", ["promotion.yaml", "local/demo/policy.yaml"])
def test_the_sample_policies_have_somebody_for_every_role(file: str) -> None:
    access = read_file(PROJECT_ROOT / file).access
    people = {each.account.partition("@")[0]: each for each in load_people(PEOPLE)}
    holders = {role.value: {name for name, each in people.items() if each.id in access.holders[role]} for role in Role}
    assert holders == {
        "reader": set(),
        "operator": {"operator"},
        "approver": {"approver", "builder"},
        "admin": {"admin"},
    }
    assert access.holders[Role.READER] == {READERS}


def test_the_builder_among_the_people_is_who_builds_in_the_simulator() -> None:
    builder = next(each for each in load_people(PEOPLE) if each.application)
    made = identity("image-builder")
    assert (builder.id, builder.application) == (made.object_id, made.client_id)


def test_given_settings_go_before_the_stack_s_own(tmp_path: Path) -> None:
    plan = _plan(tmp_path, StackOptions(settings={"RINGMASTER_PACE": "7"}))
    assert app_settings(plan)["RINGMASTER_PACE"] == "7"


def test_a_second_host_shares_storage_and_keys_and_runs_no_timer(tmp_path: Path) -> None:
    plan = _plan(tmp_path, StackOptions(second_app=tmp_path))
    assert Stack(tmp_path, plan.options).services[-1] == "second-host"
    assert "second-host" not in Stack(tmp_path, StackOptions()).services
    first, second = environment(plan, "host"), environment(plan, "second-host")
    assert {name: value for name, value in second.items() if name not in first} == {
        "AzureWebJobs.reconcile.Disabled": "true",
        "AzureWebJobs.retire.Disabled": "true",
    }
    first_command, second_command = COMMANDS["host"](plan), COMMANDS["second-host"](plan)
    keys = first_command.index("--keys") + 1
    assert first_command[keys] == second_command[keys]
    assert second_command[second_command.index("--app") + 1] == str(tmp_path)


def test_choices_come_back_from_the_record_as_they_were() -> None:
    options = StackOptions(
        speed=600,
        seed=7,
        scanner=False,
        ports={"host": 7071},
        settings={"A": "b"},
        arm_plan=Path("x"),
        sign_in=True,
        second_app=Path("y"),
    )
    assert StackOptions.from_record(json.loads(json.dumps(options.record()))) == options


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (StackOptions(speed=0), "speed"),
        (StackOptions(policy=Path("nowhere.yaml")), r"nowhere\.yaml"),
        (StackOptions(world=Path("nowhere.json")), r"nowhere\.json"),
        (StackOptions(duplicate=2), "duplicate"),
        (StackOptions(ports={"host": 70000}), "70000"),
        (StackOptions(ports={"web": 80}), "web"),
    ],
)
def test_bad_choices_are_refused_before_anything_starts(tmp_path: Path, options: StackOptions, says: str) -> None:
    with pytest.raises(StackError, match=says):
        Stack(tmp_path, options).start()
    assert not (tmp_path / "logs").exists()


def test_a_port_that_is_taken_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(StackError, match=str(number)):
            Stack(tmp_path, StackOptions(ports={"host": number})).start()
    assert not (tmp_path / "logs").exists()


def test_a_remembered_port_that_is_taken_gives_way_to_a_free_one(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        plan.record.ports["scanner"] = taken.getsockname()[1]
        command = COMMANDS["scanner"](plan)
    assert command[command.index("--port") + 1] == "0"


def test_the_world_is_made_once(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    assert "--world" in COMMANDS["arm"](plan)
    (plan.state / "arm").mkdir(parents=True)
    (plan.state / "arm" / "arm.db").touch()
    assert "--world" not in COMMANDS["arm"](plan)


def test_services_do_not_see_the_settings_of_another_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGMASTER_QUEUE_SCAN", "somewhere-else")
    monkeypatch.setenv("AZURE_CLIENT_ID", "somebody-else")
    seen = environment(_plan(tmp_path), "host")
    assert not {"RINGMASTER_QUEUE_SCAN", "AZURE_CLIENT_ID"} & set(seen)


@pytest.mark.parametrize(
    ("name", "log", "ports"),
    [
        ("host", "starting\nready http://127.0.0.1:71\nmore\n", {"host": 71}),
        ("scanner", 'x\n{"webhook": "http://127.0.0.1:75/events"}\n', {"scanner": 75}),
        (
            "eventgrid",
            '{"topic": "https://localhost:73/api/events", "control": "http://127.0.0.1:74/_sim"}\n',
            {"eventgrid": 73, "eventgrid-control": 74},
        ),
    ],
)
def test_a_service_is_ready_when_its_log_says_where(tmp_path: Path, name: str, log: str, ports: dict[str, int]) -> None:
    plan = _plan(tmp_path)
    assert not read_readiness(plan, name, "starting\n")
    assert read_readiness(plan, name, log)
    assert {port: plan.record.ports[port] for port in ports} == ports


def _command(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local.stack", "--directory", str(directory), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_down_and_status_say_that_nothing_runs(tmp_path: Path) -> None:
    assert "The stack is not running" in _command(tmp_path, "down").stdout
    status = _command(tmp_path, "status")
    assert status.returncode == 3
    assert status.stdout.count("not running") == 5


def test_an_app_that_cannot_start_leaves_nothing_running_and_shows_its_log(tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    (app / "function_app.py").write_text("raise RuntimeError('no such luck')\n")
    stack = Stack(tmp_path / "stack dir", StackOptions(app=app, speed=600))
    with pytest.raises(StackError, match="no such luck"):
        stack.start()
    assert stack.running == {}
    assert not (tmp_path / "stack dir" / "env").exists()
