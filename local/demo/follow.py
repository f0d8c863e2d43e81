"""Follow releases over HTTP until every one has ended and left nothing to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import aiohttp

from local.demo.scenario import Story

LOOK_EVERY = 0.7


class Follower:
    """Asks the app how releases stand, as the command line does."""

    def __init__(self, session: aiohttp.ClientSession, environment: Mapping[str, str]) -> None:
        self._session = session
        self._url = f"{environment['RINGMASTER_URL']}/api/releases"
        self._headers = {"x-functions-key": environment["RINGMASTER_KEY"]}

    async def all(self) -> dict[str, Any]:
        """The overview: releases and dead letters."""
        async with self._session.get(self._url, headers=self._headers) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def one(self, story: Story) -> dict[str, Any]:
        """Everything about one release."""
        async with self._session.get(self._url, headers=self._headers, params={"version": story.id}) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def until_settled(
        self, stories: Sequence[Story], *, seconds: float
    ) -> AsyncIterator[dict[str, dict[str, Any]]]:
        """Releases by version id, again and again, until all have ended or time is up."""
        wanted = {story.id.lower() for story in stories}
        deadline = time.monotonic() + seconds
        while True:
            found = {each["version_id"]: each for each in (await self.all())["releases"]}
            yield found
            if wanted <= {key for key, each in found.items() if each["settled"]} or time.monotonic() > deadline:
                return
            await asyncio.sleep(LOOK_EVERY)
