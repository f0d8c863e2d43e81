"""Downloads scan reports over HTTPS, protected against server-side request forgery (SSRF).

The sender chooses the URL, so every step is restricted by the settings:

* The host is on the allow list, and the URL is unambiguous (``shared.domain.report_reference``).
* Each IP address is checked when its socket is created, after name resolution and directly before the connection. A
  name that resolves to another address later gains nothing (DNS rebinding). If a name resolves to a public and a
  private address, the private one is rejected. The peer of the connection is checked again afterwards.
* No proxy, no cookies and no credentials. TLS verifies the certificate and the host name.
* At most three redirects, and only to the same host and port.
* ``seconds`` limits the total time, and ``most_bytes`` the size after decompression.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Collection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

from shared.codec import Malformed, TooLarge
from shared.codec.gzipped import Gunzip
from shared.domain.addresses import why_not_public
from shared.domain.limits import CHUNK_BYTES, MAX_REPORT_BYTES
from shared.domain.report_reference import InvalidReference, check_url, host_of, shown
from shared.ports import ReportRefused, Throttled, Unavailable

if TYPE_CHECKING:
    import aiohttp

SECONDS: Final = 180.0
"""Limit for the whole download. A function has five minutes (host.json)."""
_CONNECT_SECONDS: Final = 10.0
_READ_SECONDS: Final = 30.0
_MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PASSING: Final = frozenset({408, 425, 500, 502, 503, 504})
_HEADERS: Final = {"Accept": "application/json, */*;q=0.1", "Accept-Encoding": "gzip, identity"}

type AddressCheck = Callable[[str], str | None]
"""Returns why an IP address is not allowed, or None."""


class HttpsReportSource:
    """``ReportSource`` over HTTPS for the hosts on an allow list."""

    def __init__(
        self,
        hosts: Collection[str],
        *,
        most_bytes: int = MAX_REPORT_BYTES,
        seconds: float = SECONDS,
        address_check: AddressCheck = why_not_public,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Allow these hosts (``host`` or ``host:port``).

        ``address_check`` and ``tls`` are for tests with local servers.
        """
        self._hosts = frozenset(hosts)
        self._most = most_bytes
        self._seconds = seconds
        self._address_check = address_check
        self._tls = tls

    def denial_reason(self, url: str) -> str | None:
        try:
            check_url(url, self._hosts)
        except InvalidReference as error:
            return str(error)
        return None

    @contextlib.asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[AsyncIterator[bytes]]:
        if (reason := self.denial_reason(url)) is not None:
            raise ReportRefused("host", reason)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._seconds
        async with contextlib.AsyncExitStack() as stack:
            with _translate_errors(url):
                async with asyncio.timeout_at(deadline):
                    session = await stack.enter_async_context(self._session())
                    answer = await self._answer(session, url, stack)
            yield self._translated_pieces(answer, url, deadline)

    def _session(self) -> aiohttp.ClientSession:
        import aiohttp

        connector = aiohttp.TCPConnector(
            ssl=self._tls or ssl.create_default_context(),
            use_dns_cache=False,
            resolver=aiohttp.ThreadedResolver(),
            happy_eyeballs_delay=None,
            force_close=True,
            socket_factory=self._socket,
        )
        limits = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS)
        return aiohttp.ClientSession(
            connector=connector,
            timeout=limits,
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )

    def _socket(self, info: Any) -> socket.socket:
        """Create the socket for a resolved address, after checking the address."""
        family, kind, protocol, _, address = info
        self._check(address[0])
        return socket.socket(family=family, type=kind, proto=protocol)

    def _check(self, address: str) -> None:
        if (reason := self._address_check(address)) is not None:
            raise ReportRefused("address", f"the report's host has an address that is not allowed: {reason}")

    async def _answer(
        self, session: aiohttp.ClientSession, url: str, stack: contextlib.AsyncExitStack
    ) -> aiohttp.ClientResponse:
        from yarl import URL

        origin, at = host_of(url), url
        for _ in range(_MOST_REDIRECTS + 1):
            answer = await session.get(URL(at, encoded=True), allow_redirects=False)
            stack.callback(answer.close)
            self._check_peer(answer)
            if answer.status not in _REDIRECTS:
                _check_status(answer, url)
                return answer
            at = _redirected(at, answer.headers.get("Location", ""), origin)
            answer.close()
        raise ReportRefused("redirect", f"{shown(url)} redirects more than {_MOST_REDIRECTS} times")

    def _check_peer(self, answer: aiohttp.ClientResponse) -> None:
        connection = answer.connection
        peer = connection.transport.get_extra_info("peername") if connection and connection.transport else None
        if peer:
            self._check(peer[0])

    async def _translated_pieces(
        self, answer: aiohttp.ClientResponse, url: str, deadline: float
    ) -> AsyncIterator[bytes]:
        pieces = self._pieces(answer, url, deadline)
        while True:
            with _translate_errors(url):
                piece = await anext(pieces, None)
            if piece is None:
                return
            yield piece

    async def _pieces(self, answer: aiohttp.ClientResponse, url: str, deadline: float) -> AsyncIterator[bytes]:
        gunzip = self._gunzip(answer, url)
        taken = 0
        while True:
            async with asyncio.timeout_at(deadline):
                piece = await answer.content.read(CHUNK_BYTES)
            if not piece:
                break
            taken += len(piece)
            if taken > self._most:
                raise ReportRefused("too-large", f"{shown(url)} is larger than {self._most} bytes")
            if gunzip is None:
                yield piece
                continue
            for out in gunzip.feed(piece):
                yield out
        if gunzip is not None:
            gunzip.finish()

    def _gunzip(self, answer: aiohttp.ClientResponse, url: str) -> Gunzip | None:
        if (answer.content_length or 0) > self._most:
            raise ReportRefused(
                "too-large", f"{shown(url)} has {answer.content_length} bytes; the limit is {self._most}"
            )
        encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding in {"identity", ""}:
            return None
        if encoding in {"gzip", "x-gzip"}:
            return Gunzip(most_bytes=self._most)
        raise ReportRefused(
            "encoding", f"{shown(url)} has the content encoding {encoding[:40]!r}; only gzip is supported"
        )


def _check_status(answer: aiohttp.ClientResponse, url: str) -> None:
    text = f"{shown(url)} returned {answer.status}"
    if answer.status == 429:
        raise Throttled(text)
    if answer.status in _PASSING:
        raise Unavailable(text)
    if answer.status != 200:
        raise ReportRefused("answer", text)


def _redirected(at: str, location: str, origin: str) -> str:
    try:
        target = urljoin(at, location) if location else ""
    except ValueError:
        target = location  # invalid brackets: refused below with a message
    try:
        host = host_of(target)
    except InvalidReference as error:
        raise ReportRefused("redirect", f"{shown(at)} redirects to a URL that is not allowed: {error}") from error
    if host != origin:
        raise ReportRefused("redirect", f"{shown(at)} redirects to another host, {host}")
    return target


@contextlib.contextmanager
def _translate_errors(url: str) -> Any:
    """Convert errors of HTTP, TLS, sockets and gzip into the errors of the port."""
    import aiohttp

    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        raise ReportRefused("certificate", f"{shown(url)} has a certificate that is not trusted") from error
    except TooLarge as error:
        raise ReportRefused("too-large", f"{shown(url)}: {error}") from error
    except Malformed as error:
        raise ReportRefused("encoding", f"{shown(url)}: {error}") from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        # Only the exception's name: its message may contain the whole URL, which is secret.
        raise Unavailable(f"{shown(url)} did not return a complete response ({type(error).__name__})") from error
