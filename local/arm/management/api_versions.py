"""Which api-versions there are of each resource type, and ARM's refusal of others.

The versions of networks and storage accounts are those that ARM listed in the recorded answers of `GET …/providers/…`,
with newer ones of the SDKs and of Azure/azure-resource-manager-schemas after them; those of Compute, Resources,
Authorization, Insights and ResourceGraph are the folders of Azure/azure-rest-api-specs.
"""

from local.arm.kernel import regions
from local.arm.kernel.errors import ArmError
from local.arm.kernel.messages import Route

_COMPUTE = """
    2026-04-01 2026-03-01 2025-11-01 2025-04-01 2024-11-01 2024-07-01 2024-03-01 2023-09-01 2023-07-01 2023-03-01
    2022-11-01 2022-08-01 2022-03-01 2021-11-01 2021-07-01 2021-04-01 2021-03-01 2020-12-01 2020-06-01 2019-12-01
    2019-07-01 2019-03-01 2018-10-01 2018-06-01 2018-04-01 2017-12-01 2017-03-30 2016-08-30 2016-04-30-preview
    2016-03-30 2015-06-15
"""
_GALLERIES = """
    2026-03-03 2025-12-03 2025-03-03 2024-03-03 2023-07-03 2022-08-03 2022-03-03 2022-01-03 2021-10-01 2021-07-01
    2020-09-30 2019-12-01 2019-07-01 2019-03-01 2018-06-01
"""
_DISKS = """
    2026-03-02 2025-01-02 2024-03-02 2023-10-02 2023-04-02 2023-01-02 2022-07-02 2022-03-02 2021-12-01 2021-08-01
    2021-04-01 2020-12-01 2020-09-30 2020-06-30 2020-05-01 2019-11-01 2019-07-01 2019-03-01 2018-09-30 2018-06-01
    2018-04-01 2017-03-30 2016-04-30-preview
"""
_IMAGE_TEMPLATES = """
    2025-10-01 2024-02-01 2023-07-01 2022-07-01 2022-02-14 2021-10-01 2020-02-14 2019-05-01-preview 2018-02-01-preview
"""
_SKUS = "2021-07-01 2019-04-01 2017-09-01"
_NETWORKS = """
    2025-09-01 2025-07-01 2025-05-01 2025-03-01 2025-01-01 2024-10-01 2024-07-01 2024-05-01 2024-03-01 2024-01-01
    2023-11-01 2023-09-01 2023-06-01 2023-05-01 2023-04-01 2023-02-01 2022-11-01 2022-09-01 2022-07-01 2022-05-01
    2022-01-01 2021-12-01 2021-08-01 2021-06-01 2021-05-01 2021-04-01 2021-03-01 2021-02-01 2021-01-01 2020-11-01
    2020-08-01 2020-07-01 2020-06-01 2020-05-01 2020-04-01 2020-03-01 2020-01-01 2019-12-01 2019-11-01 2019-09-01
    2019-08-01 2019-07-01 2019-06-01 2019-04-01 2019-02-01 2018-12-01 2018-11-01 2018-10-01 2018-08-01 2018-07-01
    2018-06-01 2018-05-01 2018-04-01 2018-03-01 2018-02-01 2018-01-01 2017-11-01 2017-10-01 2017-09-01 2017-08-01
    2017-06-01 2017-04-01 2017-03-01 2016-12-01 2016-11-01 2016-10-01 2016-09-01 2016-08-01 2016-07-01 2016-06-01
    2016-03-30 2015-06-15 2015-05-01-preview 2014-12-01-preview
"""
_STORAGE = """
    2025-08-01 2025-06-01 2025-01-01 2024-01-01 2023-05-01 2023-04-01 2023-01-01 2022-09-01 2022-05-01 2021-09-01
    2021-08-01 2021-06-01 2021-05-01 2021-04-01 2021-02-01 2021-01-01 2020-08-01-preview 2019-06-01 2019-04-01
    2018-11-01 2018-07-01 2018-03-01-preview 2018-02-01 2017-10-01 2017-06-01 2016-12-01 2016-05-01 2016-01-01
    2015-06-15 2015-05-01-preview
"""
_RESOURCES = """
    2025-04-01 2025-03-01 2024-11-01 2024-07-01 2024-03-01 2023-07-01 2022-12-01 2022-09-01 2022-06-01 2021-04-01
    2021-01-01 2020-10-01 2020-08-01 2020-06-01 2020-01-01 2019-11-01 2019-10-01 2019-08-01 2019-07-01 2019-06-01
    2019-05-10 2019-05-01 2019-03-01 2018-11-01 2018-09-01 2018-08-01 2018-07-01 2018-06-01 2018-05-01 2018-02-01
    2017-08-01 2017-06-01 2017-05-10 2017-05-01 2017-03-01 2016-09-01 2016-07-01 2016-06-01 2016-02-01 2015-11-01
    2015-01-01 2014-04-01-preview
"""
_LOCKS = "2020-05-01 2017-04-01 2016-09-01 2015-05-01-preview 2015-01-01"
_EVENTS = "2017-03-01-preview 2015-04-01 2014-04-01"
_GRAPH = "2024-04-01 2022-10-01 2021-06-01-preview 2021-03-01 2020-04-01-preview 2019-04-01 2018-09-01-preview"

CATALOGUE: dict[str, dict[str, str]] = {
    "Microsoft.Compute": {
        "galleries": _GALLERIES,
        "galleries/images": _GALLERIES,
        "galleries/images/versions": _GALLERIES,
        "galleries/softDeletedArtifactTypes": _GALLERIES,
        "images": _COMPUTE,
        "virtualMachines": _COMPUTE,
        "virtualMachines/runCommands": _COMPUTE,
        "virtualMachineScaleSets": _COMPUTE,
        "virtualMachineScaleSets/virtualMachines": _COMPUTE,
        "restorePointCollections": _COMPUTE,
        "locations/vmSizes": _COMPUTE,
        "locations/virtualMachines": _COMPUTE,
        "locations/usages": _COMPUTE,
        "disks": _DISKS,
        "snapshots": _DISKS,
        "skus": _SKUS,
    },
    "Microsoft.Network": {
        "virtualNetworks": _NETWORKS,
        "virtualNetworks/subnets": _NETWORKS,
        "networkInterfaces": _NETWORKS,
        "publicIPAddresses": _NETWORKS,
        "networkSecurityGroups": _NETWORKS,
        "loadBalancers": _NETWORKS,
        "loadBalancers/inboundNatRules": _NETWORKS,
        "loadBalancers/backendAddressPools": _NETWORKS,
    },
    "Microsoft.VirtualMachineImages": {"imageTemplates": _IMAGE_TEMPLATES},
    "Microsoft.Storage": {"storageAccounts": _STORAGE, "checkNameAvailability": _STORAGE},
    "Microsoft.Resources": {
        "subscriptions": _RESOURCES,
        "resourceGroups": _RESOURCES,
        "resources": _RESOURCES,
        "providers": _RESOURCES,
        "deployments": _RESOURCES,
        "tags": _RESOURCES,
    },
    "Microsoft.Authorization": {"locks": _LOCKS},
    "Microsoft.Insights": {"eventTypes": _EVENTS},
    "Microsoft.ResourceGraph": {"resources": _GRAPH},
}
"""Api-versions by namespace and resource type, newest first."""


def versions(namespace: str, kind: str) -> list[str]:
    """The api-versions of a resource type, newest first."""
    return CATALOGUE[namespace][kind].split()


def type_of(route: Route) -> tuple[str, str] | None:
    """Namespace and resource type that a route is about, as the catalogue spells them; None for what it has not.

    Of an action or a list it is the type that is acted on or listed; what is outside of every resource provider is of
    `Microsoft.Resources`.
    """
    path = "/".join(route.segments)
    if "providers/Microsoft." not in path:
        return "Microsoft.Resources", "subscriptions"
    tail = path.rsplit("providers/", 1)[1].split("/")
    given = [part.lower() for part in tail[1::2]]
    for namespace, kinds in CATALOGUE.items():
        if namespace.lower() != tail[0].lower():
            continue
        for length in range(len(given), 0, -1):
            wanted = "/".join(given[:length])
            found = next((kind for kind in kinds if kind.lower() == wanted), None)
            if found is not None:
                return namespace, found
    return None


def check(route: Route, given: str, location: str) -> None:
    """Refuse an api-version that the resource type has not ("Resolve errors for resource provider registration" on
    Microsoft Learn; the whole text is quoted in azure-cli#28496). `location` is that of the resource, as far as known.
    """
    kind = type_of(route)
    if kind is None:
        return
    known = versions(*kind)
    if given in known:
        return
    if kind[0] == "Microsoft.Resources":
        raise ArmError(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{given}' is invalid. The supported versions are '{','.join(known)}'.",
        )
    raise ArmError(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '{location}' and API version '{given}' for type "
        f"'{kind[1]}'. The supported api-versions are '{', '.join(sorted(known))}'. The supported locations are "
        f"'{', '.join(regions.DISPLAY)}'.",
    )
