"""The image builder of the demo: writes versions to the gallery with the SDK, under an identity of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.compute.models import GalleryImageVersion

from local.arm.tokens import identity
from local.demo.scenario import GALLERY, GROUP, PRODUCTION, SOURCE, Story
from shared.domain.image import region_name


class Builder:
    """Publishes versions, and looks at the galleries afterwards."""

    def __init__(self, clients: Mapping[str, ComputeManagementClient]) -> None:
        self._clients = clients

    async def publish(self, story: Story) -> None:
        """Ask for a new version, hidden from ``latest``; does not wait for it."""
        body: dict[str, Any] = {
            "location": "westeurope",
            "tags": {"built-by": "demo"},
            "properties": {
                "publishingProfile": {
                    "excludeFromLatest": True,
                    "targetRegions": [{"name": "westeurope", "regionalReplicaCount": 1}],
                },
                "storageProfile": {"source": {"id": story.image}},
            },
        }
        await self._clients[SOURCE].gallery_image_versions.begin_create_or_update(
            GROUP, GALLERY, story.definition, story.number, GalleryImageVersion(body), polling=False
        )

    async def visible(self, story: Story) -> dict[str, set[str]]:
        """Where ``latest`` may resolve to the version, as ARM says it: gallery -> regions."""
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
            profile = version.as_dict()["properties"]["publishingProfile"]
            everywhere = profile.get("excludeFromLatest", False)
            found[gallery] = {
                region_name(target["name"])
                for target in profile["targetRegions"]
                if not target.get("excludeFromLatest", everywhere)
            }
        return found


@asynccontextmanager
async def builder(environment: Mapping[str, str]) -> AsyncIterator[Builder]:
    """A builder against the stack with this environment."""
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
