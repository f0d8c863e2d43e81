"""Reads image versions and their simulated content from ARM."""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

_API_VERSION = "2024-03-03"
_VERSION_TYPE = "/versions/"


class ArmUnavailable(Exception):
    """ARM or the token endpoint did not respond as expected. A later request may succeed."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image version. `incarnation` distinguishes versions that reuse a number."""

    id: str
    incarnation: str
    character: str
    os_type: str
    is_copy: bool


class ArmReader:
    """Reads image versions with its own token. Use it as an async context manager."""

    def __init__(self, endpoint: str, identity_endpoint: str, identity_header: str, ca_file: Path | None) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._identity, self._secret = identity_endpoint, identity_header
        self._ca_file = ca_file
        self._token = ""

    async def __aenter__(self) -> Self:
        context = ssl.create_default_context(cafile=str(self._ca_file)) if self._ca_file else True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context), timeout=aiohttp.ClientTimeout(total=30)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._session.close()

    async def read(self, image_id: str) -> Image | None:
        """Read the image version. Returns None if it does not exist. Raises ArmUnavailable."""
        version = await self._get(image_id)
        if version is None:
            return None
        definition = await self._get(image_id.rsplit("/", 2)[0])
        properties = version["properties"]
        source = (properties.get("storageProfile") or {}).get("source") or {}
        tags = {name.lower(): value for name, value in (version.get("tags") or {}).items()}
        return Image(
            id=version["id"],
            incarnation=f"{version['id'].lower()}@{properties.get('publishingProfile', {}).get('publishedDate', '')}",
            character=tags.get("sim-character") or await self._inherited_character(version["id"]),
            os_type=(definition or {}).get("properties", {}).get("osType", "unknown"),
            is_copy=_VERSION_TYPE in str(source.get("id", "")).lower(),
        )

    async def _inherited_character(self, image_id: str) -> str:
        characters = await self._json(f"{self._endpoint}/_sim/characters", {})
        found = {key.lower(): value for key, value in (characters or {}).items()}
        return found.get(image_id.lower(), "clean")

    async def _get(self, resource_id: str) -> dict[str, Any] | None:
        url = f"{self._endpoint}{resource_id}?api-version={_API_VERSION}"
        for fresh in (False, True):
            if fresh or not self._token:
                self._token = await self._new_token()
            try:
                return await self._json(url, {"Authorization": f"Bearer {self._token}"})
            except PermissionError:
                continue
        raise ArmUnavailable(f"{url} rejects a new token")

    async def _new_token(self) -> str:
        url = f"{self._identity}?api-version=2019-08-01&resource=https://management.azure.com"
        try:
            document = await self._json(url, {"X-IDENTITY-HEADER": self._secret})
        except PermissionError as error:
            raise ArmUnavailable(f"{self._identity} rejects the identity header") from error
        if not document or "access_token" not in document:
            raise ArmUnavailable(f"{self._identity} returned no token")
        return document["access_token"]

    async def _json(self, url: str, headers: dict[str, str]) -> dict[str, Any] | None:
        """Get a JSON document.

        Returns None for 404. Raises PermissionError for 401 and ArmUnavailable for other errors.
        """
        try:
            async with self._session.get(url, headers=headers) as answer:
                if answer.status == 404:
                    return None
                if answer.status == 401:
                    raise PermissionError(url)
                if answer.status != 200:
                    raise ArmUnavailable(f"{url} returned {answer.status}")
                return await answer.json()
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise ArmUnavailable(f"{url}: {error!r}") from error
