"""Which list of ARM shows which type of resource, and where in a resource a reference to an image stands.

One row a type, so that a new type is a line here and one in ``shared.domain.usage``. Api-versions and property names
are those of Azure/bicep-types-az. Paths are below the resource: names with dots, ``[]`` for each item of a list,
``<json>`` for a string that holds JSON. What a path leads to is an id, or an object that holds one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.domain import usage
from shared.domain.usage import Relation

_IMAGE: Final = "storageProfile.imageReference"


@dataclass(frozen=True, slots=True)
class When:
    """A condition on a resource: the value at a path, without regard to case. A missing value counts as ``absent``."""

    path: str
    value: str
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reference stands."""

    path: str
    relation: Relation = Relation.USES
    when: When | None = None


@dataclass(frozen=True, slots=True)
class ListedType:
    """How a type is listed: api-version, the last segment of the list's path as ARM spells it, and what to read."""

    api: str
    segment: str
    places: tuple[Place, ...] = ()
    instances: str | None = None
    """Path of the number of machines."""
    when: When | None = None
    """Which parents have such a list at all."""


def _made_from(*paths: str) -> tuple[Place, ...]:
    return tuple(Place(path, Relation.MADE_FROM) for path in paths)


_COMPUTE: Final = "2024-07-01"
_DISKS: Final = "2024-03-02"
_GALLERIES: Final = "2024-03-03"
_DEV_CENTER: Final = "2025-02-01"
_HOST_POOLS: Final = "2024-04-03"
_SESSION_HOSTS: Final = "2025-04-01-preview"
"""No api-version without ``-preview`` has session host configurations."""
_LABS: Final = "2018-09-15"
_CREATION: Final = _made_from(
    "properties.creationData.galleryImageReference",
    "properties.creationData.imageReference",
    "properties.creationData.sourceResourceId",
)
_AUTOMATED: Final = When("properties.managementType", "Automated")

TABLE: Final[Mapping[str, ListedType]] = {
    usage.MACHINES: ListedType(
        _COMPUTE,
        "Microsoft.Compute/virtualMachines",
        (
            Place(f"properties.{_IMAGE}"),
            # A machine of a specialized disk names no image.
            Place(
                "properties.storageProfile.osDisk.managedDisk",
                when=When("properties.storageProfile.osDisk.createOption", "Attach"),
            ),
        ),
    ),
    usage.SCALE_SETS: ListedType(
        _COMPUTE,
        "Microsoft.Compute/virtualMachineScaleSets",
        (
            Place(f"properties.virtualMachineProfile.{_IMAGE}"),
            Place("properties.virtualMachineProfile.serviceArtifactReference"),
        ),
        instances="sku.capacity",
    ),
    usage.INSTANCES: ListedType(
        _COMPUTE,
        "virtualMachines",
        (Place(f"properties.{_IMAGE}"),),
        # Instances of a flexible set are machines, and in their list.
        when=When("properties.orchestrationMode", "Uniform", absent=True),
    ),
    "microsoft.compute/disks": ListedType(_DISKS, "Microsoft.Compute/disks", _CREATION),
    "microsoft.compute/snapshots": ListedType(_DISKS, "Microsoft.Compute/snapshots", _CREATION),
    "microsoft.compute/images": ListedType(
        _COMPUTE,
        "Microsoft.Compute/images",
        _made_from(
            "properties.sourceVirtualMachine",
            "properties.storageProfile.osDisk.managedDisk",
            "properties.storageProfile.osDisk.snapshot",
            "properties.storageProfile.dataDisks[].managedDisk",
            "properties.storageProfile.dataDisks[].snapshot",
        ),
    ),
    "microsoft.compute/galleries": ListedType(_GALLERIES, "Microsoft.Compute/galleries"),
    "microsoft.compute/galleries/images": ListedType(_GALLERIES, "images"),
    usage.VERSIONS: ListedType(
        _GALLERIES,
        "versions",
        _made_from(
            "properties.storageProfile.source",
            "properties.storageProfile.osDiskImage.source",
            "properties.storageProfile.dataDiskImages[].source",
        ),
    ),
    "microsoft.compute/restorepointcollections": ListedType(
        _COMPUTE, "Microsoft.Compute/restorePointCollections", _made_from("properties.source")
    ),
    "microsoft.virtualmachineimages/imagetemplates": ListedType(
        "2024-02-01", "Microsoft.VirtualMachineImages/imageTemplates", (Place("properties.source"),)
    ),
    "microsoft.azurefleet/fleets": ListedType(
        "2024-11-01",
        "Microsoft.AzureFleet/fleets",
        (
            Place(f"properties.computeProfile.baseVirtualMachineProfile.{_IMAGE}"),
            Place("properties.computeProfile.baseVirtualMachineProfile.serviceArtifactReference"),
            Place(
                "properties.additionalLocationsProfile.locationProfiles[].virtualMachineProfileOverride." + _IMAGE,
            ),
        ),
    ),
    "microsoft.batch/batchaccounts": ListedType("2024-07-01", "Microsoft.Batch/batchAccounts"),
    "microsoft.batch/batchaccounts/pools": ListedType(
        "2024-07-01",
        "pools",
        (
            Place("properties.deploymentConfiguration.virtualMachineConfiguration.imageReference"),
            Place("properties.deploymentConfiguration.virtualMachineConfiguration.serviceArtifactReference"),
        ),
        instances="properties.currentDedicatedNodes",
    ),
    "microsoft.devopsinfrastructure/pools": ListedType(
        "2024-10-19", "Microsoft.DevOpsInfrastructure/pools", (Place("properties.fabricProfile.images[].resourceId"),)
    ),
    "microsoft.desktopvirtualization/hostpools": ListedType(
        _HOST_POOLS,
        "Microsoft.DesktopVirtualization/hostPools",
        (Place("properties.vmTemplate.<json>.customImageId"),),
    ),
    "microsoft.desktopvirtualization/hostpools/sessionhostconfigurations": ListedType(
        _SESSION_HOSTS,
        "sessionHostConfigurations",
        (Place("properties.imageInfo.customInfo.resourceId"),),
        when=_AUTOMATED,
    ),
    "microsoft.desktopvirtualization/hostpools/activesessionhostconfigurations": ListedType(
        _SESSION_HOSTS,
        "activeSessionHostConfigurations",
        (Place("properties.imageInfo.customInfo.resourceId"),),
        when=_AUTOMATED,
    ),
    "microsoft.devcenter/devcenters": ListedType(_DEV_CENTER, "Microsoft.DevCenter/devcenters"),
    "microsoft.devcenter/devcenters/devboxdefinitions": ListedType(
        _DEV_CENTER,
        "devboxdefinitions",
        (Place("properties.imageReference"), Place("properties.activeImageReference")),
    ),
    "microsoft.devcenter/projects": ListedType(_DEV_CENTER, "Microsoft.DevCenter/projects"),
    "microsoft.devcenter/projects/pools": ListedType(
        _DEV_CENTER,
        "pools",
        (
            Place("properties.devBoxDefinition.imageReference"),
            Place("properties.devBoxDefinition.activeImageReference"),
        ),
        instances="properties.devBoxCount",
    ),
    "microsoft.devcenter/projects/catalogs": ListedType(_DEV_CENTER, "catalogs"),
    "microsoft.devcenter/projects/catalogs/imagedefinitions": ListedType(
        _DEV_CENTER,
        "imageDefinitions",
        (
            Place("properties.imageReference"),
            Place("properties.activeImageReference"),
            Place("properties.latestBuild.imageReference"),
        ),
    ),
    "microsoft.machinelearningservices/workspaces": ListedType(
        "2025-12-01", "Microsoft.MachineLearningServices/workspaces"
    ),
    "microsoft.machinelearningservices/workspaces/computes": ListedType(
        "2025-12-01", "computes", (Place("properties.properties.virtualMachineImage"),)
    ),
    "microsoft.servicefabric/managedclusters": ListedType("2024-04-01", "Microsoft.ServiceFabric/managedClusters"),
    "microsoft.servicefabric/managedclusters/nodetypes": ListedType(
        "2024-04-01",
        "nodeTypes",
        (
            Place("properties.vmImageResourceId"),
            Place("properties.vmSharedGalleryImageId"),
            Place("properties.serviceArtifactReferenceId"),
        ),
        instances="properties.vmInstanceCount",
    ),
    "microsoft.labservices/labs": ListedType(
        "2023-06-07", "Microsoft.LabServices/labs", (Place("properties.virtualMachineProfile.imageReference"),)
    ),
    "microsoft.devtestlab/labs": ListedType(_LABS, "Microsoft.DevTestLab/labs"),
    "microsoft.devtestlab/labs/customimages": ListedType(
        _LABS, "customimages", _made_from("properties.managedImageId", "properties.managedSnapshotId")
    ),
}
