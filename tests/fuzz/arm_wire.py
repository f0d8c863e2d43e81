"""ARM at the end of a wire that is none: the real adapters, SDK and transport over a session that answers as told."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AioHttpTransport
from multidict import CIMultiDict, CIMultiDictProxy

from shared.adapters.azure.arm import Arm


@dataclass(frozen=True)
class Answer:
    """What ARM says to one request."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Credential:
    """Gives a token that opens nothing."""

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """One for a long time."""
        return AccessToken("token", 2**40)

    async def close(self) -> None:
        """Nothing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


class _Content:
    def __init__(self, body: bytes) -> None:
        self._rest = io.BytesIO(body)

    async def read(self, size: int = -1) -> bytes:
        return self._rest.read(size)


class _Response:
    """As much of ``aiohttp.ClientResponse`` as azure-core's transport uses."""

    reason = "so"

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.headers = CIMultiDictProxy(CIMultiDict({"Content-Type": "application/json", **answer.headers}))
        self.content = _Content(answer.body)

    async def read(self) -> bytes:
        return await self.content.read()

    def close(self) -> None:
        pass


class _Session:
    """As much of ``aiohttp.ClientSession``; the last answer is given again and again."""

    auto_decompress = False

    def __init__(self, answers: Iterator[Answer]) -> None:
        self._answers = answers
        self._last: Answer | None = None

    async def __aenter__(self) -> Self:
        return self

    async def close(self) -> None:
        pass

    async def request(self, method: str, url: str, **kwargs: Any) -> _Response:
        self._last = next(self._answers, self._last)
        assert self._last is not None
        return _Response(self._last)


def arm(answers: list[Answer], base_url: str = "https://arm.example") -> Arm:
    """ARM that gives these answers, in order."""
    session: Any = _Session(iter(answers))
    transport: Callable[[], AioHttpTransport] = lambda: AioHttpTransport(session=session, session_owner=False)  # noqa: E731
    credential: Any = Credential()
    return Arm(credential, base_url=base_url, transport=transport)
