"""The app that commands use, and how they authenticate: ``RINGMASTER_URL`` and others, or the local stack's.

URL, key and token always come from the same source. The local stack's are never sent to another URL, and no others are
sent to the local stack.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from shared.cli.exit_codes import RequestFailed
from shared.domain.addresses import LOOPBACK_HOSTS

URL: Final = "RINGMASTER_URL"
KEY: Final = "RINGMASTER_KEY"
TOKEN: Final = "RINGMASTER_TOKEN"  # noqa: S105 - a name
SCOPE: Final = "RINGMASTER_SCOPE"
"""The scope for which the Azure CLI requests a token: ``api://<application id>/.default``."""
ENVIRONMENT_FILE: Final = Path(".local") / "env"
_LARGEST_FILE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """The app's URL without a trailing slash, the function key, and where both were found.

    ``token`` says who acts; without it, ``scope`` is what to request one for.
    """

    url: str
    key: str | None = field(repr=False)
    found_in: str
    token: str | None = field(default=None, repr=False)
    scope: str | None = None

    @property
    def sends_token(self) -> bool:
        """Whether a request can say who acts."""
        return bool(self.token or self.scope)

    @property
    def is_local(self) -> bool:
        """Whether the app runs on this computer."""
        return (urlsplit(self.url).hostname or "") in LOOPBACK_HOSTS


def find_target(environ: Mapping[str, str], directory: Path) -> Target:
    """Find the app. ``.local/env`` is searched in ``directory`` and its parents. Raises RequestFailed."""
    if environ.get(URL, "").strip():
        return _target(environ, "the environment")
    for place in (directory, *directory.parents):
        file = place / ENVIRONMENT_FILE
        if file.is_file():
            return _target(_exports(file), str(file))
    raise RequestFailed(
        f"{URL} is not set, and there is no {ENVIRONMENT_FILE} in {directory} or its parent directories.\n"
        f"Start the local stack with `make up`, or set {URL} and {KEY} for your function app."
    )


def _target(values: Mapping[str, str], found_in: str) -> Target:
    url = values.get(URL, "").strip().rstrip("/")
    if not url:
        raise RequestFailed(f"{found_in} does not set {URL}. Start the local stack again with `make up`, or set {URL}.")
    key, token, scope = (values.get(name, "").strip() or None for name in (KEY, TOKEN, SCOPE))
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise RequestFailed(f"{TOKEN} from {found_in} is not a token: it contains spaces or other invalid characters.")
    target = Target(url, key, found_in, token, scope)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise RequestFailed(f"{URL} from {found_in} is not a valid URL ({error}). Use https://….") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise RequestFailed(f"{URL} from {found_in} is {url[:200]!r}. Use https://<your app>.azurewebsites.net.")
    if parts.scheme == "http" and not target.is_local:
        raise RequestFailed(f"{URL} from {found_in} is {url[:200]!r}. Use https: http would send the key unencrypted.")
    return target


def _exports(file: Path) -> Mapping[str, str]:
    """Read shell exports, one per line: ``export NAME='value'``. Other lines are ignored."""
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(_LARGEST_FILE)
    except (OSError, UnicodeDecodeError) as error:
        raise RequestFailed(f"cannot read {file}: {error}. Set {URL} and {KEY} instead.") from error
    found: dict[str, str] = {}
    for line in text.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        for part in words[1:] if words[:1] == ["export"] else words:
            name, equals, value = part.partition("=")
            if equals:
                found[name] = value
    return found
