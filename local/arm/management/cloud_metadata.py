"""`/metadata/endpoints`: what `az cloud register --endpoint-resource-manager` reads."""

from typing import Any

from local.arm.kernel.messages import Reply
from local.arm.kernel.routing import Request, Routes

routes = Routes()


@routes.operation("GET", "/metadata/endpoints", name="Metadata_Endpoints", public=True)
def endpoints(request: Request) -> Reply:
    """One cloud, the simulator: an object since 2019-05-01 with a name; an array of them before 2022-09-01."""
    base = request.base_url
    cloud: dict[str, Any] = {
        "name": "RingmasterLocal",
        "portal": base,
        "authentication": {
            "loginEndpoint": base,
            "audiences": [base, f"{base}/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "graph": f"{base}/graph",
        "graphAudience": f"{base}/graph",
        "microsoftGraphResourceId": f"{base}/graph",
        "resourceManager": base,
        "media": base,
        "batch": base,
        "sqlManagement": base,
        "gallery": base,
        "vmImageAliasDoc": f"{base}/aliases.json",
        "activeDirectoryDataLake": base,
        "attestationResourceId": base,
        "logAnalyticsResourceId": base,
        "synapseAnalyticsResourceId": base,
        "ossrDbmsResourceId": base,
        "suffixes": {
            "storage": "core.localhost",
            "keyVaultDns": "vault.localhost",
            "sqlServerHostname": "database.localhost",
            "acrLoginServer": "azurecr.localhost",
            "mhsmDns": "managedhsm.localhost",
            "attestationEndpoint": "attest.localhost",
        },
    }
    return Reply(200, cloud if request.api_version >= "2022-09-01" else [cloud])
