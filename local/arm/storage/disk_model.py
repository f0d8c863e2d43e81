"""What a managed disk or snapshot is once it is there: everything that the disk provider adds to what was asked for.

Recorded in `test_enable_trusted_launch_on_v2.yaml`, `test_snapshot_ultra_ssd.yaml`,
`test_create_image_version_with_region_cvm_encryption.yaml`, `test_vm_trusted_launch_os_disk_secure_upload.yaml` and the
SDK's `test_compute_shot`.
"""

from typing import Any

from local.arm.kernel.clock import iso
from local.arm.kernel.conventions import spelled, stable_guid
from local.arm.kernel.store import Document, Resource

DISK = "Microsoft.Compute/disks"
SNAPSHOT = "Microsoft.Compute/snapshots"
GIB = 1024**3
_TIERS = (  # up to so many GiB: tier, operations a second, megabytes a second
    (4, "P1", 120, 25),
    (8, "P2", 120, 25),
    (16, "P3", 120, 25),
    (32, "P4", 120, 25),
    (64, "P6", 240, 50),
    (128, "P10", 500, 100),
    (256, "P15", 1100, 125),
    (512, "P20", 2300, 150),
    (1024, "P30", 5000, 200),
    (2048, "P40", 7500, 250),
    (4096, "P50", 7500, 250),
)
_INHERITED = (
    "osType",
    "hyperVGeneration",
    "supportsHibernation",
    "supportedCapabilities",
    "securityProfile",
    "encryption",
)
_UPLOADS = ("Upload", "UploadPreparedSecure")


def is_platform_image(resource_id: str) -> bool:
    """Whether an id is that of a version in the marketplace: `/Subscriptions/…/ArtifactTypes/VMImage/…`."""
    return "/artifacttypes/vmimage/" in resource_id.lower()


def platform_image_gib(names: str) -> int:
    """The size of a marketplace image's system disk, told from its offer and sku."""
    lowered = names.lower()
    return 127 if "windows" in lowered and "smalldisk" not in lowered else 30


def disk_document(
    disk_id: str, location: str, *, sku: str, size_gib: int, at: float, creation: Document, tags: dict[str, str] | None
) -> Document:
    """A managed disk as a finished GET shows it."""
    document: Document = {
        "name": disk_id.rsplit("/", 1)[1],
        "id": disk_id,
        "type": DISK,
        "location": location,
        "sku": {"name": sku},
        "properties": {"creationData": creation},
    }
    if tags is not None:
        document["tags"] = tags
    complete(document, size_gib, at)
    return document


def complete(document: Document, size_gib: int, at: float, source: Resource | None = None) -> None:
    """Add what the disk provider adds once a disk or a snapshot is there; `source` is what it was copied from."""
    sku = document.setdefault("sku", {})
    sku.setdefault("name", "Standard_LRS")
    sku["tier"] = _tier_of(sku["name"])
    properties = document["properties"]
    _inherit(properties, source)
    if sku["name"].startswith(("UltraSSD", "PremiumV2")):
        properties["creationData"].setdefault("logicalSectorSize", 4096)
    properties |= {
        "encryption": _encryption(properties.get("encryption") or {}),
        "networkAccessPolicy": properties.get("networkAccessPolicy", "AllowAll"),
        "publicNetworkAccess": properties.get("publicNetworkAccess", "Enabled"),
        "timeCreated": properties.get("timeCreated", iso(at)),
        "provisioningState": "Succeeded",
        "uniqueId": properties.get("uniqueId") or stable_guid(document["id"].lower(), "unique", str(at)),
    }
    awaits_upload = properties["creationData"].get("createOption") in _UPLOADS and not properties.get("diskSizeGB")
    properties["diskState"] = properties.get("diskState", "ReadyToUpload" if awaits_upload else "Unattached")
    if not awaits_upload:
        properties |= {"diskSizeGB": size_gib, "diskSizeBytes": size_gib * GIB}
    if document["type"].lower() == SNAPSHOT.lower():
        _complete_snapshot(document)
    else:
        properties |= _performance(sku["name"], size_gib)


def _tier_of(sku: str) -> str:
    kind = sku.split("_")[0]
    return "Ultra" if kind == "UltraSSD" else kind.removesuffix("V2").removesuffix("SSD")


def _encryption(given: Document) -> Document:
    """Who holds the key: the platform unless an encryption set is named (recorded: the type may be left out)."""
    customer = "EncryptionAtRestWithCustomerKey" if given.get("diskEncryptionSetId") else None
    return {"type": given.get("type") or customer or "EncryptionAtRestWithPlatformKey"} | given


def _inherit(properties: Document, source: Resource | None) -> None:
    """What a copy takes over from a disk or snapshot, a gallery version or an image of the marketplace."""
    creation = properties["creationData"]
    reference = creation.get("galleryImageReference") or {}
    kinds = ("id", "sharedGalleryImageId", "communityGalleryImageId")
    gallery = next((reference[kind] for kind in kinds if reference.get(kind)), None)
    platform = (creation.get("imageReference") or {}).get("id", "")
    if gallery:
        creation["imageReference"] = {"id": gallery}
    if source is not None and source.kind.lower() in (DISK.lower(), SNAPSHOT.lower()):
        for key in _INHERITED:
            if key in source.properties:
                properties.setdefault(key, source.properties[key])
        creation["sourceUniqueId"] = source.properties.get("uniqueId")
        if "logicalSectorSize" in source.properties.get("creationData", {}):
            creation["logicalSectorSize"] = source.properties["creationData"]["logicalSectorSize"]
    elif is_platform_image(platform):
        properties.setdefault("osType", "Windows" if "windows" in platform.lower() else "Linux")
        _capabilities_of_platform(properties, platform)
    elif gallery:
        properties.setdefault("supportedCapabilities", {"architecture": "x64"})


def _capabilities_of_platform(properties: Document, image: str) -> None:
    architecture = "Arm64" if "arm64" in image.lower() else "x64"
    found: Document = {"architecture": architecture}
    if properties["osType"] == "Windows":
        properties.setdefault("supportsHibernation", True)
        found = {"diskControllerTypes": "SCSI, NVMe", "acceleratedNetwork": True} | found
    properties.setdefault("supportedCapabilities", found)


def _complete_snapshot(document: Document) -> None:
    properties = document["properties"]
    properties.setdefault("incremental", False)
    for key in ("diskIOPSReadWrite", "diskMBpsReadWrite", "tier"):
        properties.pop(key, None)
    if properties["incremental"]:
        source = properties["creationData"].get("sourceResourceId", document["id"])
        properties |= {
            "completionPercent": 0.0,
            "incrementalSnapshotFamilyId": stable_guid(source.lower(), "snapshot family"),
        }


def _performance(sku: str, size_gib: int) -> dict[str, Any]:
    """Operations and megabytes a second, and the tier of premium disks."""
    if sku.startswith("UltraSSD"):
        ultra = {"diskIOPSReadWrite": 100, "diskMBpsReadWrite": 13}
        return ultra | {"readOnly": False, "diskIOPSReadOnly": 100, "diskMBpsReadOnly": 13, "maxShares": 1}
    if sku.startswith("Premium_"):
        _, tier, operations, megabytes = next((one for one in _TIERS if size_gib <= one[0]), _TIERS[-1])
        return {"diskIOPSReadWrite": operations, "diskMBpsReadWrite": megabytes, "tier": tier}
    return {"diskIOPSReadWrite": 500, "diskMBpsReadWrite": 60}


def normalized(given: Document, source: Resource | None) -> Document:
    """The properties of a request in Azure's spelling: options in their casing, a copy's source under one name."""
    found = dict(given)
    creation = found.get("creationData")
    if isinstance(creation, dict):
        options = ("Empty", "Attach", "FromImage", "Import", "Copy", "Restore", "CopyStart", "ImportSecure", *_UPLOADS)
        creation = creation | {"createOption": spelled(creation.get("createOption"), *options)}
        if creation["createOption"] == "Copy":
            source_id = source.id if source else creation.get("sourceResourceId") or creation.get("sourceUri")
            creation = {key: value for key, value in creation.items() if key != "sourceUri"}
            creation["sourceResourceId"] = source_id
        found["creationData"] = creation
    return found
