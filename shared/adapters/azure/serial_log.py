"""The serial console's blob, read through its signed address.

The address is a secret: it is neither logged nor put into a message, and errors that may quote it aren't chained.
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
"""How much of the console's end is read, in bytes."""
_TOTAL_SECONDS: Final = 30
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})")


async def read_serial_log(address: str, *, tls: ssl.SSLContext | None = None) -> bytes | None:
    """The last MiB of the blob; None when there is none yet (404 right after a machine's creation).

    Storage has no suffix ranges, so the first MiB is asked for, and another time its end when there is more.
    Raises Refused for an address that isn't https, Throttled or Unavailable.
    """
    import aiohttp

    if not _is_https(address):
        raise Refused("SerialLogAddress", "the serial log's address is not https")
    timeout = aiohttp.ClientTimeout(total=_TOTAL_SECONDS, connect=5)
    try:
        async with aiohttp.ClientSession(timeout=timeout, trust_env=True, auto_decompress=False) as session:
            found = await _range(session, address, 0, tls)
            if found is None or found[1] <= TAIL:
                return found[0] if found else None
            end = await _range(session, address, found[1] - TAIL, tls)
            return end[0] if end else None
    except (aiohttp.ClientError, TimeoutError) as error:
        # Not chained: aiohttp's errors may quote the address, and with it the signature.
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
    """At most a MiB from ``start``, and how long the whole is."""
    from yarl import URL

    headers = {"Range": f"bytes={start}-{start + TAIL - 1}"}
    # As it stands: another spelling of the query would be another signature.
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
        # A server without ranges sends all of it; what we have is then all we take.
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
        return Throttled(f"the serial log's storage answers {answer.status}")
    # 403 is an address that ran out, or a clock that is off: the next address may work.
    return Unavailable(f"the serial log's storage answers {answer.status}")
