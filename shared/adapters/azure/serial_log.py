"""Reads the serial console log from its blob, through a signed URL.

The URL is a secret. It is neither logged nor part of an error message, and exceptions that may contain it are not
chained.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from shared.ports import Refused, Throttled, Unavailable

if TYPE_CHECKING:
    import ssl

    from aiohttp import ClientResponse, ClientSession

TAIL: Final = 1024 * 1024
"""How many bytes are read from the end of the log."""
_TOTAL_SECONDS: Final = 30
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})")


async def read_serial_log(address: str, *, tls: ssl.SSLContext | None = None) -> bytes | None:
    """Read the last 1 MiB of the log. Returns None when there is no log yet (404 directly after the machine is
    created).

    Blob storage has no suffix ranges: the first 1 MiB is read, and then the end of the blob if it is larger. Raises
    Refused for a URL that is not https, and Throttled or Unavailable.
    """
    import aiohttp

    if not _is_https(address):
        raise Refused("SerialLogAddress", "the URL of the serial log is not https")
    timeout = aiohttp.ClientTimeout(total=_TOTAL_SECONDS, connect=5)
    try:
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True, auto_decompress=False) as session:
            found = await _range(session, address, 0, tls)
            if found is None or found[1] <= TAIL:
                return found[0] if found else None
            end = await _range(session, address, found[1] - TAIL, tls)
            return end[0] if end else None
    except (aiohttp.ClientError, TimeoutError) as error:
        # Not chained: aiohttp's exceptions may contain the URL with its signature.
        raise Unavailable(f"the serial log could not be read ({type(error).__name__})") from None


def _is_https(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


async def _range(
    session: ClientSession, address: str, start: int, tls: ssl.SSLContext | None
) -> tuple[bytes, int] | None:
    """Read at most 1 MiB from ``start``. Also returns the size of the blob."""
    from yarl import URL

    headers = {"Range": f"bytes={start}-{start + TAIL - 1}"}
    # The URL is used unchanged: another encoding of the query would invalidate the signature.
    async with session.get(
        URL(address, encoded=True), headers=headers, allow_redirects=False, ssl=tls or True
    ) as answer:
        if answer.status == 404:
            return None
        if answer.status == 416:
            return b"", 0
        if answer.status not in {200, 206}:
            raise _fault(answer)
        body = await _at_most(answer, TAIL)
        match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        # A server without range support sends the whole content.
        return body, int(match[3]) if match and answer.status == 206 else len(body)


async def _at_most(answer: ClientResponse, limit: int) -> bytes:
    chunks = bytearray()
    async for chunk in answer.content.iter_chunked(64 * 1024):
        chunks += chunk
        if len(chunks) > limit * 2:
            del chunks[:-limit]
    return bytes(chunks[-limit:])


def _fault(answer: ClientResponse) -> Refused | Throttled | Unavailable:
    if answer.status in {429, 503}:
        return Throttled(f"the storage of the serial log returned {answer.status}")
    # 403 means an expired URL or a wrong clock: a new URL may work.
    return Unavailable(f"the storage of the serial log returned {answer.status}")
