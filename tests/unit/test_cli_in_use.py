"""``ringmaster in-use`` and the users in the plan of a revocation, against an app that answers as the real one does."""

import json
from typing import Any

from tests.unit.cli_app import GALLERY, AppDouble, summary, version_id
from tests.unit.test_cli_actions import PLAN, Terminal, ringmaster

__all__ = ["ringmaster"]
ID = version_id("ubuntu/1.0.0")
RELEASE = summary("ubuntu/1.0.0", "released")
VM = {
    "id": f"{GALLERY}/vm-1",
    "kind": "virtual machines",
    "name": "vm-1",
    "refers": "pinned",
    "subscription": "sub-1",
    "location": "westeurope",
    "power": "running",
}
CHILD = {"id": version_id("app/1.0.0"), "kind": "image versions", "generation": 1, "covered": True}
USERS: dict[str, Any] = {
    "version": ID,
    "complete": True,
    "counts": {"virtual machines": 1},
    "users": [VM],
    "descendants": [CHILD],
}
SHORT = {**USERS, "complete": False, "incomplete": ["scale sets in sub-2: AuthorizationFailed"]}


def test_users_and_descendants_are_named(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE], users=USERS) as app:
        assert ringmaster("in-use", "1.0.0", environ=app.environ) == 0
    words = [line.split() for line in ringmaster.out.splitlines()]
    assert ["virtual", "machines", "vm-1", "pinned", "running", "sub-1", "westeurope"] in words
    assert ["1", "image", "versions", f"{GALLERY.rpartition('/')[2]}/app/1.0.0", "yes"] in words
    assert "Every other list was read to its end" in ringmaster.out


def test_an_incomplete_look_says_what_is_missing_and_is_no_success(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE], users=SHORT) as app:
        assert ringmaster("in-use", ID, environ=app.environ) == 1
    assert "Incomplete: there may be further users." in ringmaster.out
    assert "scale sets in sub-2: AuthorizationFailed" in ringmaster.out


def test_a_waived_type_is_named(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE], users={**USERS, "waived": ["microsoft.batch/batchaccounts"]}) as app:
        ringmaster("in-use", ID, environ=app.environ)
    assert "the policy waives it: microsoft.batch/batchaccounts" in ringmaster.out


def test_json_is_the_answer_of_the_app(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE], users=USERS) as app:
        ringmaster("in-use", ID, "--json", environ=app.environ)
    assert json.loads(ringmaster.out) == USERS


def test_a_dry_run_of_a_revocation_shows_the_users(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE], plan=PLAN, users=SHORT) as app:
        assert ringmaster("revoke", ID, "--dry-run", environ=app.operator) == 0
    assert "vm-1" in ringmaster.out
    assert "scale sets in sub-2" in ringmaster.out


def test_the_plan_before_a_revocation_waits_for_no_lists(ringmaster: Terminal) -> None:
    with AppDouble([RELEASE], plan=PLAN, users=USERS) as app:
        ringmaster("revoke", ID, "--reason", "bad", environ=app.operator, answer=True)
        assert not any(each.body.get("users") for each in app.posted)
