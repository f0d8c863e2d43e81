"""Reports by reference: an address to fetch from, with the digest of what must be found there.

Rules:

* Only ``https``, only hosts that the settings name, one by one; a port other than 443 only where it is named too.
* The whole address is plain ASCII without user, password, fragment, backslash or white space, so that no two programs
  can read another host out of it.
* Addresses are shown without their query: that is where signatures stand.

This module resolves no names. What a name resolves to is judged by ``shared.domain.addresses`` when it is connected.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from shared.domain.identifiers import is_sha256

LONGEST_URL: Final = 4096
_HOST: Final = r"(?=.{1,253}(?::|$))[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
_HOST_PORT: Final = re.compile(rf"({_HOST})(?::([1-9][0-9]{{0,4}}))?")
_URL: Final = re.compile(r"https://(?P<authority>[A-Za-z0-9.:-]{1,259})(?P<rest>[/?][!-\[\]-~]*)?", re.ASCII)
_NUMERIC: Final = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")


class InvalidReference(ValueError):
    """A reference that is never followed; the text says why."""


@dataclass(frozen=True, slots=True)
class ReportReference:
    """Where a report lies, and the SHA-256 of the report itself (after any content encoding is undone), in hex."""

    url: str
    sha256: str


def host_entry(text: str) -> str:
    """One entry of the list of hosts in its canonical form: ``host`` or ``host:port``. Raises InvalidReference."""
    name, colon, port = text.strip().lower().partition(":")
    entry = name.removesuffix(".") + colon + port
    match = _HOST_PORT.fullmatch(entry)
    if match is None or not _is_port(match[2]):
        raise InvalidReference(f"{text[:120]!r} is not a host name: use a name such as reports.example.com")
    if _NUMERIC.fullmatch(match[1].rpartition(".")[2]):
        raise InvalidReference(f"{text[:120]!r} is an IP address: use a host name")
    return match[1] if match[2] in {None, "443"} else entry


def host_of(url: str) -> str:
    """``host`` or ``host:port`` of an address, in lower case. Raises InvalidReference for what is never fetched."""
    match = _URL.fullmatch(url) if len(url) <= LONGEST_URL else None
    if match is None or "#" in url:
        raise InvalidReference(
            f"{shown(url)} is not a valid report URL: use https://host/path in ASCII, without user or fragment, "
            f"of at most {LONGEST_URL} characters"
        )
    return host_entry(match["authority"])


def check_digest(sha256: str) -> None:
    """Raise InvalidReference unless this is a SHA-256 in lower-case hex."""
    if not is_sha256(sha256):
        raise InvalidReference("sha256 must be the SHA-256 of the report: 64 lowercase hexadecimal digits")


def check_url(url: str, hosts: Collection[str]) -> None:
    """Raise InvalidReference unless its host is on the list."""
    host = host_of(url)
    if host not in hosts:
        raise InvalidReference(f"reports are not fetched from {host}: RINGMASTER_REPORT_HOSTS does not name it")


def shown(url: str) -> str:
    """An address for people and logs: without its query, and without whatever was put before its host."""
    try:
        parts = urlsplit(url[:LONGEST_URL])
        text = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    except ValueError:
        return "an invalid URL"
    plain = text.encode("unicode_escape").decode()  # a terminal obeys control characters
    return plain if len(plain) <= 200 else plain[:200] + "…"


def _is_port(text: str | None) -> bool:
    return text is None or int(text) <= 65535
