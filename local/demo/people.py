"""People of the demo: they act on releases over HTTP, each with a token of their own, as `ringmaster` does."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from local.demo.scenario import Story


@dataclass(frozen=True, slots=True)
class Answered:
    """An action that somebody asked for, and the app's answer. ``error`` is the code of a refusal."""

    who: str
    action: str
    story: Story
    status: int
    error: str = ""
    text: str = ""

    @property
    def line(self) -> str:
        """The action and its answer, for people."""
        answer = f"refused ({self.error}): {self.text}" if self.status >= 400 else "done"
        return f"{self.who} {self.action} {self.story.name}: {answer}"


class People:
    """Everybody whose token the stack knows."""

    def __init__(
        self, session: aiohttp.ClientSession, environment: Mapping[str, str], tokens: Mapping[str, str]
    ) -> None:
        self._session, self._tokens = session, tokens
        self._url = f"{environment['RINGMASTER_URL']}/api/releases/actions"

    async def act(self, who: str, action: str, story: Story, **more: Any) -> Answered:
        """Ask for an action as the user of this role."""
        headers = {"authorization": f"Bearer {self._tokens[f'{who}@example.com']}", "idempotency-key": uuid.uuid4().hex}
        body = {"version": story.id, "action": action, **more}
        async with self._session.post(self._url, json=body, headers=headers) as answer:
            document = await answer.json()
            error = document.get("error", {}) if answer.status >= 400 else {}
            return Answered(who, action, story, answer.status, error.get("code", ""), error.get("message", ""))

    async def revocation_plan(self, who: str, story: Story) -> Mapping[str, Any]:
        """What a revocation would do, and who uses the version. Changes nothing."""
        headers = {"authorization": f"Bearer {self._tokens[f'{who}@example.com']}"}
        headers["idempotency-key"] = uuid.uuid4().hex
        body = {"version": story.id, "action": "revoke", "dryRun": True, "users": True}
        async with self._session.post(self._url, json=body, headers=headers) as answer:
            answer.raise_for_status()
            return await answer.json()
