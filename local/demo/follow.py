"""Reads releases over HTTP, as the command line does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp

from local.demo.scenario import Story

POLL_SECONDS = 0.7


class Follower:
    """Reads the state of releases from the app."""

    def __init__(self, session: aiohttp.ClientSession, environment: Mapping[str, str]) -> None:
        self._session = session
        self._url = f"{environment['RINGMASTER_URL']}/api/releases"
        self._headers = {"x-functions-key": environment["RINGMASTER_KEY"]}

    async def all(self) -> dict[str, Any]:
        """All releases and dead letters."""
        async with self._session.get(self._url, headers=self._headers) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def one(self, story: Story) -> dict[str, Any]:
        """The details of one release."""
        async with self._session.get(self._url, headers=self._headers, params={"version": story.id}) as answer:
            answer.raise_for_status()
            return await answer.json()
