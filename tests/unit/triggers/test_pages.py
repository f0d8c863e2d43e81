"""Who is shown a page, and what goes with it."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import azure.functions as func
import pytest

from shared.ports import Unavailable, World
from shared.settings import read_settings
from shared.triggers.pages import get_page
from shared.triggers.runtime import Runtime
from shared.web import site
from shared.web.templating import Page
from tests.flow.rehearsal import BEGIN, SMALL, Rehearsal
from tests.unit.web.scene import Read

PERSON, GROUP, TENANT, PIPELINE = (f"0a0b0c0d-0000-4000-8000-00000000000{digit}" for digit in "abcd")
STRANGER = "0a0b0c0d-0000-4000-8000-0000000000ff"
LEAST = {"AzureWebJobsStorage": "UseDevelopmentStorage=true"}
MICROSOFT = "http://schemas.microsoft.com/identity/claims/"
GROUPS = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"


def principal(*claims: tuple[str, str], provider: str = "aad") -> dict[str, str]:
    """The header that App Service Authentication writes."""
    document = {"auth_typ": provider, "claims": [{"typ": name, "val": value} for name, value in claims]}
    return {"x-ms-client-principal": base64.b64encode(json.dumps(document).encode()).decode()}


async def get(
    name: str = "releases",
    headers: Mapping[str, str] | None = None,
    *,
    readers: str = "",
    world: World | None = None,
    **params: str,
) -> Page:
    """What is answered to a request that the host has let through."""
    trusted = {"RINGMASTER_PAGE_READERS": readers, "RINGMASTER_TRUST_EASYAUTH": "true"} if readers else {}
    request = func.HttpRequest(
        "GET", f"/api/pages/{name}", headers=headers, params=params, route_params={"name": name}, body=b""
    )
    runtime = Runtime(read_settings({**LEAST, **trusted}), _world=world or Rehearsal(SMALL).cloud.world)
    page: Any = await get_page(request, runtime, site, now=BEGIN)
    return page


async def test_with_a_key_that_the_host_has_seen_a_page_is_shown() -> None:
    assert (await get()).status == 200


@pytest.mark.parametrize("name", ["code", "Code", "CODE"])
async def test_a_key_in_an_address_shows_nothing_and_is_not_repeated(name: str) -> None:
    key: dict[str, Any] = {name: "the-key"}
    page = await get(**key)
    assert (page.status, "the-key" in page.body) == (400, False)
    assert "x-functions-key" in page.body


async def test_without_readers_a_principal_is_not_looked_at() -> None:
    assert (await get(headers={"x-ms-client-principal": "nonsense"})).status == 200


class TestReaders:
    @pytest.mark.parametrize(
        "claim",
        [
            (f"{MICROSOFT}objectidentifier", PERSON),
            ("oid", PERSON.upper()),
            ("groups", GROUP),
            (GROUPS, GROUP),
            (f"{MICROSOFT}tenantid", TENANT),
            ("azp", PIPELINE),
        ],
        ids=lambda claim: claim[0].rpartition("/")[2],
    )
    async def test_a_reader_is_shown_the_page(self, claim: tuple[str, str]) -> None:
        page = await get(readers=f"{PERSON},{GROUP},{TENANT},{PIPELINE}", headers=principal(("x", "y"), claim))
        assert page.status == 200

    async def test_whoever_has_not_signed_in_is_shown_where_to_and_comes_back(self) -> None:
        page = await get("scan", readers=PERSON, version="/subscriptions/1", page="2")
        assert page.status == 401
        back = "%2Fapi%2Fpages%2Fscan%3Fversion%3D%252Fsubscriptions%252F1%26page%3D2"
        assert f'href="/.auth/login/aad?post_login_redirect_uri={back}"' in page.body

    @pytest.mark.parametrize("name", ["//evil.example", "x?y", "..", "https:evil.example"])
    async def test_signing_in_leads_back_to_this_host_alone(self, name: str) -> None:
        page = await get(name, readers=PERSON)
        sign_in = urlsplit(Read(page).links()["Sign in"])
        back = urlsplit(parse_qs(sign_in.query)["post_login_redirect_uri"][0])
        assert (sign_in.netloc, sign_in.path) == ("", "/.auth/login/aad")
        assert (back.netloc, back.path.startswith("/api/pages/")) == ("", True)

    async def test_a_stranger_is_shown_nothing(self) -> None:
        page = await get(readers=PERSON, headers=principal(("oid", STRANGER), ("tid", TENANT)))
        assert page.status == 403
        assert "RINGMASTER_PAGE_READERS" in page.body

    @pytest.mark.parametrize("claim", [("name", PERSON), ("preferred_username", PERSON), ("roles", GROUP)])
    async def test_an_id_in_another_claim_is_not_believed(self, claim: tuple[str, str]) -> None:
        assert (await get(readers=f"{PERSON},{GROUP}", headers=principal(claim))).status == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {"x-ms-client-principal": "nonsense"},
            {"x-ms-client-principal": ""},
            principal(("oid", PERSON), provider="github"),
            principal(("oid", PERSON), ("oid", STRANGER)),
        ],
        ids=["nonsense", "empty", "another provider", "two at once"],
    )
    async def test_a_principal_that_cannot_be_read_signs_in_again(self, headers: dict[str, str]) -> None:
        assert (await get(readers=PERSON, headers=headers)).status == 401

    async def test_a_function_key_is_no_principal(self) -> None:
        assert (await get(readers=PERSON, headers={"x-functions-key": "key"})).status == 401


@pytest.mark.parametrize(
    ("name", "status", "readers"), [("releases", 200, ""), ("none", 404, ""), ("releases", 401, PERSON)]
)
async def test_every_answer_may_load_nothing_run_nothing_and_be_kept_by_nobody(
    name: str, status: int, readers: str
) -> None:
    page = await get(name, readers=readers)
    assert page.status == status
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "script" not in policy
    wanted = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store"}
    assert wanted.items() <= page.headers.items()


async def test_a_store_that_is_away_is_told_and_not_blamed_on_the_reader() -> None:
    class Away:
        def rows(self) -> Any:
            raise Unavailable("the table does not answer")

    away: Any = Away()
    page = await get(world=replace(Rehearsal(SMALL).cloud.world, ledger=away))
    assert (page.status, "the table does not answer" in page.body) == (503, True)
