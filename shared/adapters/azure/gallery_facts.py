"""ARM's documents of galleries, definitions and versions, read as facts; and the bodies of the writes.

Every property may be missing and every string may come in another casing: documents here are older and younger than the
API version that was asked for. What isn't understood stays None, or goes into ``kept`` and back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from shared.adapters.copies import copy_tags
from shared.domain.facts import (
    DefinitionFacts,
    ExecutedValidation,
    GalleryFacts,
    ProvisioningState,
    RegionReplication,
    RegionState,
    RegionTargetFacts,
    ReplicationFacts,
    VersionFacts,
)
from shared.domain.image import DefinitionId, GalleryId, VersionId, region_name

_SET_BY_US: Final = {"name", "regionalReplicaCount", "storageAccountType", "excludeFromLatest"}
_KEPT_OF_PUBLISHING: Final = ("replicaCount", "targetExtendedLocations")
_KEPT_OF_SAFETY: Final = ("blockDeletionBeforeEndOfLife",)


# --- reading ----------------------------------------------------------------------------------------------------------


def read_version(document: Mapping[str, Any], version: VersionId) -> VersionFacts:
    """An image version's document as facts."""
    properties = _part(document, "properties")
    publishing, safety = _part(properties, "publishingProfile"), _part(properties, "safetyProfile")
    storage = _part(properties, "storageProfile")
    source, disks = _part(storage, "source"), _parts(storage, "dataDiskImages")
    os_disk = _part(storage, "osDiskImage")
    return VersionFacts(
        id=version,
        provisioning_state=ProvisioningState.read(properties.get("provisioningState")),
        location=region_name(document.get("location") or ""),
        published_at=read_time(publishing.get("publishedDate")),
        source_id=source.get("id"),
        source_vm_id=source.get("virtualMachineId"),
        source_community_id=source.get("communityGalleryImageId"),
        disk_source_ids=tuple(name for disk in (os_disk, *disks) if (name := _disk_source(disk))),
        targets=tuple(_target(entry, publishing) for entry in _parts(publishing, "targetRegions")),
        excluded=publishing.get("excludeFromLatest") is True,
        storage=publishing.get("storageAccountType"),
        replication_mode=publishing.get("replicationMode"),
        os_disk_gb=os_disk.get("sizeInGB"),
        data_disks_gb=tuple(disk.get("sizeInGB") for disk in disks),
        data_disk_luns=tuple(int(disk.get("lun") or 0) for disk in disks),
        tags=dict(document.get("tags") or {}),
        end_of_life=read_time(publishing.get("endOfLifeDate")),
        reported_for_policy_violation=safety.get("reportedForPolicyViolation") is True,
        policy_violations=tuple(_violation(each) for each in safety.get("policyViolations") or ()),
        allow_deletion_of_replicated_locations=safety.get("allowDeletionOfReplicatedLocations"),
        validations=tuple(_validation(each) for each in _executed(properties)),
        kept=_kept(publishing, safety),
        replication=_replication(properties.get("replicationStatus")),
    )


def read_definition(document: Mapping[str, Any], definition: DefinitionId) -> DefinitionFacts:
    """An image definition's document as facts."""
    properties = _part(document, "properties")
    return DefinitionFacts(
        id=definition,
        provisioning_state=ProvisioningState.read(properties.get("provisioningState")),
        location=region_name(document.get("location") or ""),
        os_type=properties.get("osType") or "",
        os_state=properties.get("osState") or "",
        hyper_v_generation=properties.get("hyperVGeneration"),
        architecture=properties.get("architecture"),
        features={
            each["name"]: str(each.get("value") or "") for each in _parts(properties, "features") if each.get("name")
        },
        end_of_life=read_time(properties.get("endOfLifeDate")),
        tags=dict(document.get("tags") or {}),
    )


def read_gallery(document: Mapping[str, Any], gallery: GalleryId) -> GalleryFacts:
    """A gallery's document as facts."""
    properties = _part(document, "properties")
    return GalleryFacts(
        id=gallery,
        provisioning_state=ProvisioningState.read(properties.get("provisioningState")),
        location=region_name(document.get("location") or ""),
        soft_delete=_part(properties, "softDeletePolicy").get("isSoftDeleteEnabled") is True,
    )


def read_time(text: object) -> datetime | None:
    """ARM's time with its seven digits of fraction, in UTC; None when it isn't one.

    ARM has answered with other offsets for the same moment (recorded: ``+08:00``).
    """
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _target(entry: Mapping[str, Any], publishing: Mapping[str, Any]) -> RegionTargetFacts:
    # A region that doesn't say has the profile's count and type (REST reference, GalleryImageVersionPublishingProfile).
    return RegionTargetFacts(
        region=region_name(str(entry.get("name") or "")),
        replicas=entry.get("regionalReplicaCount") or publishing.get("replicaCount") or 1,
        storage=entry.get("storageAccountType") or publishing.get("storageAccountType") or "Standard_LRS",
        excluded=entry.get("excludeFromLatest"),
        kept={name: value for name, value in entry.items() if name not in _SET_BY_US},
    )


def _replication(status: object) -> ReplicationFacts | None:
    if not isinstance(status, Mapping):
        return None
    regions = {
        region_name(str(each.get("region") or "")): RegionReplication(
            RegionState.read(each.get("state")), int(each.get("progress") or 0), str(each.get("details") or "")
        )
        for each in _parts(status, "summary")
    }
    return ReplicationFacts(str(status.get("aggregatedState") or "Unknown"), regions)


def _kept(publishing: Mapping[str, Any], safety: Mapping[str, Any]) -> dict[str, dict[str, object]]:
    kept = {
        "publishingProfile": {name: publishing[name] for name in _KEPT_OF_PUBLISHING if name in publishing},
        "safetyProfile": {name: safety[name] for name in _KEPT_OF_SAFETY if name in safety},
    }
    return {name: values for name, values in kept.items() if values}


def _executed(properties: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return _parts(_part(properties, "validationsProfile"), "executedValidations")


def _validation(each: Mapping[str, Any]) -> ExecutedValidation:
    return ExecutedValidation(
        type=str(each.get("type") or ""),
        status=str(each.get("status") or ""),
        version=str(each.get("version") or ""),
        executed_at=read_time(each.get("executionTime")),
    )


def _violation(each: object) -> str:
    if isinstance(each, Mapping):
        return ": ".join(str(each[name]) for name in ("category", "details") if each.get(name))
    return str(each)


def _disk_source(disk: Mapping[str, Any]) -> str | None:
    # An imported VHD names the blob in ``uri`` and its storage account in ``id`` (recorded: gallery_image_version_vhd).
    source = _part(disk, "source")
    return source.get("uri") or source.get("storageAccountId") or source.get("id")


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def _parts(document: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    found = document.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


# --- writing ----------------------------------------------------------------------------------------------------------


def targets_body(version: VersionFacts, targets: Sequence[RegionTargetFacts], *, excluded: bool) -> dict[str, Any]:
    """The PATCH that sets target regions. ``storageProfile`` is required, and empty in the specification's example."""
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
    """The PUT that starts a copy: hidden as a whole and in every region, tagged with what it is a copy of."""
    return {
        "location": location,
        "tags": {**source.tags, **copy_tags(source)},
        "properties": {
            "publishingProfile": {
                "targetRegions": [{**_entry(target), "excludeFromLatest": True} for target in targets],
                "excludeFromLatest": True,
            },
            "storageProfile": {"source": {"id": str(source.id)}},
            "safetyProfile": {"allowDeletionOfReplicatedLocations": False},
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
