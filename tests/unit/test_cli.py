"""The command line against a double of the app on a socket."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from shared.cli.client import Client
from shared.cli.command_line import Session, run
from shared.cli.exit_codes import RequestFailed
from shared.cli.target import Target
from tests.unit.cli_app import GALLERY, KEY, NOW, OTHER_GALLERY, AppDouble, summary, version_id, waiting

ROOT = Path(__file__).parents[2]


class Terminal:
    """Runs a command line and keeps what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], directory: Path) -> None:
        self._capsys, self.directory = capsys, directory
        self.out = self.err = ""

    def __call__(self, *arguments: str, environ: dict[str, str] | None = None) -> int:
        code = run(arguments, Session(environ or {}, self.directory, NOW))
        self.out, self.err = self._capsys.readouterr()
        return code


@pytest.fixture
def ringmaster(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Terminal:
    return Terminal(capsys, tmp_path)


RELEASES = [
    summary(
        "ubuntu/1.0.1",
        "testing",
        ring="canary",
        waiting_for=[waiting("boot_test/canary/westeurope", step="probe")],
    ),
    summary("ubuntu/1.0.0", "released", ring="early", published={"canary": ["westeurope"], "early": ["eastus"]}),
    summary("windows/1.0.0", "rejected", reasons=["3 critical findings, 0 allowed"]),
    summary(
        "windows/2.0.0",
        "replicating",
        stalled={"replicate/canary": "the definition is missing"},
        waiting_for=[waiting("replicate/canary", stalled="the definition is missing")],
    ),
]


def test_a_revoked_release_is_shown_as_taken_back(ringmaster: Terminal):
    revoked = summary("ubuntu/1.0.0", "revoked", published={"canary": ["westeurope"]})
    with AppDouble(releases=[revoked]) as app:
        assert ringmaster("status", environ=app.environ) == 0
    assert "revoked in canary" in ringmaster.out


# --- where the app is -------------------------------------------------------------------------------------------------


def test_address_and_key_come_from_the_environment(ringmaster: Terminal):
    with AppDouble() as app:
        assert ringmaster("status", environ=app.environ) == 0
        assert app.requests == [("GET", "/api/releases", KEY)]


def test_a_slash_at_the_end_of_the_address_changes_nothing(ringmaster: Terminal):
    with AppDouble() as app:
        assert ringmaster("status", environ={**app.environ, "RINGMASTER_URL": app.url + "/"}) == 0
        assert app.requests[0][1] == "/api/releases"


def test_without_an_address_the_local_stack_of_a_parent_directory_is_asked(ringmaster: Terminal, tmp_path: Path):
    with AppDouble() as app:
        (tmp_path / ".local").mkdir()
        (tmp_path / ".local" / "env").write_text(
            f"# the stack\nexport ARM_ENDPOINT=https://localhost:1\nexport RINGMASTER_URL='{app.url}'\n"
            f'export RINGMASTER_KEY="{KEY}"\n'
        )
        ringmaster.directory = tmp_path / "a" / "b"
        assert ringmaster("status") == 0
        assert app.requests[0][2] == KEY


def test_the_local_stacks_key_is_not_sent_to_an_address_that_was_given(ringmaster: Terminal, tmp_path: Path):
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "env").write_text(f"export RINGMASTER_URL=http://127.0.0.1:1\nexport RINGMASTER_KEY={KEY}\n")
    with AppDouble() as app:
        assert ringmaster("status", environ={"RINGMASTER_URL": app.url}) == 2
        assert app.requests[0][2] is None
    assert "without RINGMASTER_KEY" in ringmaster.err


def test_without_address_and_stack_people_learn_both_ways(ringmaster: Terminal):
    assert ringmaster("status") == 2
    assert "make up" in ringmaster.err
    assert "RINGMASTER_URL" in ringmaster.err


@pytest.mark.parametrize("url", ["example.com", "http://example.com", "ftp://example.com", "https://", "http://[::1"])
def test_an_address_that_must_not_be_used_is_refused_before_anything_is_sent(ringmaster: Terminal, url: str):
    assert ringmaster("status", environ={"RINGMASTER_URL": url}) == 2
    assert "https" in ringmaster.err


# --- an app that doesn't answer ---------------------------------------------------------------------------------------


def test_an_app_that_is_not_there_is_named_with_the_remedy(ringmaster: Terminal):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert ringmaster("status", environ={"RINGMASTER_URL": url}) == 2
    assert url in ringmaster.err
    assert "make up" in ringmaster.err


def test_an_app_that_never_answers_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RequestFailed, match="the request timed out"):
            Client(Target(url, None, "a test"), read_timeout=0.2).overview()


def test_an_answer_that_is_cut_off_is_no_answer(ringmaster: Terminal):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def cut() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"releases": [')

        thread = threading.Thread(target=cut)
        thread.start()
        code = ringmaster("status", environ={"RINGMASTER_URL": f"http://127.0.0.1:{server.getsockname()[1]}"})
        thread.join()
    assert code == 2


def test_a_wrong_key_is_said_to_be_wrong_and_not_shown(ringmaster: Terminal):
    with AppDouble() as app:
        assert ringmaster("status", environ={**app.environ, "RINGMASTER_KEY": "not-this-one"}) == 2
    assert "RINGMASTER_KEY" in ringmaster.err
    assert "not-this-one" not in ringmaster.err


def test_a_redirect_is_not_followed_with_the_key(ringmaster: Terminal):
    with AppDouble() as elsewhere:
        moved = (302, b"", {"location": elsewhere.url + "/api/releases"})
        with AppDouble(failing={"/api/releases": moved}) as app:
            assert ringmaster("status", environ=app.environ) == 2
        assert elsewhere.requests == []
    assert "redirects" in ringmaster.err


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, b"", "returned 500"),
        (503, b'{"error":{"code":"busy","message":"storage is away"}}', "storage is away"),
        (404, b"<html>nothing here</html>", "RINGMASTER_URL"),
        (200, b"<html>a portal</html>", "starts with '<html>"),
        (200, b'{"releases": [{"name": 1}]}', "unexpected format"),
        (200, b"\xff\xfe", "unexpected format"),
    ],
)
def test_an_answer_of_another_kind_is_explained(ringmaster: Terminal, status: int, body: bytes, said: str):
    with AppDouble(failing={"/api/releases": (status, body, {})}) as app:
        assert ringmaster("status", environ=app.environ) == 2
    assert said in ringmaster.err
    assert "Traceback" not in ringmaster.err


# --- status -----------------------------------------------------------------------------------------------------------


def test_status_shows_state_ring_regions_and_what_is_waited_for_until_when(ringmaster: Terminal):
    with AppDouble(RELEASES) as app:
        assert ringmaster("status", environ=app.environ) == 0
    lines = {line.split()[0]: line for line in ringmaster.out.splitlines() if line.startswith("gal_build/")}
    row = lines["gal_build/ubuntu/1.0.1"]
    assert "testing" in row
    assert "boot_test/canary/westeurope (probe) until 2026-05-01 14:00:00 (in 2 h)" in row
    assert "canary: westeurope" in lines["gal_build/ubuntu/1.0.0"]
    assert "early: eastus" in ringmaster.out
    assert "gal_build/windows/1.0.0 rejected: 3 critical findings, 0 allowed" in ringmaster.out
    assert "gal_build/windows/2.0.0 replicate/canary: the definition is missing" in ringmaster.out


def test_status_lists_messages_that_nobody_could_work_on(ringmaster: Terminal):
    letter = {"id": "a" * 32, "queue": "image-scan", "reason": "not JSON", "at": NOW.isoformat(), "release": None}
    with AppDouble(letters=[letter]) as app:
        assert ringmaster("status", environ=app.environ) == 0
    assert "image-scan" in ringmaster.out
    assert "not JSON" in ringmaster.out


def test_status_of_an_app_without_releases_says_when_one_starts(ringmaster: Terminal):
    with AppDouble() as app:
        assert ringmaster("status", environ=app.environ) == 0
    assert "No releases." in ringmaster.out


def test_json_is_the_apps_answer_and_nothing_else(ringmaster: Terminal):
    body = json.dumps({"releases": RELEASES, "deadLetters": [], "newer": "ü"}, ensure_ascii=False).encode()
    with AppDouble(failing={"/api/releases": (200, body, {})}) as app:
        assert ringmaster("status", "--json", environ=app.environ) == 0
    assert ringmaster.out == body.decode() + "\n"
    assert ringmaster.err == ""


def test_fields_of_a_newer_app_are_passed_over(ringmaster: Terminal):
    with AppDouble([summary("ubuntu/1.0.0", "released", approvals=["ada"])]) as app:
        assert ringmaster("status", environ=app.environ) == 0


def test_foreign_text_is_neither_markup_nor_terminal_control(ringmaster: Terminal):
    nasty = "[red]not markup[/] \x1b[2J\x1b]0;title\x07 end"
    with AppDouble([summary("ubuntu/1.0.0", "rejected", reasons=[nasty])]) as app:
        assert ringmaster("status", environ=app.environ) == 0
    assert "[red]not markup[/] \\x1b[2J\\x1b]0;title\\x07 end" in ringmaster.out
    assert "\x1b" not in ringmaster.out


# --- explain ----------------------------------------------------------------------------------------------------------


def _explained() -> dict[str, object]:
    gate = {
        "gate": "scan",
        "ring": None,
        "region": None,
        "answer": "pass",
        "at": "2026-05-01T10:00:00+00:00",
        "reasons": [],
        "evidence": "sub/rg/gal/ubuntu/1.0.1/x/scan-0123456789abcdef.json",
    }
    history = [
        {"at": "2026-05-01T09:00:00+00:00", "text": "started"},
        {"at": "2026-05-01T10:00:00+00:00", "text": "scan and smoke test passed"},
    ]
    return {**RELEASES[0], "gates": [gate], "history": history, "incarnation": "2026-05-01T08:59:00+00:00"}


def test_explain_tells_gates_with_evidence_and_the_history_in_order(ringmaster: Terminal):
    with AppDouble([_explained()]) as app:
        assert ringmaster("explain", "1.0.1", environ=app.environ) == 0
    assert "scan-0123456789abcdef.json" in ringmaster.out
    assert ringmaster.out.index("started") < ringmaster.out.index("scan and smoke test passed")
    assert "2026-05-01T08:59:00" in ringmaster.out


@pytest.mark.parametrize("command", ["status", "explain"])
def test_rings_that_are_filled_ahead_are_told(ringmaster: Terminal, command: str):
    release = {**_explained(), "state": "baking", "ring": "canary", "ahead": {"early": "testing"}}
    arguments = ["1.0.1"] if command == "explain" else []
    with AppDouble([release]) as app:
        assert ringmaster(command, *arguments, environ=app.environ) == 0
    assert "early" in ringmaster.out
    assert "testing" in ringmaster.out


def test_the_folder_of_all_evidence_is_said_once(ringmaster: Terminal):
    release = _explained()
    gates: Any = release["gates"]
    gates.append({**gates[0], "gate": "bake", "evidence": gates[0]["evidence"].replace("scan-", "bake-")})
    with AppDouble([release]) as app:
        assert ringmaster("explain", "1.0.1", environ=app.environ) == 0
    assert ringmaster.out.count("sub/rg/gal/ubuntu/1.0.1/x/") == 1
    assert "bake-0123456789abcdef.json" in ringmaster.out


@pytest.mark.parametrize(
    "name",
    [
        "1.0.1",
        "ubuntu/1.0.1",
        "gal_build/ubuntu/1.0.1",
        "GAL_BUILD/Ubuntu/1.0.1",
        version_id("ubuntu/1.0.1"),
        "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/RG-images/providers/Microsoft.Compute"
        "/galleries/Gal_Build/images/Ubuntu/versions/1.0.1",
    ],
)
def test_a_release_may_be_named_in_any_of_these_ways(ringmaster: Terminal, name: str):
    with AppDouble([*RELEASES, summary("ubuntu/11.0.1", "released")]) as app:
        assert ringmaster("explain", name, "--json", environ=app.environ) == 0
    assert json.loads(ringmaster.out)["version_id"] == version_id("ubuntu/1.0.1")


def test_a_full_id_is_asked_for_at_once(ringmaster: Terminal):
    with AppDouble(RELEASES) as app:
        assert ringmaster("explain", version_id("ubuntu/1.0.1"), environ=app.environ) == 0
        assert len(app.requests) == 1


@pytest.mark.parametrize("name", ["9.9.9", "debian/1.0.1", version_id("debian/1.0.1")])
def test_an_unknown_release_exits_3(ringmaster: Terminal, name: str):
    with AppDouble(RELEASES) as app:
        assert ringmaster("explain", name, environ=app.environ) == 3
    assert "no release exists for" in ringmaster.err


@pytest.mark.parametrize("name", ["ubuntu", "1.0", "/subscriptions/x", "", "ubuntu/latest"])
def test_what_names_no_version_exits_3_with_the_ways_to_name_one(ringmaster: Terminal, name: str):
    with AppDouble(RELEASES) as app:
        assert ringmaster("explain", name, environ=app.environ) == 3
        assert app.requests == []
    assert "definition/1.2.3" in ringmaster.err


def test_a_name_of_two_releases_exits_3_with_both_ids(ringmaster: Terminal):
    twins = [summary("ubuntu/1.0.0", "released"), summary("ubuntu/1.0.0", "released", OTHER_GALLERY)]
    with AppDouble(twins) as app:
        assert ringmaster("explain", "ubuntu/1.0.0", environ=app.environ) == 3
    assert GALLERY in ringmaster.err
    assert OTHER_GALLERY in ringmaster.err


# --- validate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "code"), [("pass", 0), ("reject", 1), ("wait", 2)])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_verdict_on_metadata_is_the_exit_code(
    ringmaster: Terminal, outcome: str, code: int, options: tuple[str, ...]
):
    finding = {"rule": "disk-size", "severity": "waived", "text": "waived by a@example.com until 2027-03-31"}
    log = {"created": {"caller": "robot", "application": "app-1", "at": "2026-05-01T09:00:00+00:00"}}
    answer = {
        "version": version_id("ubuntu/1.0.1"),
        "name": "gal_build/ubuntu/1.0.1",
        "outcome": outcome,
        "findings": [finding],
        "rules": {"severities": {"disk-size": "error", "source-gone": "off"}},
        "facts": {"activityLog": {**log, "lastWritten": None, "unread": None}},
    }
    with AppDouble(failing={"/api/validation": (200, json.dumps(answer).encode(), {})}) as app:
        assert ringmaster("validate", version_id("ubuntu/1.0.1"), *options, environ=app.environ) == code
    told = ["disk-size", "waived by a@example.com", "source-gone", "robot"]
    assert all(word in ringmaster.out for word in told)
    assert options or "created by robot (application app-1) at 2026-05-01 09:00:00 UTC" in ringmaster.out


# --- policy check -----------------------------------------------------------------------------------------------------


def test_a_good_policy_is_summed_up(ringmaster: Terminal):
    assert ringmaster("policy", "check", str(ROOT / "promotion.yaml")) == 0
    assert "ubuntu-22-04: gal_build/ubuntu-22-04" in ringmaster.out


def test_every_fault_of_a_policy_is_printed_with_its_place(ringmaster: Terminal, tmp_path: Path):
    file = tmp_path / "promotion.yaml"
    text = (ROOT / "promotion.yaml").read_text().replace("bake: 30m", "baked: 30m").replace("high: 5", "high: many")
    file.write_text(text)
    assert ringmaster("policy", "check", str(file)) == 1
    lines = ringmaster.out.splitlines()
    assert len(lines) >= 3
    assert all(line.startswith(f"{file}:") for line in lines)
    assert any("baked" in line for line in lines)
    assert "errors" in ringmaster.err


def test_a_policy_that_is_not_there_is_a_fault(ringmaster: Terminal, tmp_path: Path):
    assert ringmaster("policy", "check", str(tmp_path / "nothing.yaml")) == 1
    assert "cannot be read" in ringmaster.out


# --- the process ------------------------------------------------------------------------------------------------------


def test_a_wrong_command_line_exits_2(ringmaster: Terminal):
    assert ringmaster("promote") == 2
    assert ringmaster("explain") == 2


def test_asking_for_status_imports_no_sdk_and_no_policy_reader():
    script = (
        "import sys; from shared.cli.command_line import run, Session; "
        "code = run(['status'], Session({'RINGMASTER_URL': 'http://127.0.0.1:9'})); "
        "print(code, [name for name in sys.modules if name.partition('.')[0] in "
        "{'azure', 'yaml', 'requests', 'aiohttp', 'opentelemetry'}])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "2 []\n"
