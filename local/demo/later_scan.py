"""A second scanner: Grype, with its own key. It posts reports without a request."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import aiohttp

from local.demo.scenario import Story
from local.scanner import grype_report_for, headers_for


class SecondScanner:
    """Posts signed Grype reports to the webhook."""

    def __init__(self, session: aiohttp.ClientSession, environment: Mapping[str, str]) -> None:
        self._session = session
        self._url = f"{environment['RINGMASTER_URL']}/api/scans/grype"
        self._key = environment["RINGMASTER_WEBHOOK_KEY"].encode()

    async def report(self, story: Story) -> int:
        """Scan a version with the findings known today, and post the report. Returns the status of the response."""
        document = grype_report_for(story.character, story.id, datetime.now(UTC), later=True)
        body = json.dumps(document).encode()
        headers = headers_for(self._key, int(time.time()), body, scanner="grype")
        async with self._session.post(self._url, params={"image": story.id}, data=body, headers=headers) as answer:
            await answer.read()
            return answer.status
