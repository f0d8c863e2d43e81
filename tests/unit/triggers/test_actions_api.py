"""The HTTP API for people who act: who is let in, what is asked of a request, and what is answered."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import azure.functions as func
import pytest

from local.host.people import Person
from shared.codec.actions import LONGEST_BODY
from shared.codec.principals import HEADER
from shared.domain.access import Access, Role
from shared.domain.image import VersionId
from shared.domain.policy import ApprovalRules
from shared.domain.release import Release, State
from shared.settings import read_settings
from shared.triggers.actions_api import identify, take_action
from shared.triggers.http_responses import respond
from shared.triggers.runtime import Runtime
from tests.flow.rehearsal import DEFINITION, HOME, SMALL, SOURCE, Rehearsal

TENANT = "0a0b0c0d-0000-4000-8000-0000000000ee"
GROUP = "0a0b0c0d-0000-4000-8000-0000000000f1"
OPERATOR, APPROVER, READER, GUEST = (
    Person(f"0a0b0c0d-0000-4000-8000-00000000000{digit}", TENANT, f"{name}@example.com", name)
    for digit, name in enumerate(("operator", "approver", "reader", "guest"))
)
ACCESS = Access(
    {
        Role.OPERATOR: frozenset({OPERATOR.id}),
        Role.APPROVER: frozenset({APPROVER.id}),
        Role.READER: frozenset({READER.id, GROUP}),
    }
)
ON = {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "RINGMASTER_TRUST_EASYAUTH": "true"}
KEY = "key-of-this-request"
RING = replace(SMALL.rings[0], approval=ApprovalRules())
POLICY = replace(SMALL, rings=(RING,), access=ACCESS)


@dataclass
class Api:
    """The app over memory adapters, in the midst of a release."""

    play: Rehearsal
    version: VersionId
    settings: Mapping[str, str]

    def __post_init__(self) -> None:
        self.runtime = Runtime(read_settings(self.settings), _world=self.play.cloud.world)

    @property
    def row(self) -> Release:
        return self.play.release(self.version)

    def post(
        self,
        person: Person | None,
        action: str = "hold",
        *,
        headers: Mapping[str, str | None] | None = None,
        **more: Any,
    ) -> tuple[int, Any]:
        """Ask for an action with a reason. ``headers`` replace the usual ones, None takes one away."""
        body = {"version": str(self.version), "action": action, "reason": "a reason", **more}
        return self.send(person, json.dumps(body).encode(), headers)

    def send(
        self, person: Person | None, body: bytes, headers: Mapping[str, str | None] | None = None
    ) -> tuple[int, Any]:
        usual = {"content-type": "application/json", "idempotency-key": KEY, **(person.headers() if person else {})}
        given = {name: value for name, value in {**usual, **(headers or {})}.items() if value is not None}
        req = func.HttpRequest("POST", "https://x/api/releases/actions", headers=given, body=body)
        answer = self.play.do(lambda world, now: respond(take_action(req, self.runtime, now=now), include_details=True))
        return answer.status_code, json.loads(answer.get_body())

    def whoami(self, person: Person | None) -> tuple[int, Any]:
        req = func.HttpRequest("GET", "https://x/api/whoami", headers=person.headers() if person else {}, body=b"")
        answer = self.play.do(lambda world, now: respond(identify(req, self.runtime), include_details=True))
        return answer.status_code, json.loads(answer.get_body())


def api(settings: Mapping[str, str] = ON, *, scan: str | None = "clean") -> Api:
    """The API, with a release that waits for its approval."""
    play = Rehearsal(POLICY)
    version = play.publish(scan=scan)
    play.wait(hours=3)
    found = Api(play, version, settings)
    assert found.row.state is (State.AWAITING_APPROVAL if scan else State.QUALIFYING)
    return found


# --- who is let in ----------------------------------------------------------------------------------------------------


def test_where_the_platform_vouches_for_nobody_nobody_acts() -> None:
    app = api({"AzureWebJobsStorage": "UseDevelopmentStorage=true"})
    status, answer = app.post(OPERATOR)
    assert (status, answer["error"]["code"]) == (403, "no_identity")
    assert app.row.actions == ()
    assert app.whoami(OPERATOR)[0] == 403


@pytest.mark.parametrize(
    ("principal", "code"),
    [
        (None, "not_signed_in"),
        ("", "principal_unreadable"),
        ("nonsense", "principal_unreadable"),
        (base64.b64encode(b'{"auth_typ":"aad","claims":[]}').decode(), "principal_unreadable"),
        (
            base64.b64encode(b'{"auth_typ":"github","claims":[{"typ":"oid","val":"x"}]}').decode(),
            "principal_unreadable",
        ),
    ],
)
def test_whoever_is_not_identified_gets_401(principal: str | None, code: str) -> None:
    app = api()
    status, answer = app.post(None, headers={HEADER: principal})
    assert (status, answer["error"]["code"], app.row.actions) == (401, code, ())


def test_whoever_lacks_the_role_gets_403_that_names_it() -> None:
    app = api()
    status, answer = app.post(READER)
    assert (status, answer["error"]["code"]) == (403, "role_missing")
    assert (
        "hold needs the role operator for ubuntu, which reader@example.com does not have" in answer["error"]["message"]
    )
    assert app.row.actions == ()


def test_who_acts_is_never_in_the_body() -> None:
    app = api()
    status, answer = app.post(READER, by=OPERATOR.id)
    assert (status, answer["error"]["code"]) == (400, "invalid_action")


# --- what is asked of a request ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("media_type", [None, "", "text/plain", "application/x-www-form-urlencoded"])
def test_a_form_of_another_site_is_no_action(media_type: str | None) -> None:
    app = api()
    status, answer = app.post(OPERATOR, headers={"content-type": media_type})
    assert (status, answer["error"]["code"], app.row.actions) == (415, "not_json", ())


@pytest.mark.parametrize("key", [None, "", "short", "k" * 101, "spaces are not allowed", "ключ-ключ"])
def test_a_request_without_a_fit_idempotency_key_gets_400(key: str | None) -> None:
    app = api()
    status, answer = app.post(OPERATOR, headers={"idempotency-key": key})
    assert (status, answer["error"]["code"], app.row.actions) == (400, "idempotency_key", ())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b" " * (LONGEST_BODY + 1)])
def test_what_is_no_action_gets_400(body: bytes) -> None:
    status, answer = api().send(OPERATOR, body)
    assert (status, answer["error"]["code"]) == (400, "invalid_action")


@pytest.mark.parametrize(
    ("version", "status", "code"),
    [
        ("nonsense", 400, "invalid_version"),
        (f"{SOURCE}/versions/9.9.9", 404, "unknown_release"),
        (f"{SOURCE}x/versions/1.0.0", 404, "not_covered"),
    ],
)
def test_a_version_that_is_none_of_ours_is_said_to_be_so(version: str, status: int, code: str) -> None:
    given, answer = api().post(OPERATOR, version=version)
    assert (given, answer["error"]["code"]) == (status, code)


def test_a_reason_that_is_missing_or_too_long_gets_400() -> None:
    app = api()
    assert [app.post(OPERATOR, reason=text)[1]["error"]["code"] for text in ("", " ", "x" * 1001)] == [
        "reason_missing",
        "reason_missing",
        "reason_too_long",
    ]


# --- what is answered -------------------------------------------------------------------------------------------------


def test_an_action_is_answered_with_who_what_and_the_release_after_it() -> None:
    app = api()
    status, answer = app.post(APPROVER, "approve")
    assert (status, answer["action"], answer["repeated"]) == (200, "approve", False)
    assert answer["by"] == {"id": APPROVER.id, "name": "approver@example.com"}
    assert answer["release"]["state"] == "publishing"
    assert answer["evidence"] in app.play.cloud.evidence.documents()
    app.play.wait(hours=1)
    assert app.row.state is State.RELEASED


def test_the_same_key_again_is_done_once_and_answered_alike() -> None:
    app = api()
    first, again = app.post(OPERATOR)[1], app.post(OPERATOR)[1]
    assert (again["repeated"], again["at"], again["evidence"]) == (True, first["at"], first["evidence"])
    assert len(app.row.actions) == 1


def test_the_same_key_for_something_else_is_a_conflict() -> None:
    app = api()
    app.post(OPERATOR)
    status, answer = app.post(OPERATOR, "resume")
    assert (status, answer["error"]["code"]) == (409, "key_reused")


def test_what_makes_no_sense_now_gets_409() -> None:
    app = api()
    status, answer = app.post(OPERATOR, "resend")
    assert (status, answer["error"]["code"]) == (409, "nothing_stalled")


def test_a_version_built_anew_since_somebody_looked_gets_409() -> None:
    app = api()
    status, answer = app.post(OPERATOR, incarnation="2020-01-01T00:00:00+00:00")
    assert (status, answer["error"]["code"], app.row.actions) == (409, "stale", ())


# --- the plan of a revocation -----------------------------------------------------------------------------------------


def test_a_reader_sees_the_plan_and_nothing_changes() -> None:
    app = api()
    before = app.row
    status, plan = app.post(READER, "revoke", dryRun=True)
    assert (status, plan["version"], plan["state"]) == (200, str(app.version), "awaiting_approval")
    assert set(plan["galleries"][0]["latest"]) >= {HOME}
    assert app.row == before


def test_a_plan_wants_a_role_a_policy_and_a_revocation() -> None:
    app = api()
    assert app.post(GUEST, "revoke", dryRun=True)[0] == 403
    assert app.post(READER, "revoke", dryRun=True, version=f"{SOURCE}x/versions/1.0.0")[0] == 404
    assert app.post(READER, "hold", dryRun=True)[1]["error"]["code"] == "no_plan"


# --- whoami -----------------------------------------------------------------------------------------------------------


def test_whoami_tells_roles_by_definition_and_how_many_groups_were_seen() -> None:
    status, answer = api().whoami(replace(OPERATOR, groups=(GROUP,)))
    assert (status, answer) == (
        200,
        {
            "id": OPERATOR.id,
            "name": "operator@example.com",
            "groups": 1,
            "groupsLeftOut": False,
            "roles": {"ubuntu": ["reader", "operator"]},
        },
    )


def test_whoami_tells_whoever_has_no_role_of_no_definition() -> None:
    assert api().whoami(GUEST)[1]["roles"] == {}


def test_whoami_of_nobody_gets_401() -> None:
    assert api().whoami(None)[0] == 401


def test_an_admin_has_every_role() -> None:
    play = Rehearsal(replace(DEFINITION, access=Access({Role.ADMIN: frozenset({GUEST.id})})))
    app = Api(play, VersionId.parse(f"{SOURCE}/versions/1.0.0"), ON)
    assert app.whoami(GUEST)[1]["roles"] == {"ubuntu": [role.value for role in Role]}
