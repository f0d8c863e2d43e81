"""The publishing profile of a version: regions, replicas, storage, `latest`, end of life. Checked, completed,
merged.
"""

import copy
from typing import Any

from local.arm.galleries import replication, rules
from local.arm.galleries.definitions import check_end_of_life
from local.arm.kernel import regions
from local.arm.kernel.conventions import spelled
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.store import Resource

_PROFILE = "galleryImageVersion.properties.publishingProfile"
_STORAGE = ("Standard_LRS", "Standard_ZRS", "Premium_LRS", "PremiumV2_LRS")
_EDGE_STORAGE = ("Standard_LRS", "Standard_ZRS", "StandardSSD_LRS", "Premium_LRS")
_MAX_REPLICAS = 100
_DAY = 86400.0
_REGION_KEYS = ("excludeFromLatest", "encryption", "additionalReplicaSets")


def build(given: dict[str, Any], stored: dict[str, Any], *, home: str, now: float, replace: bool) -> dict[str, Any]:
    """A checked and completed profile from what is given and what is stored (empty for a new version).

    `replace` is PUT: what is not given falls back to its default; else (PATCH) to what is stored. Regions that are
    given are always the full list. `publishedDate` is set once.
    """
    base = {} if replace else stored
    count = _replicas(given.get("replicaCount", base.get("replicaCount", 1)), f"{_PROFILE}.replicaCount")
    kind = _storage(given.get("storageAccountType") or stored.get("storageAccountType") or "Standard_LRS", home)
    if stored and kind != stored["storageAccountType"]:
        raise rules.property_change(f"{_PROFILE}.storageAccountType")
    wanted = given.get("targetRegions")
    if wanted is None:
        wanted = stored.get("targetRegions") or [{"name": home}]
    profile: dict[str, Any] = {
        "targetRegions": _regions(wanted, stored.get("targetRegions", []), count, kind, home),
        "replicaCount": count,
        "excludeFromLatest": bool(given.get("excludeFromLatest", base.get("excludeFromLatest", False))),
        "publishedDate": stored.get("publishedDate"),
    }
    if end := given.get("endOfLifeDate", base.get("endOfLifeDate")):
        if end != stored.get("endOfLifeDate"):  # today is taken: so a version that blocks its deletion is released
            check_end_of_life(end, now - now % _DAY - 1, f"{_PROFILE}.endOfLifeDate")
        profile["endOfLifeDate"] = end
    profile["storageAccountType"] = kind
    zones = given.get("targetExtendedLocations", base.get("targetExtendedLocations"))
    if zones:
        profile["targetExtendedLocations"] = _edge_zones(zones, count)
    mode = spelled(given.get("replicationMode"), "Full", "Shallow") or stored.get("replicationMode")
    if stored and mode != stored.get("replicationMode"):
        raise rules.property_change(f"{_PROFILE}.replicationMode")
    _check_mode(mode, profile, home)
    return profile | ({"replicationMode": mode} if mode else {})


def _check_mode(mode: str | None, profile: dict[str, Any], home: str) -> None:
    """A shallow version copies nothing: it is in the source's region alone, once ("Shallow replication" on Microsoft
    Learn; the limits are those of packer-plugin-azure#337 and #383).
    """
    target = f"{_PROFILE}.replicationMode"
    if mode not in (None, "Full", "Shallow"):
        raise bad_parameter(f"The value '{mode}' of parameter '{target}' is invalid.", target)
    if mode != "Shallow":
        return
    if region_names(profile) != [home]:
        raise bad_parameter(
            f"Gallery image versions with replication mode 'Shallow' can only be in the location <{home}> of their "
            "source.",
            f"{_PROFILE}.targetRegions",
        )
    if profile["targetRegions"][0]["regionalReplicaCount"] != 1:
        raise bad_parameter(
            "The replica count of gallery image versions with replication mode 'Shallow' must be 1.",
            f"{_PROFILE}.targetRegions.regionalReplicaCount",
        )


def _regions(wanted: Any, stored: list[dict[str, Any]], count: int, kind: str, home: str) -> list[dict[str, Any]]:
    target = f"{_PROFILE}.targetRegions"
    if not isinstance(wanted, list) or not all(isinstance(one, dict) and one.get("name") for one in wanted):
        raise bad_parameter(f"Required parameter '{target}.name' is missing (null).", target)
    names = [regions.short(one["name"]) for one in wanted]
    for one in wanted:
        if not regions.is_known(one["name"]):
            raise bad_parameter(f"The target publishing region '{one['name']}' is not a known region.", target)
    if len(set(names)) != len(names):
        raise bad_parameter("Duplicate regions are not allowed in target publishing regions.", target)
    if home not in names:
        raise bad_parameter(
            f"Gallery image version publishing profile regions <{', '.join(names)}> must contain the location of image "
            f"version <{home}>.",
            target,
        )
    before = {regions.short(one["name"]): one for one in stored}
    return [_region(one, before.get(name), count, kind) for one, name in zip(wanted, names, strict=True)]


def _region(given: dict[str, Any], before: dict[str, Any] | None, count: int, kind: str) -> dict[str, Any]:
    name = regions.short(given["name"])
    chosen = given.get("storageAccountType") or (before or {}).get("storageAccountType") or kind
    if before is not None and chosen != before["storageAccountType"]:
        raise rules.property_change(f"{_PROFILE}.targetRegions.storageAccountType")
    replicas = given.get("regionalReplicaCount")
    made: dict[str, Any] = {
        "name": regions.display(name),
        "regionalReplicaCount": _replicas(
            count if replicas is None else replicas, f"{_PROFILE}.targetRegions.regionalReplicaCount"
        ),
        "storageAccountType": _storage(chosen, name),
    }
    made |= {key: copy.deepcopy(given[key]) for key in _REGION_KEYS if given.get(key) is not None}
    if disk := made.get("encryption", {}).get("osDiskImage"):
        disk.setdefault("securityProfile", {})  # recorded
    return made


def _edge_zones(given: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """`targetExtendedLocations` as ARM shows them: display names, and storage names cased as documented."""
    if not all(one.get("name") for one in given):
        raise bad_parameter(f"Required parameter '{_PROFILE}.targetExtendedLocations.name' is missing (null).")
    kinds = {kind.lower(): kind for kind in _EDGE_STORAGE}
    return [
        {
            "extendedLocation": dict(one.get("extendedLocation") or {}),
            "name": regions.display(one["name"]),
            "extendedLocationReplicaCount": one.get("extendedLocationReplicaCount", count),
            "storageAccountType": kinds.get(one.get("storageAccountType", "").lower(), "StandardSSD_LRS"),
        }
        for one in given
    ]


def _replicas(given: Any, target: str) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= _MAX_REPLICAS:
        raise bad_parameter(f"The value '{given}' of '{target}' must be between 1 and {_MAX_REPLICAS}.", target)
    return given


def _storage(given: str, region: str) -> str:
    for known in _STORAGE:
        if known.lower() == given.lower():
            if known.endswith("ZRS") and region in regions.NO_ZONES:
                raise bad_parameter(
                    f"The storage account type '{known}' is not supported in region '{region}'.",
                    f"{_PROFILE}.storageAccountType",
                )
            return known
    raise bad_parameter(f"The storage account type '{given}' is invalid.", f"{_PROFILE}.storageAccountType")


def region_names(profile: dict[str, Any]) -> list[str]:
    """The short names of a profile's regions, in its order."""
    return [regions.short(one["name"]) for one in profile["targetRegions"]]


def check_removal(version: Resource, wanted: list[str], now: float, *, allowed: bool) -> list[str]:
    """The regions that a write removes. Those with a finished replica may go only when the safety profile says so."""
    gone = [name for name in version.sim.get("regions", {}) if name not in wanted]
    held = [name for name in gone if replication.state(version.sim["regions"][name], now) == "Completed"]
    if held and not allowed:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Removing the replicated regions '{', '.join(held)}' from the gallery image version '{version.name}' is "
            "not allowed because 'safetyProfile.allowDeletionOfReplicatedLocations' is false.",
            target="galleryImageVersion.properties.safetyProfile.allowDeletionOfReplicatedLocations",
        )
    return gone
