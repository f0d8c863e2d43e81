"""The commands that change releases, against a double of the app on a socket."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.cli.access_token import access_token
from shared.cli.command_line import Session, run
from shared.cli.exit_codes import RequestFailed
from shared.cli.target import find_target
from tests.unit.cli_app import KEY, NOW, OPERATOR, TOKEN, AppDouble, summary, taken, version_id

ROOT = Path(__file__).parents[2]
NAME = "ubuntu/1.0.0"
ID = version_id(NAME)
INCARNATION = "2026-05-01T08:59:00+00:00"
RELEASE = summary(NAME, "awaiting_approval", ring="production", incarnation=INCARNATION)
WITH_REASON = ("reject", "hold", "skip-bake", "restore", "revoke", "promote")
WITHOUT = ("approve", "resume", "retry", "resend", "acknowledge")
PLAN: dict[str, Any] = {
    "version": ID,
    "state": "released",
    "galleries": [
        {
            "definition": ID.rpartition("/versions/")[0],
            "gallery": "gal_build",
            "changes": True,
            "latest": {
                "westeurope": {"before": "1.0.0", "after": "0.9.0"},
                "northeurope": {"before": "1.0.0", "after": None},
            },
            "emptied": ["northeurope"],
        }
    ],
    "leavesEmpty": ["northeurope of gal_build"],
    "allowedToLeaveEmpty": False,
}


class Terminal:
    """Runs a command line, answers its questions, and keeps what it printed. Without an answer there is no terminal."""

    def __init__(self, capsys: pytest.CaptureFixture[str], directory: Path) -> None:
        self._capsys, self._directory = capsys, directory
        self.asked: list[str] = []
        self.out = self.err = ""

    def __call__(self, *arguments: str, environ: dict[str, str], answer: bool | None = None) -> int:
        def ask(question: str) -> bool:
            self.asked.append(question)
            return answer is True

        code = run(arguments, Session(environ, self._directory, NOW, None if answer is None else ask))
        self.out, self.err = self._capsys.readouterr()
        return code


@pytest.fixture
def ringmaster(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Terminal:
    return Terminal(capsys, tmp_path)


def words(command: str) -> list[str]:
    """A complete command line without --yes."""
    more = ["--emergency"] if command == "promote" else []
    return [command, ID, *more, *(["--reason", "a reason"] if command in WITH_REASON else [])]


# --- what is sent -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [*WITH_REASON, *WITHOUT])
def test_every_command_sends_its_action_with_a_key_of_its_own(ringmaster: Terminal, command: str) -> None:
    with AppDouble([RELEASE]) as app:
        assert ringmaster(*words(command), "--yes", environ=app.operator) == 0
        assert ringmaster(*words(command), "--yes", environ=app.operator) == 0
        first, second = app.posted
    action = "emergency" if command == "promote" else command
    reason = {"reason": "a reason"} if command in WITH_REASON else {}
    assert first.body == second.body == {"action": action, "version": ID, **reason}
    assert first.idempotency_key != second.idempotency_key
    assert all(re.fullmatch(r"[-\w]{20,100}", each.idempotency_key) for each in (first, second))
    assert "operator@example.com" in ringmaster.out
    assert f"action-{action}-0123456789abcdef.json" in ringmaster.out


@pytest.mark.parametrize("command", WITH_REASON)
def test_what_takes_back_or_skips_needs_a_reason(ringmaster: Terminal, command: str) -> None:
    with AppDouble([RELEASE]) as app:
        given = [each for each in words(command) if each not in {"--reason", "a reason"}]
        assert ringmaster(*given, "--yes", environ=app.operator) == 2
        assert app.posted == []
    assert "--reason" in ringmaster.err


def test_a_promotion_must_be_called_an_emergency(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE]) as app:
        assert ringmaster("promote", ID, "--reason", "x", "--yes", environ=app.operator) == 2
        assert app.posted == []
    assert "--emergency" in ringmaster.err


@pytest.mark.parametrize("command", ["approve", "skip-bake", "promote"])
def test_the_ring_that_is_meant_can_be_named(ringmaster: Terminal, command: str) -> None:
    with AppDouble([RELEASE]) as app:
        assert ringmaster(*words(command), "--ring", "production", "--yes", environ=app.operator) == 0
        assert app.posted[0].body["ring"] == "production"


@pytest.mark.parametrize("command", ["hold", "resume", "reject", "retry", "resend", "revoke", "restore", "acknowledge"])
def test_what_is_about_the_whole_release_takes_no_ring(ringmaster: Terminal, command: str) -> None:
    with AppDouble([RELEASE]) as app:
        assert ringmaster(*words(command), "--ring", "production", "--yes", environ=app.operator) == 2
        assert app.posted == []


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("2026-12-01T18:00", "2026-12-01T18:00:00+00:00"),
        ("2026-12-01T18:00Z", "2026-12-01T18:00:00+00:00"),
        ("2026-12-01T18:00+01:00", "2026-12-01T18:00:00+01:00"),
    ],
)
def test_a_revocation_can_be_planned_for_a_time_and_may_leave_nothing(
    ringmaster: Terminal, given: str, sent: str
) -> None:
    with AppDouble([RELEASE]) as app:
        assert ringmaster(*words("revoke"), "--at", given, "--allow-empty", "--yes", environ=app.operator) == 0
        assert (app.posted[0].body["at"], app.posted[0].body["allowEmpty"]) == (sent, True)


def test_what_is_no_time_is_refused_before_anything_is_sent(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE]) as app:
        assert ringmaster(*words("revoke"), "--at", "soon", "--yes", environ=app.operator) == 2
        assert app.requests == []


def test_json_is_the_apps_answer_and_nothing_else(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE]) as app:
        assert ringmaster(*words("approve"), "--json", environ=app.operator, answer=True) == 0
    assert json.loads(ringmaster.out)["release"]["version_id"] == ID


def test_a_machine_needs_no_key_to_act_on_a_full_id(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE]) as app:
        environ = {"RINGMASTER_URL": app.url, "RINGMASTER_TOKEN": TOKEN}
        assert ringmaster(*words("hold"), "--yes", environ=environ) == 0
        assert [(method, key) for method, _, key in app.requests] == [("POST", None)]


def test_a_short_name_is_searched_among_the_releases(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE]) as app:
        assert ringmaster("resume", "1.0.0", "--yes", environ=app.operator) == 0
        assert app.posted[0].body["version"] == ID


# --- before it is sent ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [*WITH_REASON, *WITHOUT])
def test_without_a_terminal_nothing_is_done_unless_yes_is_said(ringmaster: Terminal, command: str) -> None:
    with AppDouble([RELEASE]) as app:
        assert ringmaster(*words(command), environ=app.operator) == 2
        assert app.requests == []
    assert "--yes" in ringmaster.err


def test_people_see_the_release_and_what_follows_before_they_confirm(ringmaster: Terminal) -> None:
    release = {
        **RELEASE,
        "approvals": {"ring": "production", "needed": 2, "given": [taken("approve")], "missing": 1},
        "builder": "3e18019e-9dde-5d86-b63e-c390030c44de",
    }
    with AppDouble([release]) as app:
        assert ringmaster(*words("approve"), environ=app.operator, answer=True) == 0
        assert app.posted[0].body["incarnation"] == INCARNATION
    assert ringmaster.asked == ["approve: continue?"]
    assert "awaiting approval in ring production" in ringmaster.err
    assert "approvals of production: operator@example.com at 2026-05-01 11:00:00; 1 of 2 missing" in ringmaster.err
    assert "built by 3e18019e" in ringmaster.err
    assert "published when no approval is missing" in ringmaster.err


def test_what_is_not_confirmed_is_not_done(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE]) as app:
        assert ringmaster(*words("approve"), environ=app.operator, answer=False) == 4
        assert app.posted == []
    assert "nothing was changed" in ringmaster.err


def test_a_revocation_shows_its_plan_and_where_nothing_would_be_left(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE], plan=PLAN) as app:
        assert ringmaster(*words("revoke"), environ=app.operator, answer=True) == 0
        assert [each.body.get("dryRun", False) for each in app.posted] == [True, False]
    rows = [line.split() for line in ringmaster.err.splitlines() if line.startswith("gal_build ")]
    assert rows == [
        ["gal_build", "westeurope", "1.0.0", "0.9.0"],
        ["gal_build", "northeurope", "1.0.0", "none"],
    ]
    assert "No version would be latest in northeurope of gal_build" in ringmaster.err
    assert "Without --allow-empty" in ringmaster.err


def test_a_dry_run_shows_the_plan_asks_nothing_and_changes_nothing(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE], plan=PLAN) as app:
        assert ringmaster("revoke", ID, "--dry-run", "--allow-empty", environ=app.operator) == 0
        assert ["dryRun" in each.body for each in app.posted] == [True]
        assert "Without --allow-empty" not in ringmaster.out
        assert ringmaster("revoke", ID, "--dry-run", "--json", environ=app.operator) == 0
    assert json.loads(ringmaster.out) == PLAN


def test_a_plan_without_changes_says_so(ringmaster: Terminal) -> None:
    (gallery,) = PLAN["galleries"]
    hidden = {**PLAN, "galleries": [{**gallery, "changes": False}], "leavesEmpty": []}
    with AppDouble([RELEASE], plan=hidden) as app:
        assert ringmaster("revoke", ID, "--dry-run", environ=app.operator) == 0
    assert "visible to latest in no gallery" in ringmaster.out


def test_a_plan_for_what_does_not_exist_says_so(ringmaster: Terminal) -> None:
    with AppDouble([], plan={**PLAN, "state": None, "galleries": [], "leavesEmpty": []}) as app:
        assert ringmaster("revoke", ID, "--dry-run", environ=app.operator) == 0
    assert "no release" in ringmaster.out
    assert "does not exist in any gallery" in ringmaster.out


@pytest.mark.parametrize(("typed", "code", "sent"), [(b"n\n", 4, 0), (b"y\n", 0, 1)])
def test_a_person_at_a_terminal_is_asked(typed: bytes, code: int, sent: int) -> None:
    person, terminal = os.openpty()
    with AppDouble([RELEASE]) as app:
        os.write(person, typed)
        script = [sys.executable, "-m", "shared.cli", *words("approve")]
        env = {"PATH": os.environ["PATH"], **app.operator}
        done = subprocess.run(script, cwd=ROOT, env=env, stdin=terminal, capture_output=True, text=True, check=False)
        assert (done.returncode, len(app.posted)) == (code, sent), done.stderr
    os.close(person)
    os.close(terminal)
    assert "approve: continue? [y/N]" in done.stderr
    assert "continue" not in done.stdout


# --- what may go wrong ------------------------------------------------------------------------------------------------


def test_a_lost_connection_is_tried_once_more_with_the_same_key(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE], lost=1) as app:
        assert ringmaster(*words("hold"), "--yes", environ=app.operator) == 0
        assert len({each.idempotency_key for each in app.posted}) == 1
        assert len(app.posted) == 2
    assert "already taken with this request" in ringmaster.out


def test_after_two_lost_connections_people_are_told_that_it_may_be_done(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE], lost=9) as app:
        assert ringmaster(*words("hold"), "--yes", environ=app.operator) == 2
        assert len(app.posted) == 2
    assert "ringmaster explain" in ringmaster.err


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (403, "role_missing", 4),
        (403, "no_identity", 4),
        (409, "approved_already", 4),
        (400, "reason_missing", 4),
        (404, "unknown_release", 3),
        (401, "not_signed_in", 2),
        (503, "not_now", 2),
    ],
)
def test_a_refusal_is_told_in_the_apps_words_and_has_a_code_of_its_own(
    ringmaster: Terminal, status: int, code: str, exit_code: int
) -> None:
    body = json.dumps({"error": {"code": code, "message": "the words of the app"}}).encode()
    with AppDouble([RELEASE], failing={"/api/releases/actions": (status, body, {})}) as app:
        assert ringmaster(*words("hold"), "--yes", environ=app.operator) == exit_code
    assert "the words of the app" in ringmaster.err
    assert ringmaster.out == ""


def test_an_unknown_token_is_said_to_be_wrong_and_not_shown(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE]) as app:
        environ = {**app.operator, "RINGMASTER_TOKEN": "not-this-one"}
        assert ringmaster(*words("hold"), "--yes", environ=environ) == 2
    assert "rejected the token of RINGMASTER_TOKEN" in ringmaster.err
    assert "not-this-one" not in ringmaster.err


# --- the token --------------------------------------------------------------------------------------------------------


def test_reading_commands_send_the_key_alone(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE]) as app:
        environ = {**app.operator, "RINGMASTER_TOKEN": "no token that anybody knows".replace(" ", "-")}
        assert ringmaster("status", environ=environ) == 0
        assert ringmaster("explain", ID, environ=environ) == 0


def test_the_local_stacks_token_is_taken_from_its_file_with_address_and_key(
    ringmaster: Terminal, tmp_path: Path
) -> None:
    with AppDouble([RELEASE]) as app:
        (tmp_path / ".local").mkdir()
        exports = {"RINGMASTER_URL": app.url, "RINGMASTER_KEY": KEY, "RINGMASTER_TOKEN": TOKEN}
        (tmp_path / ".local" / "env").write_text("".join(f"export {name}={one}\n" for name, one in exports.items()))
        assert ringmaster(*words("hold"), "--yes", environ={}) == 0
        assert ringmaster(*words("hold"), "--yes", environ={"RINGMASTER_URL": app.url}) == 2
        assert len(app.posted) == 1


@pytest.mark.parametrize("token", ["two words", "a\nb", "ü" * 30])
def test_a_token_that_is_none_is_refused_before_anything_is_sent(ringmaster: Terminal, token: str) -> None:
    with AppDouble([RELEASE]) as app:
        assert ringmaster("status", environ={**app.operator, "RINGMASTER_TOKEN": token}) == 2
        assert app.requests == []
    assert token not in ringmaster.err


def test_without_an_azure_cli_that_has_signed_in_people_are_told_how(tmp_path: Path) -> None:
    environ = {"RINGMASTER_URL": "https://x.example", "RINGMASTER_SCOPE": "api://x/.default"}
    target = find_target(environ, tmp_path)
    script = (
        "import sys; from pathlib import Path; from shared.cli.command_line import run, Session; "
        f"sys.exit(run(['whoami'], Session({environ!r}, Path('/'))))"
    )
    env = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert (target.scope, done.returncode) == ("api://x/.default", 2), done.stderr
    assert "az login" in done.stderr


def test_a_token_goes_before_a_scope(tmp_path: Path) -> None:
    environ = {"RINGMASTER_URL": "https://x.example", "RINGMASTER_SCOPE": "api://x/.default", "RINGMASTER_TOKEN": "t"}
    assert access_token(find_target(environ, tmp_path)) == "t"
    assert access_token(find_target({"RINGMASTER_URL": "https://x.example"}, tmp_path)) is None


def test_a_scope_that_is_none_is_refused(tmp_path: Path) -> None:
    environ = {"RINGMASTER_URL": "https://x.example", "RINGMASTER_SCOPE": "$(whoami)"}
    with pytest.raises(RequestFailed, match="RINGMASTER_SCOPE"):
        access_token(find_target(environ, tmp_path))


# --- whoami -----------------------------------------------------------------------------------------------------------


def identity(**more: Any) -> bytes:
    return json.dumps({**OPERATOR, "groups": 2, "groupsLeftOut": False, "roles": {}, **more}).encode()


def test_whoami_tells_name_and_roles(ringmaster: Terminal) -> None:
    body = identity(roles={"ubuntu": ["reader", "operator"]})
    with AppDouble(failing={"/api/whoami": (200, body, {})}) as app:
        assert ringmaster("whoami", environ=app.operator) == 0
        assert "groups in the token: 2" in ringmaster.out
        assert re.search(r"ubuntu +reader, operator", ringmaster.out)
        assert ringmaster("whoami", "--json", environ=app.operator) == 0
    assert ringmaster.out.encode() == body + b"\n"


def test_whoami_tells_whoever_has_no_role(ringmaster: Terminal) -> None:
    with AppDouble(failing={"/api/whoami": (200, identity(groupsLeftOut=True), {})}) as app:
        assert ringmaster("whoami", environ=app.operator) == 0
    assert "You have no role" in ringmaster.out
    assert "too many to list" in ringmaster.out


# --- what is shown of actions -----------------------------------------------------------------------------------------


def test_explain_tells_who_did_what_when_and_why(ringmaster: Terminal) -> None:
    actions = [taken("approve", ring="production"), taken("hold", reason="incident 7")]
    with AppDouble([{**RELEASE, "actions": actions, "hold": actions[1]}]) as app:
        assert ringmaster("explain", ID, environ=app.environ) == 0
    assert re.search(r"2026-05-01 11:00:00 +approve +production +operator@example\.com", ringmaster.out)
    assert re.search(r"2026-05-01 11:00:00 +hold +operator@example\.com +incident 7", ringmaster.out)
    assert "held by operator@example.com since 2026-05-01 11:00:00: incident 7" in ringmaster.out


def test_status_tells_of_holds_and_of_approvals_that_are_awaited(ringmaster: Terminal) -> None:
    with AppDouble([{**RELEASE, "hold": taken("hold", reason="incident 7")}]) as app:
        assert ringmaster("status", environ=app.environ) == 0
    (row,) = [line for line in ringmaster.out.splitlines() if line.startswith("gal_build/")]
    assert "awaiting approval" in row
    assert "held by operator@example.com since 2026-05-01 11:00:00: incident 7" in row
