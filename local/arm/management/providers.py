"""Resource providers: which resource types there are, with their api-versions and regions."""

from typing import Any

from local.arm.kernel import regions
from local.arm.kernel.errors import ArmError
from local.arm.kernel.messages import Reply
from local.arm.kernel.paging import paged
from local.arm.kernel.routing import Request, Routes
from local.arm.management.api_versions import CATALOGUE, versions

routes = Routes()

_GLOBAL = ("Microsoft.Resources", "Microsoft.Authorization", "Microsoft.Insights", "Microsoft.ResourceGraph")
"""What is of no region."""


def _provider(request: Request, namespace: str) -> dict[str, Any]:
    kinds = [
        {
            "resourceType": kind,
            "locations": [] if namespace in _GLOBAL else list(regions.DISPLAY.values()),
            "apiVersions": versions(namespace, kind),
            "capabilities": "None" if namespace in _GLOBAL else "SupportsTags, SupportsLocation",
        }
        for kind in CATALOGUE[namespace]
    ]
    return {
        "id": f"/subscriptions/{request.params['sub']}/providers/{namespace}",
        "namespace": namespace,
        "registrationPolicy": "RegistrationFree" if namespace in _GLOBAL else "RegistrationRequired",
        "resourceTypes": kinds,
        "registrationState": "Registered",
    }


@routes.operation("GET", "/subscriptions/{sub}/providers", name="Providers_List")
def list_providers(request: Request) -> Reply:
    """The providers that the simulator plays."""
    return paged(request, [_provider(request, namespace) for namespace in CATALOGUE])


@routes.operation("GET", "/subscriptions/{sub}/providers/{namespace}", name="Providers_Get")
def get_provider(request: Request) -> Reply:
    """One provider."""
    return Reply(200, _provider(request, _namespace(request)))


@routes.operation("POST", "/subscriptions/{sub}/providers/{namespace}/register", name="Providers_Register")
def register_provider(request: Request) -> Reply:
    """Providers are registered always."""
    request.silent = True
    return Reply(200, _provider(request, _namespace(request)))


def _namespace(request: Request) -> str:
    given = request.params["namespace"]
    for known in CATALOGUE:
        if known.lower() == given.lower():
            return known
    raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{given}' is invalid.")
