"""The managed identity endpoint in its App Service form: `GET IDENTITY_ENDPOINT?resource=…&api-version=2019-08-01`.

Serves `azure-identity`'s ManagedIdentityCredential and `az login --identity` alike (learn: "How to use managed
identities for App Service", REST endpoint reference).
"""

from typing import Any

from local.arm.kernel.messages import Reply
from local.arm.kernel.routing import Request, Routes

routes = Routes()


def _refuse(status: int, message: str) -> Reply:
    return Reply(status, {"statusCode": status, "message": message})


@routes.operation("GET", "/msi/token", name="ManagedIdentity_GetToken", public=True, api_version=False)
def token(request: Request) -> Reply:
    """A token for `resource`, of the identity that `client_id`, `principal_id`/`object_id` or `mi_res_id` names."""
    tokens = request.kernel.tokens
    if request.headers.get("X-IDENTITY-HEADER") != tokens.endpoint_secret:
        return _refuse(401, "The X-IDENTITY-HEADER is missing or wrong.")
    resource = request.query.get("resource")
    if not resource:
        return _refuse(400, "The 'resource' query parameter is required.")
    wanted = next(
        (request.query[key] for key in ("client_id", "principal_id", "object_id") if key in request.query), None
    )
    found = tokens.find(wanted)
    if found is None:
        return _refuse(400, f"Unable to load the proper Managed Identity: no user assigned identity {wanted}.")
    issued, expires = tokens.issue(found, resource, request.now)
    body: dict[str, Any] = {
        "access_token": issued,
        "expires_on": str(expires),
        "resource": resource,
        "token_type": "Bearer",
        "client_id": found.client_id,
    }
    return Reply(200, body)
