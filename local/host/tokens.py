"""Bearer tokens of the local users. They stand for the Microsoft Entra tokens that clients send in Azure.

A token is random text from a private file. The host does not look into it.
"""

import hmac
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from local.host.host_errors import ConfigError
from local.host.people import Person

_TOKEN = re.compile(r"[-._~+/A-Za-z0-9]{32,}=*", re.ASCII)
"""At least 32 characters of the syntax that RFC 6750 allows."""


class Tokens:
    """Finds the user of a token. `tokens` has the token of each user, by the user's id."""

    def __init__(self, tokens: Mapping[str, str] | None = None) -> None:
        self._known = {person: token.encode() for person, token in (tokens or {}).items()}

    def holder(self, token: str) -> str | None:
        """The id of the token's user, or None for an unknown token. The duration does not depend on the token."""
        given = token.encode(errors="replace")
        holders = [person for person, known in self._known.items() if hmac.compare_digest(known, given)]
        return holders[0] if holders else None


def load_tokens(path: Path, people: Iterable[Person]) -> Tokens:
    """Read the tokens from a file, a JSON object with the token of each account. Raises ConfigError."""
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as missing:
        raise ConfigError([f"{path} does not exist; it must contain a JSON object with tokens by account"]) from missing
    except ValueError as broken:
        raise ConfigError([f"{path} is not valid JSON: {broken}"]) from broken
    if not isinstance(listed, dict):
        raise ConfigError([f"{path} must contain an object with tokens by account"])
    ids = {person.account: person.id for person in people}
    faults = [f"{path}: {account} is no user of the host" for account in listed.keys() - ids.keys()]
    faults += [
        f"{path}: the token of {account} must have at least 32 letters, digits or - . _ ~ + /"
        for account, token in listed.items()
        if not isinstance(token, str) or not _TOKEN.fullmatch(token)
    ]
    if not faults and len(set(listed.values())) < len(listed):
        faults = [f"{path}: two accounts have the same token"]
    if faults:
        raise ConfigError(sorted(faults))
    return Tokens({ids[account]: token for account, token in listed.items()})
