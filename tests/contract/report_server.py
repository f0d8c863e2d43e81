"""A server on loopback over HTTPS that has reports, and misbehaves where it is told to."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from local.certificates import Certificates, ensure_ca


@dataclass
class ReportServer:
    """Serves ``bodies`` by path. ``seen`` are the requests that reached it; ``connections`` every connection."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    seen: list[web.BaseRequest] = field(default_factory=list)
    port: int = 0

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    def url(self, path: str) -> str:
        return f"https://{self.host}{path}"

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append(request)
        path = request.path
        if path in self.statuses:
            return web.Response(status=self.statuses[path], text="no")
        if path in self.redirects:
            return web.Response(status=302, headers={"Location": self.redirects[path]})
        if path == "/trickle":
            return await self._trickle(request)
        if path == "/cut":
            return await self._cut(request)
        if path == "/silent":
            await asyncio.sleep(30)
        body = self.bodies.get(path)
        if body is None:
            return web.Response(status=404)
        encoding = request.query.get("encoding")
        if encoding:
            packed = gzip.compress(body) if encoding == "gzip" else body
            return web.Response(body=packed, headers={"Content-Encoding": encoding})
        return await self._unsized(request, body) if "unsized" in request.query else web.Response(body=body)

    async def _unsized(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for start in range(0, len(body), 65536):
            await response.write(body[start : start + 65536])
        await response.write_eof()
        return response

    async def _trickle(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.02)

    async def _cut(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[ReportServer, Certificates]]:
    """A server with a certificate of an authority of its own, on a free port."""
    certificates = ensure_ca(folder)
    server = ReportServer()
    runner = web.ServerRunner(web.Server(server.answer, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates.server_context()).start()
        server.port = runner.addresses[0][1]
        yield server, certificates
    finally:
        await runner.cleanup()


def strangers() -> ssl.SSLContext:
    """A client that does not know the server's authority."""
    return ssl.create_default_context()
