"""What an `imageReference` means for a new machine: which disks, which operating system, which character."""

from dataclasses import asdict, dataclass
from typing import Any

from local.arm.galleries.features import ANY_SECURITY, controllers_of, feature
from local.arm.galleries.lineage import CLEAN, TAG, character
from local.arm.galleries.replication import require_replica
from local.arm.kernel import ids
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.store import Document, Resource
from local.arm.storage.disk_model import platform_image_gib

_MARKETPLACE_VERSION = "24.04.202511010"


@dataclass(frozen=True, slots=True)
class Image:
    """An image as a machine gets it.

    `data_disks` are sizes in GiB by logical unit number, `plan` is what a machine must name (None: nothing), `security`
    the definition's SecurityType (None: it says nothing), `controllers` are the disk controllers that it boots from.
    """

    reference: Document
    source_id: str
    os_type: str
    generalized: bool
    generation: str
    architecture: str
    os_disk_gib: int
    data_disks: tuple[tuple[int, int], ...]
    character: str
    host_name: str
    storage: str | None = None
    plan: Document | None = None
    security: str | None = None
    controllers: tuple[str, ...] = ("SCSI",)
    is_marketplace: bool = False

    def document(self) -> Document:
        """For the store."""
        return asdict(self)


def resolve(kernel: Kernel, given: Any, region: str, now: float) -> Image:
    """The image that a reference names, usable in `region`; else the error of a machine's creation."""
    if not isinstance(given, dict) or not given:
        raise bad_parameter("Required parameter 'imageReference' is missing (null).", "imageReference")
    image_id = given.get("id")
    if not image_id:
        return _marketplace(given)
    parsed = ids.parse(image_id)
    kind = parsed.kind.lower() if parsed else ""
    if kind == "microsoft.compute/images":
        return _managed(kernel, image_id, region)
    if kind.startswith("microsoft.compute/galleries/images"):
        return _gallery(kernel, image_id, region, now)
    raise ArmError(
        400,
        "InvalidParameter",
        f"Id {image_id} is not a valid resource reference.",
        target="imageReference.id",
    )


def _gallery(kernel: Kernel, image_id: str, region: str, now: float) -> Image:
    version = require_replica(kernel, image_id, region, now)
    definition = kernel.store.get(version.id.rsplit("/", 2)[0])
    if definition is None:
        raise ArmError(404, "NotFound", f"The gallery image {image_id} was not found.", target="imageReference")
    facts, profile = definition.properties, version.properties.get("storageProfile", {})
    data = tuple(
        (int(one.get("lun", number)), int(one.get("sizeInGB") or 32))
        for number, one in enumerate(profile.get("dataDiskImages") or [])
    )
    return Image(
        reference={"id": image_id, "exactVersion": version.name},
        source_id=version.id,
        os_type=facts.get("osType", "Linux"),
        generalized=str(facts.get("osState", "Generalized")).lower() == "generalized",
        generation=facts.get("hyperVGeneration") or "V1",
        architecture=facts.get("architecture") or "x64",
        os_disk_gib=int((profile.get("osDiskImage") or {}).get("sizeInGB") or 30),
        data_disks=data,
        character=character(version),
        host_name=f"build-{definition.name}".lower()[:63],
        plan=facts.get("purchasePlan"),
        security=feature(definition, "SecurityType"),
        controllers=controllers_of(definition),
    )


def _managed(kernel: Kernel, image_id: str, region: str) -> Image:
    found = kernel.store.get(image_id)
    if found is None or found.location != region:
        raise ArmError(
            404,
            "NotFound",
            f"The Image '{image_id.rsplit('/', 1)[1]}' cannot be found in '{region}' region.",
            target="imageReference",
        )
    if found.properties.get("provisioningState") not in ("Succeeded", "Updating"):
        raise ArmError(409, "OperationNotAllowed", f"Image {found.name} is not ready: its creation has not succeeded.")
    profile = found.properties.get("storageProfile", {})
    disk = profile.get("osDisk") or {}
    data = tuple((int(one["lun"]), int(one.get("diskSizeGB") or 32)) for one in profile.get("dataDisks") or [])
    return Image(
        reference={"id": image_id},
        source_id=found.id,
        os_type=disk.get("osType", "Linux"),
        generalized=str(disk.get("osState", "Generalized")).lower() == "generalized",
        generation=found.properties.get("hyperVGeneration") or "V1",
        architecture="x64",
        os_disk_gib=int(disk.get("diskSizeGB") or 30),
        data_disks=data,
        character=character(found),
        host_name=f"build-{found.name}".lower()[:63],
        storage=disk.get("storageAccountType"),
        plan=found.sim.get("plan"),
    )


def _marketplace(given: Document) -> Image:
    for field in ("publisher", "offer", "sku", "version"):
        if not given.get(field):
            raise bad_parameter(f"Required parameter 'imageReference.{field}' is missing (null).", "imageReference")
    names = [given[field] for field in ("publisher", "offer", "sku", "version")]
    version = _MARKETPLACE_VERSION if names[3].lower() == "latest" else names[3]
    windows = "windows" in (names[0] + names[1]).lower()
    generation = "V2" if any(mark in names[2].lower() for mark in ("gen2", "-g2", "server", "arm64")) else "V1"
    return Image(
        reference={"publisher": names[0], "offer": names[1], "sku": names[2], "version": names[3]}
        | {"exactVersion": version},
        source_id="/Subscriptions/00000000-0000-0000-0000-000000000000/Providers/Microsoft.Compute/Locations/-/Publishers/"
        f"{names[0]}/ArtifactTypes/VMImage/Offers/{names[1]}/Skus/{names[2]}/Versions/{version}",
        os_type="Windows" if windows else "Linux",
        generalized=True,
        generation=generation,
        architecture="Arm64" if "arm64" in names[2].lower() else "x64",
        os_disk_gib=platform_image_gib("/".join(names)),
        data_disks=(),
        character=CLEAN,
        host_name="ubuntu",
        security=ANY_SECURITY if generation == "V2" else None,
        controllers=("SCSI", "NVMe"),
        is_marketplace=True,
    )


def from_document(document: Document) -> Image:
    """The image from its stored form."""
    values: dict[str, Any] = document | {
        "data_disks": tuple((lun, size) for lun, size in document["data_disks"]),
        "controllers": tuple(document.get("controllers", ("SCSI",))),
    }
    values.pop("distribution", None)  # stored by earlier versions
    return Image(**values)


def own_character(machine: Resource, image: Image) -> str:
    """A machine's character: the one in its own tags, else that of its image."""
    return (machine.document.get("tags") or {}).get(TAG) or image.character
