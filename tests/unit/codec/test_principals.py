"""The principal of App Service Authentication: ids, groups, and the name for people."""

from __future__ import annotations

import base64
import json

import pytest

from shared.codec import Malformed
from shared.codec.principals import Principal, decode_principal

OBJECT, APPLICATION, GROUP = (f"0a0b0c0d-0000-4000-8000-00000000000{digit}" for digit in "abc")
SCHEMAS = "http://schemas.microsoft.com/identity/claims/"


def principal(*claims: tuple[str, str], auth_typ: str = "aad") -> Principal:
    document = {"auth_typ": auth_typ, "claims": [{"typ": typ, "val": val} for typ, val in claims]}
    return decode_principal(base64.b64encode(json.dumps(document).encode()).decode())


@pytest.mark.parametrize("typ", ["oid", f"{SCHEMAS}objectidentifier"])
def test_the_surest_id_comes_first_and_in_lower_case(typ: str) -> None:
    assert principal(("azp", APPLICATION), (typ, OBJECT.upper())).ids == (OBJECT, APPLICATION)


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ([("name", "Operator"), ("preferred_username", "operator@x")], "operator@x"),
        ([("name", "Operator"), ("upn", "operator@x")], "operator@x"),
        ([("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "operator@x")], "operator@x"),
        ([("name", " Operator ")], "Operator"),
        ([("azp", APPLICATION)], APPLICATION),
        ([("name", "n" * 300)], "n" * 200),
        ([], ""),
    ],
)
def test_the_name_is_the_principal_name_or_else_the_application(claims: list[tuple[str, str]], name: str) -> None:
    assert principal(("oid", OBJECT), *claims).name == name


def test_a_name_grants_nothing() -> None:
    found = principal(("oid", OBJECT), ("preferred_username", APPLICATION), ("name", GROUP))
    assert (found.ids, found.groups) == ((OBJECT,), frozenset())


@pytest.mark.parametrize("typ", ["groups", "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"])
def test_groups_are_read_in_lower_case(typ: str) -> None:
    assert principal((typ, GROUP.upper()), (typ, " ")).groups == {GROUP}


@pytest.mark.parametrize("claim", [("hasgroups", "true"), ("_claim_names", '{"groups":"src1"}')])
def test_a_token_with_too_many_groups_is_known_as_such(claim: tuple[str, str]) -> None:
    assert principal(("oid", OBJECT), claim).groups_left_out
    assert not principal(("oid", OBJECT)).groups_left_out


def test_two_object_ids_are_nobody() -> None:
    with pytest.raises(Malformed, match="several values of oid"):
        principal(("oid", OBJECT), (f"{SCHEMAS}objectidentifier", GROUP))


def test_another_identity_provider_is_not_believed() -> None:
    with pytest.raises(Malformed, match="'github'"):
        principal(("oid", OBJECT), auth_typ="github")


@pytest.mark.parametrize("header", ["", "nonsense", "e30=", base64.b64encode(b"[]").decode(), "A" * 70_000])
def test_what_the_platform_does_not_write_is_refused(header: str) -> None:
    with pytest.raises(Malformed, match="the principal"):
        decode_principal(header)
