"""The users of the local host, from a file, and the headers that identify them to the app."""

import json
import re
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.host.host_errors import ConfigError

PROVIDER = "aad"
"""Name of Microsoft Entra in App Service Authentication and its URLs. Source: Microsoft Learn, "Customize sign-in and
sign-out in Azure App Service authentication".
"""

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_IDENTITY = "http://schemas.microsoft.com/identity/claims"
_NAME_TYPE = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
_ROLE_TYPE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
_FIELDS = {"id", "tenant", "account", "name", "groups", "application"}


@dataclass(frozen=True, slots=True)
class Person:
    """A user of a directory. `id` and `groups` are object ids; `account` is the user principal name.

    `application` is the id of the application for which the token was issued, which a workload also has.
    """

    id: str
    tenant: str
    account: str
    name: str
    groups: tuple[str, ...] = ()
    application: str = ""

    def claims(self) -> list[dict[str, str]]:
        """The claims of the user's ID token, with the names that App Service Authentication uses for Entra."""
        pairs = [
            (f"{_IDENTITY}/objectidentifier", self.id),
            (f"{_IDENTITY}/tenantid", self.tenant),
            ("preferred_username", self.account),
            ("name", self.name),
            *(("groups", group) for group in self.groups),
            *([("azp", self.application)] if self.application else []),
        ]
        return [{"typ": name, "val": value} for name, value in pairs]

    def headers(self) -> dict[str, str]:
        """The headers that identify the user to the app ("Work with user identities in Azure App Service
        authentication").
        """
        principal = {
            "auth_typ": PROVIDER,
            "claims": self.claims(),
            "name_typ": _NAME_TYPE,
            "role_typ": _ROLE_TYPE,
        }
        return {
            "X-MS-CLIENT-PRINCIPAL": b64encode(json.dumps(principal).encode()).decode(),
            "X-MS-CLIENT-PRINCIPAL-ID": self.id,
            "X-MS-CLIENT-PRINCIPAL-NAME": self.account,
            "X-MS-CLIENT-PRINCIPAL-IDP": PROVIDER,
        }


def load_people(path: Path) -> tuple[Person, ...]:
    """Read the users from a file, a JSON list of objects. Raises ConfigError with all errors."""
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        raise ConfigError([f"{path} does not exist; it must contain a JSON list of users"]) from missing
    except ValueError as broken:
        raise ConfigError([f"{path} is not valid JSON: {broken}"]) from broken
    if not isinstance(listed, list) or not listed:
        raise ConfigError([f"{path} must contain a list with at least one user"])
    faults = [fault for at, each in enumerate(listed) for fault in _faults(f"{path}, user {at + 1}", each)]
    if not faults and len({each["id"] for each in listed}) < len(listed):
        faults = [f"{path}: two users have the same id"]
    if faults:
        raise ConfigError(faults)
    return tuple(Person(**{**each, "groups": tuple(each.get("groups", ()))}) for each in listed)


def _faults(where: str, given: Any) -> list[str]:
    if not isinstance(given, dict):
        return [f"{where}: must be an object"]
    faults = [
        f"{where}: unknown field {field!r}; the fields are {', '.join(sorted(_FIELDS))}"
        for field in given.keys() - _FIELDS
    ]
    faults += [
        f"{where}: {field} is not an id (8-4-4-4-12 lowercase hexadecimal digits)"
        for field in ("id", "tenant", *({"application"} & given.keys()))
        if not _is_id(given.get(field))
    ]
    # The account is sent in a header unchanged.
    account = given.get("account")
    if not isinstance(account, str) or not re.fullmatch(r"[!-~]+", account):
        faults.append(f"{where}: account is not a user principal name, such as user@example.com")
    if not isinstance(given.get("name"), str) or not given["name"].strip():
        faults.append(f"{where}: name must be a non-empty string")
    groups = given.get("groups", [])
    if not isinstance(groups, list) or not all(_is_id(each) for each in groups):
        faults.append(f"{where}: groups must be a list of ids")
    return faults


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None
