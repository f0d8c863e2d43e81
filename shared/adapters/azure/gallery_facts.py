"""Converts ARM's documents of galleries, definitions and versions into facts, and builds request bodies.

Any property may be missing, and strings may have any casing: documents can be older or newer than the requested API
version. Unknown values become None. Properties that must survive a write are kept in ``kept``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from shared.adapters.azure.arm_fields import number, part, parts, tags, text, text_or_none, texts
from shared.adapters.azure.version_properties import kept_in
from shared.adapters.common.copies import copy_tags
from shared.domain.facts import (
    DefinitionFacts,
    ExecutedValidation,
    GalleryFacts,
    ProvisioningState,
    PurchasePlan,
    RegionReplication,
    RegionState,
    RegionTargetFacts,
    ReplicationFacts,
    ResourceRange,
    VersionFacts,
)
from shared.domain.image import DefinitionId, GalleryId, VersionId, region_name
from shared.domain.usage import Sharing

_SET_BY_US: Final = {"name", "regionalReplicaCount", "storageAccountType", "excludeFromLatest"}
_KEPT_OF_PUBLISHING: Final = kept_in("publishingProfile")
_KEPT_OF_SAFETY: Final = kept_in("safetyProfile")


# --- reading ----------------------------------------------------------------------------------------------------------


def read_version(document: Mapping[str, Any], version: VersionId) -> VersionFacts:
    """Convert an image version."""
    properties = part(document, "properties")
    publishing, safety = part(properties, "publishingProfile"), part(properties, "safetyProfile")
    storage = part(properties, "storageProfile")
    source, disks = part(storage, "source"), parts(storage, "dataDiskImages")
    os_disk = part(storage, "osDiskImage")
    return VersionFacts(
        id=version,
        provisioning_state=ProvisioningState.read(text(properties.get("provisioningState"))),
        location=region_name(text(document.get("location"))),
        published_at=read_time(publishing.get("publishedDate")),
        source_id=text_or_none(source.get("id")),
        source_vm_id=text_or_none(source.get("virtualMachineId")),
        source_community_id=text_or_none(source.get("communityGalleryImageId")),
        disk_source_ids=tuple(name for disk in (os_disk, *disks) if (name := _disk_source(disk))),
        targets=tuple(_target(entry, publishing) for entry in parts(publishing, "targetRegions")),
        excluded=publishing.get("excludeFromLatest") is True,
        storage=text_or_none(publishing.get("storageAccountType")),
        replication_mode=text_or_none(publishing.get("replicationMode")),
        os_disk_gb=number(os_disk.get("sizeInGB")),
        data_disks_gb=tuple(number(disk.get("sizeInGB")) for disk in disks),
        data_disk_luns=tuple(number(disk.get("lun")) or 0 for disk in disks),
        tags=tags(document),
        end_of_life=read_time(publishing.get("endOfLifeDate")),
        reported_for_policy_violation=safety.get("reportedForPolicyViolation") is True,
        policy_violations=tuple(_violation(each) for each in parts(safety, "policyViolations")),
        validations=tuple(_validation(each) for each in _executed(properties)),
        kept=_kept(publishing, safety),
        replication=_replication(properties.get("replicationStatus")),
    )


def read_definition(document: Mapping[str, Any], definition: DefinitionId) -> DefinitionFacts:
    """Convert an image definition."""
    properties = part(document, "properties")
    recommended = part(properties, "recommended")
    return DefinitionFacts(
        id=definition,
        provisioning_state=ProvisioningState.read(text(properties.get("provisioningState"))),
        location=region_name(text(document.get("location"))),
        os_type=text(properties.get("osType")),
        os_state=text(properties.get("osState")),
        hyper_v_generation=text_or_none(properties.get("hyperVGeneration")),
        architecture=text_or_none(properties.get("architecture")),
        features={
            text(each["name"]): text(each.get("value"))
            for each in parts(properties, "features")
            if text(each.get("name"))
        },
        plan=_plan(part(properties, "purchasePlan")),
        end_of_life=read_time(properties.get("endOfLifeDate")),
        tags=tags(document),
        recommended={name: _range(part(recommended, name)) for name in ("vCPUs", "memory") if part(recommended, name)},
        disallowed_disk_types=texts(part(properties, "disallowed").get("diskTypes")),
    )


def _range(given: Mapping[str, Any]) -> ResourceRange:
    return ResourceRange(number(given.get("min")), number(given.get("max")))


def _plan(plan: Mapping[str, Any]) -> PurchasePlan | None:
    publisher, product, name = (text(plan.get(each)) for each in ("publisher", "product", "name"))
    return PurchasePlan(publisher, product, name) if publisher and product and name else None


def read_gallery(document: Mapping[str, Any], gallery: GalleryId) -> GalleryFacts:
    """Convert a gallery."""
    properties = part(document, "properties")
    profile = part(properties, "sharingProfile")
    return GalleryFacts(
        id=gallery,
        provisioning_state=ProvisioningState.read(text(properties.get("provisioningState"))),
        location=region_name(text(document.get("location"))),
        sharing=Sharing(
            text(profile.get("permissions")) or "Private",
            tuple(each.lower() for each in texts(part(profile, "communityGalleryInfo").get("publicNames"))),
        ),
    )


def read_time(value: object) -> datetime | None:
    """Parse ARM's time, which has up to seven fractional digits, and convert it to UTC. Returns None when it is
    invalid.

    ARM can return the same time with different offsets (observed: ``+08:00``).
    """
    try:
        time = datetime.fromisoformat(text(value))
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (
        ValueError,
        OverflowError,
    ):  # the first and last day of the calendar cannot be converted to another time zone
        return None


def _target(entry: Mapping[str, Any], publishing: Mapping[str, Any]) -> RegionTargetFacts:
    # Defaults of a region come from the profile (REST API reference, GalleryImageVersionPublishingProfile).
    return RegionTargetFacts(
        region=region_name(text(entry.get("name"))),
        replicas=number(entry.get("regionalReplicaCount")) or number(publishing.get("replicaCount")) or 1,
        storage=text(entry.get("storageAccountType")) or text(publishing.get("storageAccountType")) or "Standard_LRS",
        excluded=_flag(entry.get("excludeFromLatest")),
        kept={name: value for name, value in entry.items() if name not in _SET_BY_US},
    )


def _replication(status: object) -> ReplicationFacts | None:
    if not isinstance(status, Mapping):
        return None
    regions = {
        region_name(text(each.get("region"))): RegionReplication(
            RegionState.read(text(each.get("state"))), number(each.get("progress")) or 0, text(each.get("details"))
        )
        for each in parts(status, "summary")
    }
    return ReplicationFacts(regions)


def _kept(publishing: Mapping[str, Any], safety: Mapping[str, Any]) -> dict[str, dict[str, object]]:
    kept = {
        "publishingProfile": {name: publishing[name] for name in _KEPT_OF_PUBLISHING if name in publishing},
        "safetyProfile": {name: safety[name] for name in _KEPT_OF_SAFETY if name in safety},
    }
    return {name: values for name, values in kept.items() if values}


def _executed(properties: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return parts(part(properties, "validationsProfile"), "executedValidations")


def _validation(each: Mapping[str, Any]) -> ExecutedValidation:
    return ExecutedValidation(
        type=text(each.get("type")),
        status=text(each.get("status")),
        version=text(each.get("version")),
    )


def _violation(each: Mapping[str, Any]) -> str:
    return ": ".join(text(each.get(name)) for name in ("category", "details") if text(each.get(name)))


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _disk_source(disk: Mapping[str, Any]) -> str | None:
    # A VHD source: blob in ``uri``, storage account in ``id`` (Azure CLI recording, gallery_image_version_vhd).
    source = part(disk, "source")
    return next((found for name in ("uri", "storageAccountId", "id") if (found := text(source.get(name)))), None)


# --- writing ----------------------------------------------------------------------------------------------------------


def targets_body(version: VersionFacts, targets: Sequence[RegionTargetFacts], *, excluded: bool) -> dict[str, Any]:
    """The PATCH body that sets target regions.

    ``storageProfile`` is required, and empty in the specification's example.
    """
    return {
        "properties": {
            "publishingProfile": {
                **version.kept.get("publishingProfile", {}),
                "targetRegions": [_entry(target) for target in targets],
                "excludeFromLatest": excluded,
            },
            "storageProfile": {},
            "safetyProfile": {
                **version.kept.get("safetyProfile", {}),
                "allowDeletionOfReplicatedLocations": False,
            },
        }
    }


def copy_body(source: VersionFacts, *, location: str, targets: Sequence[RegionTargetFacts]) -> dict[str, Any]:
    """The PUT body that starts a copy: excluded from ``latest`` everywhere, and tagged with its source.

    It has its source's end of life and its protection until then; ``version_properties`` says what becomes of the rest.
    """
    end_of_life = {} if source.end_of_life is None else {"endOfLifeDate": source.end_of_life.isoformat()}
    return {
        "location": location,
        "tags": {**source.tags, **copy_tags(source)},
        "properties": {
            "publishingProfile": {
                **end_of_life,
                "targetRegions": [{**_entry(target), "excludeFromLatest": True} for target in targets],
                "excludeFromLatest": True,
            },
            "storageProfile": {"source": {"id": str(source.id)}},
            "safetyProfile": {
                **source.kept.get("safetyProfile", {}),
                "allowDeletionOfReplicatedLocations": False,
            },
        },
    }


def _entry(target: RegionTargetFacts) -> dict[str, Any]:
    entry: dict[str, Any] = {
        **target.kept,
        "name": target.region,
        "regionalReplicaCount": target.replicas,
        "storageAccountType": target.storage,
    }
    return entry if target.excluded is None else {**entry, "excludeFromLatest": target.excluded}
