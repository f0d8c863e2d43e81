"""Which app is spoken to: ``RINGMASTER_URL`` and ``RINGMASTER_KEY``, or those of the local stack nearby.

Address and key always come from the same place: the local stack's key is never sent to an address that was given, nor
the other way about.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from shared.cli.exit_codes import RequestFailed

URL: Final = "RINGMASTER_URL"
KEY: Final = "RINGMASTER_KEY"
ENVIRONMENT_FILE: Final = Path(".local") / "env"
_LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}
_LARGEST_FILE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """The app's address without a slash at its end, the function key, and where both were found."""

    url: str
    key: str | None = field(repr=False)
    found_in: str

    @property
    def is_local(self) -> bool:
        """Whether it listens on this machine."""
        return (urlsplit(self.url).hostname or "") in _LOOPBACK


def find_target(environ: Mapping[str, str], directory: Path) -> Target:
    """The app to speak to. ``directory`` and its parents are searched for ``.local/env``. Raises NoAnswer."""
    if environ.get(URL, "").strip():
        return _target(environ, "the environment")
    for place in (directory, *directory.parents):
        file = place / ENVIRONMENT_FILE
        if file.is_file():
            return _target(_exports(file), str(file))
    raise RequestFailed(
        f"no app is known: {URL} is not set, and there is no {ENVIRONMENT_FILE} in {directory} or above it.\n"
        f"Start the local stack with `make up`, or set {URL} and {KEY} to those of your function app."
    )


def _target(values: Mapping[str, str], found_in: str) -> Target:
    url = values.get(URL, "").strip().rstrip("/")
    if not url:
        raise RequestFailed(f"{found_in} does not set {URL}: start the local stack again with `make up`, or set {URL}.")
    target = Target(url, values.get(KEY, "").strip() or None, found_in)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise RequestFailed(f"{URL} from {found_in} is no address ({error}): https://… is expected.") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise RequestFailed(
            f"{URL} from {found_in} is {url[:200]!r}: https://<your app>.azurewebsites.net is expected."
        )
    if parts.scheme == "http" and not target.is_local:
        raise RequestFailed(
            f"{URL} from {found_in} is {url[:200]!r}: http would show the key to the network; use https."
        )
    return target


def _exports(file: Path) -> Mapping[str, str]:
    """Shell exports, one on a line: ``export NAME='value'``. What isn't one is passed over."""
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(_LARGEST_FILE)
    except (OSError, UnicodeDecodeError) as error:
        raise RequestFailed(f"{file} can't be read: {error}. Set {URL} and {KEY} instead.") from error
    found: dict[str, str] = {}
    for line in text.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        for status_text in words[1:] if words[:1] == ["export"] else words:
            name, equals, value = status_text.partition("=")
            if equals:
                found[name] = value
    return found
