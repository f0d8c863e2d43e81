"""Reports by reference, over HTTPS, without being led astray.

A sender chooses the address, so every step is held to what the settings allow:

* The host is on the list; the address has one meaning (``shared.domain.references``).
* Every IP address is judged when its socket is made, after the name was resolved and at the very moment before the
  connection: a name that resolves to another address the second time gains nothing. A name that resolves to a public
  and a private address is not given the choice. Afterwards the peer of the connection is looked at once more.
* No proxy, no cookies, no credentials of ours. TLS with the usual checks of certificate and name.
* Redirects are followed only to the same host and port, three times at most.
* The whole takes at most ``seconds``, and each read a part of it; ``most_bytes`` bounds what comes out of gzip too.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Collection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

from shared.adapters.common.report_bounds import LARGEST_REPORT
from shared.codec import Malformed, TooLarge
from shared.codec.gzipped import Gunzip
from shared.domain.addresses import why_not_public
from shared.domain.references import InvalidReference, check_url, host_of, shown
from shared.ports import ReportRefused, Throttled, Unavailable

if TYPE_CHECKING:
    import aiohttp

SECONDS: Final = 180.0
"""For all of it; a function has five minutes (host.json)."""
_CONNECT_SECONDS: Final = 10.0
_READ_SECONDS: Final = 30.0
_MOST_REDIRECTS: Final = 3
_PIECE: Final = 256 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PASSING: Final = frozenset({408, 425, 500, 502, 503, 504})
_HEADERS: Final = {"Accept": "application/json, */*;q=0.1", "Accept-Encoding": "gzip, identity"}

type AddressCheck = Callable[[str], str | None]
"""Why an IP address is not connected to, or None."""


class HttpsReportSource:
    """``ReportSource`` over HTTPS, from the hosts on a list."""

    def __init__(
        self,
        hosts: Collection[str],
        *,
        most_bytes: int = LARGEST_REPORT,
        seconds: float = SECONDS,
        address_check: AddressCheck = why_not_public,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Fetch from these hosts (``host`` or ``host:port``). ``judge`` and ``tls`` are for servers on this machine."""
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
        """The socket for one resolved address; the last moment before it is connected."""
        family, kind, protocol, _, address = info
        self._check(address[0])
        return socket.socket(family=family, type=kind, proto=protocol)

    def _check(self, address: str) -> None:
        if (reason := self._address_check(address)) is not None:
            raise ReportRefused("address", f"the host of the report is not connected to: {reason}")

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
                piece = await answer.content.read(_PIECE)
            if not piece:
                break
            taken += len(piece)
            if taken > self._most:
                raise ReportRefused("too-large", f"{shown(url)} has more than the {self._most} bytes of a report")
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
                "too-large", f"{shown(url)} has {answer.content_length} bytes; {self._most} are allowed"
            )
        encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding in {"identity", ""}:
            return None
        if encoding in {"gzip", "x-gzip"}:
            return Gunzip(most_bytes=self._most)
        raise ReportRefused("encoding", f"{shown(url)} comes in the encoding {encoding[:40]!r}; gzip or none is taken")


def _check_status(answer: aiohttp.ClientResponse, url: str) -> None:
    text = f"{shown(url)} answered {answer.status}"
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
        target = location  # brackets that are none of an address: refused below, in words
    try:
        host = host_of(target)
    except InvalidReference as error:
        raise ReportRefused("redirect", f"{shown(at)} redirects to where nothing is fetched from: {error}") from error
    if host != origin:
        raise ReportRefused("redirect", f"{shown(at)} redirects to another host, {host}")
    return target


@contextlib.contextmanager
def _translate_errors(url: str) -> Any:
    """Raise the port's faults instead of those of HTTP, TLS, sockets and gzip."""
    import aiohttp

    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        raise ReportRefused("certificate", f"{shown(url)} shows a certificate that is not trusted") from error
    except TooLarge as error:
        raise ReportRefused("too-large", f"{shown(url)}: {error}") from error
    except Malformed as error:
        raise ReportRefused("encoding", f"{shown(url)}: {error}") from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        # Names of exceptions only: their texts may hold the whole address.
        raise Unavailable(f"{shown(url)} gave no whole answer ({type(error).__name__})") from error
