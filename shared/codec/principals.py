"""The principal in a request from App Service Authentication. The value is not trusted here.

``x-ms-client-principal`` is base64 of ``{"auth_typ", "claims": [{"typ", "val"}], "name_typ", "role_typ"}``; claims of
Entra come under their short names or mapped to URIs ("Work with user identities in Azure App Service authentication").
The platform removes the header from requests that come from outside, *if* App Service Authentication is on; otherwise
anybody can write it. Whether to look at it at all is a setting.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

import msgspec

from shared.codec.errors import Malformed

HEADER: Final = "x-ms-client-principal"
_LONGEST: Final = 64 * 1024
_ENTRA: Final = "aad"
_SCHEMAS: Final = "http://schemas.microsoft.com/identity/claims/"
_OBJECT: Final = ("oid", f"{_SCHEMAS}objectidentifier")
_APPLICATION: Final = ("azp", "appid")
_TENANT: Final = ("tid", f"{_SCHEMAS}tenantid")
_GROUPS: Final = frozenset({"groups", "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"})
_NAMES: Final = ("preferred_username", "upn", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "name")
_OVERAGE: Final = frozenset({"hasgroups", "_claim_names"})
_LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Principal:
    """Who called: ids in lower case; the application id is that of the client that got the token."""

    object_id: str | None
    application_id: str | None
    tenant: str | None
    groups: frozenset[str] = frozenset()
    """Object ids of its groups, where the app registration has them put into tokens."""
    name: str = ""
    """The user principal name, or the application id: for people, it grants nothing."""
    groups_left_out: bool = False
    """Whether the token only says that there are too many groups to list ("Groups overage claim", Microsoft Learn)."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids under which a setting may name this principal, the surest first."""
        return tuple(each for each in (self.object_id, self.application_id) if each)


class _Claim(msgspec.Struct):
    typ: str
    val: str


class _Wire(msgspec.Struct):
    auth_typ: str
    claims: list[_Claim]


def decode_principal(header: str) -> Principal:
    """Read the header. Raises Malformed for what App Service Authentication with Entra does not write."""
    if len(header) > _LONGEST:
        raise Malformed(f"the principal has {len(header)} characters; the maximum is {_LONGEST}")
    try:
        wire = msgspec.json.decode(base64.b64decode(header.strip(), validate=True), type=_Wire)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise Malformed(f"the principal is not base64-encoded JSON of the expected format: {error}") from error
    if wire.auth_typ.lower() != _ENTRA:
        raise Malformed(f"the principal comes from {wire.auth_typ[:40]!r}, not from Microsoft Entra")
    groups = frozenset(claim.val.strip().lower() for claim in wire.claims if claim.typ in _GROUPS)
    application = _one(wire, _APPLICATION)
    name = next((claim.val.strip()[:_LONGEST_NAME] for typ in _NAMES for claim in wire.claims if claim.typ == typ), "")
    return Principal(
        _one(wire, _OBJECT),
        application,
        _one(wire, _TENANT),
        groups - {""},
        name=name or application or "",
        groups_left_out=any(claim.typ in _OVERAGE for claim in wire.claims),
    )


def _one(wire: _Wire, names: tuple[str, ...]) -> str | None:
    """The only value of a claim. Raises Malformed if it has several values, because the identity is then ambiguous."""
    values = {claim.val.strip().lower() for claim in wire.claims if claim.typ in names} - {""}
    if len(values) > 1:
        raise Malformed(f"the principal claims several values of {names[0]}")
    return values.pop() if values else None
