"""The image builder of the demo. It writes versions to the gallery through the SDK, with its own identity."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.compute.models import GalleryImageVersion

from local.arm.kernel.tokens import identity
from local.demo.scenario import GALLERY, GROUP, PRODUCTION, SOURCE, Story
from shared.domain.image import VersionNumber, region_name


class Builder:
    """Publishes versions and reads the galleries."""

    def __init__(self, clients: Mapping[str, ComputeManagementClient]) -> None:
        self._clients = clients

    async def publish(self, story: Story) -> None:
        """Start to create a version, excluded from `latest` unless its story says otherwise. Does not wait for it."""
        body: dict[str, Any] = {
            "location": "westeurope",
            "tags": {"built-by": "demo"},
            "properties": {
                "publishingProfile": {
                    "excludeFromLatest": not story.visible,
                    "targetRegions": [{"name": "westeurope", "regionalReplicaCount": 1}],
                },
                "storageProfile": {"source": {"id": story.image}},
            },
        }
        await self._clients[SOURCE].gallery_image_versions.begin_create_or_update(
            GROUP, GALLERY, story.definition, story.number, GalleryImageVersion(body), polling=False
        )

    async def visible(self, story: Story) -> dict[str, set[str]]:
        """Where `latest` can resolve to the version, according to ARM: gallery -> regions."""
        found = {}
        for subscription, group, gallery in ((SOURCE, GROUP, GALLERY), (PRODUCTION, "rg-prod", "gal_prod")):
            operations = self._clients[subscription].gallery_image_versions
            try:
                version = await operations.get(group, gallery, story.definition, story.number)
            except HttpResponseError as error:
                if error.status_code != 404:
                    raise
                found[gallery] = set()
                continue
            found[gallery] = _visible_in(version)
        return found

    async def latest(self, definition: str) -> dict[str, dict[str, str]]:
        """What `latest` is now, according to ARM: gallery -> region -> number.

        Regions without a version are omitted.
        """
        found: dict[str, dict[str, str]] = {}
        for subscription, group, gallery in ((SOURCE, GROUP, GALLERY), (PRODUCTION, "rg-prod", "gal_prod")):
            operations = self._clients[subscription].gallery_image_versions
            versions = [each async for each in operations.list_by_gallery_image(group, gallery, definition)]
            found[gallery] = {
                region: str(version.name)
                for version in sorted(versions, key=_number)
                if version.as_dict()["properties"]["provisioningState"] == "Succeeded"
                for region in sorted(_visible_in(version))
            }
        return found


def _visible_in(version: GalleryImageVersion) -> set[str]:
    profile = version.as_dict()["properties"]["publishingProfile"]
    everywhere = profile.get("excludeFromLatest", False)
    return {
        region_name(target["name"])
        for target in profile["targetRegions"]
        if not target.get("excludeFromLatest", everywhere)
    }


def _number(version: GalleryImageVersion) -> VersionNumber:
    return VersionNumber.parse(str(version.name))


@asynccontextmanager
async def builder(environment: Mapping[str, str]) -> AsyncIterator[Builder]:
    """A builder for the stack with this environment."""
    endpoint, authority = environment["ARM_ENDPOINT"], environment["SSL_CERT_FILE"]
    client_id = identity("image-builder").client_id
    async with ManagedIdentityCredential(client_id=client_id, connection_verify=authority) as credential:
        clients = {
            subscription: ComputeManagementClient(
                credential,
                subscription,
                base_url=endpoint,
                credential_scopes=[f"{endpoint}/.default"],
                connection_verify=authority,
            )
            for subscription in (SOURCE, PRODUCTION)
        }
        try:
            yield Builder(clients)
        finally:
            for client in clients.values():
                await client.close()
