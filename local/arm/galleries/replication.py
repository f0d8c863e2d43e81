"""How a version spreads over its regions: the home region first, then the others, each in its own time.

`resource.sim["regions"][short name]` holds `begun_at`, `done_at` (epoch), `settled_at` (when the write operation no
longer waits for it: a version may say Succeeded while a region still copies, AgentBaker#8373), `fails` (details or
None) and `attempt`. States are derived from these times, so a restart changes nothing.
"""

from typing import Any

from local.arm.galleries.lineage import character, words
from local.arm.kernel import ids, regions
from local.arm.kernel.errors import ArmError
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.routing import Routes
from local.arm.kernel.store import Resource

routes = Routes()

HOME_SECONDS = (240.0, 480.0)
AWAY_SECONDS = (360.0, 840.0)
LAG_SECONDS = (60.0, 600.0)
LAG_SHARE = 0.25
SLOW_FACTOR = 6
FAILURE = "Failed with internal server error."
LARGEST_GB = 2048
"""Images above it are only replicated in mode Shallow (azure-compute-docs, troubleshooting-shared-images.md)."""
TOO_LARGE = (
    "Replication failed in this region due to 'The GalleryImageVersion source resource size {} exceeds the max size {} "
    "supported'"
)


def start(kernel: Kernel, version: Resource, region: str, at: float) -> None:
    """Let a region begin (again) to copy at `at`; others than the home region wait for the home region."""
    known: dict[str, Any] = version.sim.setdefault("regions", {})
    attempts: dict[str, int] = version.sim.setdefault("attempts", {})
    attempts[region] = attempts.get(region, 0) + 1
    home = known.get(version.location)
    is_home = region == version.location
    begun = at if is_home or home is None else max(at, home["done_at"])
    seconds, lag = _dice(kernel, version, region, attempts[region], is_home=is_home)
    fails = _failure(version, region, attempts[region])
    clock = kernel.clock
    done = begun + clock.scaled(seconds * (0.6 if fails else 1))
    settled = max(begun, done - (0 if fails else clock.scaled(lag)))
    known[region] = {"begun_at": begun, "done_at": done, "settled_at": settled, "fails": fails}


def _dice(kernel: Kernel, version: Resource, region: str, attempt: int, *, is_home: bool) -> tuple[float, float]:
    dice = kernel.random("replication", version.id, region, attempt)
    seconds = dice.uniform(*(HOME_SECONDS if is_home else AWAY_SECONDS))
    seconds *= _pace(version)
    lags = not is_home and dice.random() < LAG_SHARE
    return seconds, dice.uniform(*LAG_SECONDS) if lags else 0.0


def _pace(version: Resource) -> float:
    """How many times longer everything takes: `slow` six times, `slow:300` three hundred times (azure-cli#16632)."""
    for word in words(character(version)):
        name, _, factor = word.partition(":")
        if name == "slow":
            return float(factor or SLOW_FACTOR)
    return 1.0


def _failure(version: Resource, region: str, attempt: int) -> str | None:
    size = version.sim.get("disks", {}).get("osDiskImage", {}).get("sizeInGB", 0)
    shallow = version.properties["publishingProfile"].get("replicationMode") == "Shallow"
    if size > LARGEST_GB and not shallow:
        return TOO_LARGE.format(size, LARGEST_GB)
    for word in words(character(version)):
        kind, _, where = word.partition(":")
        if regions.short(where) != region:
            continue
        if kind == "replication-fails" or (kind == "replication-fails-once" and attempt == 1):
            return FAILURE
        if kind == "replication-fails-until-readded" and region not in version.sim.get("readded", ()):
            return FAILURE
    return None


def forget(version: Resource, region: str) -> None:
    """Drop a region; adding it again starts afresh."""
    version.sim["regions"].pop(region, None)
    readded = version.sim.setdefault("readded", [])
    if region not in readded:
        readded.append(region)


def state(entry: dict[str, Any], now: float) -> str:
    """`Replicating`, `Completed` or `Failed`."""
    if now < entry["done_at"]:
        return "Replicating"
    return "Failed" if entry["fails"] else "Completed"


def status(version: Resource, now: float) -> dict[str, Any]:
    """The `replicationStatus` that `$expand=ReplicationStatus` adds; region names are short there (recorded)."""
    summary = [_summary(region, entry, now) for region, entry in version.sim.get("regions", {}).items()]
    states = {one["state"] for one in summary}
    if not states:
        aggregated = "Unknown"
    elif "Replicating" in states or "Unknown" in states:
        aggregated = "InProgress"
    else:
        aggregated = "Failed" if "Failed" in states else "Completed"
    return {"aggregatedState": aggregated, "summary": sorted(summary, key=lambda one: one["region"])}


def _summary(region: str, entry: dict[str, Any], now: float) -> dict[str, Any]:
    if now < entry["begun_at"]:
        return {"region": region, "state": "Unknown", "progress": 0}
    found = state(entry, now)
    if found == "Completed":
        return {"region": region, "state": found, "progress": 100}
    length = max(entry["done_at"] - entry["begun_at"], 1e-9)
    share = min(max((now - entry["begun_at"]) / length, 0), 1)
    if found == "Failed":
        return {"region": region, "state": found, "details": entry["fails"], "progress": 60}
    return {"region": region, "state": found, "progress": min(int(share * 100), 99)}


def failure(version: Resource, now: float) -> ArmError | None:
    """The error that ends a write when regions have failed by `now` (text: azure-cli#15539), or None."""
    failed = {
        region: one["fails"] for region, one in version.sim.get("regions", {}).items() if state(one, now) == "Failed"
    }
    if not failed:
        return None
    listed = ", ".join(f"{{region:{region}, detail:{detail}}}" for region, detail in sorted(failed.items()))
    return ArmError(
        409,
        "ValidationError",
        "Gallery replication jobs failed in one or more regions. The failing regions' details are as follows: "
        f"'{listed}'. If retry does not work, then please do an update by removing the failed regions and update again "
        "by adding them back.",
    )


def replica_ready(kernel: Kernel, version_id: str, region: str, now: float) -> bool:
    """Whether machines can be made from the version in the region. Soft-deleted versions count until their time is
    up.
    """
    found = kernel.store.get(version_id)
    if found is None:
        gone = kernel.store.table("soft_deleted").get(version_id.lower())
        if gone is None or now >= gone["consumption_end"]:
            return False
        found = Resource(gone["document"], gone["sim"])
    elif found.sim.get("deleting"):
        return False
    entry = found.sim.get("regions", {}).get(regions.short(region))
    return entry is not None and state(entry, now) == "Completed"


def not_available(image_id: str, region: str) -> ArmError:
    """The 404 of a machine whose image has no replica where it is made (pulumi#5129, AgentBaker#8373)."""
    return ArmError(
        404,
        "GalleryImageNotFound",
        f"The gallery image {image_id} is not available in {regions.short(region)} region. Please contact image owner "
        "to replicate to this region, or change your requested region.",
        target="imageReference",
    )


def require_replica(kernel: Kernel, image_id: str, region: str, now: float) -> Resource:
    """The version that an `imageReference.id` means in a region, ready there: a version's id, a definition's or
    `…/versions/latest`. Raises the 404 that a machine's creation answers.
    """
    parsed = ids.parse(image_id)
    kind = parsed.kind.lower() if parsed else ""
    if parsed is not None and (kind == "microsoft.compute/galleries/images" or parsed.name.lower() == "latest"):
        definition = parsed if kind == "microsoft.compute/galleries/images" else parsed.parent
        return resolve_latest(kernel, str(definition), region, now)
    if kind != "microsoft.compute/galleries/images/versions" or not replica_ready(kernel, image_id, region, now):
        raise not_available(image_id, region)
    found = kernel.store.get(image_id)
    if found is None:
        gone = kernel.store.table("soft_deleted")[image_id.lower()]
        found = Resource(gone["document"], gone["sim"])
    return found


def resolve_latest(kernel: Kernel, definition_id: str, region: str, now: float) -> Resource:
    """The version that `latest` means in a region: the highest number that is replicated there and not excluded, where
    a region's own `excludeFromLatest` overrides the version's. Raises ArmError 404 when there is none.
    """
    versions = kernel.store.children(definition_id, "Microsoft.Compute/galleries/images/versions")
    for one in sorted(versions, key=lambda one: number(one.name), reverse=True):
        if replica_ready(kernel, one.id, region, now) and not excluded(one, region):
            return one
    raise ArmError(404, "GalleryImageNotFound", f"There is no latest image version exists for {definition_id}.")


def excluded(version: Resource, region: str) -> bool:
    """Whether a version is hidden from `latest` in a region."""
    profile = version.properties.get("publishingProfile", {})
    for target in profile.get("targetRegions", ()):
        if regions.short(target["name"]) == regions.short(region) and target.get("excludeFromLatest") is not None:
            return target["excludeFromLatest"]
    return bool(profile.get("excludeFromLatest"))


def number(name: str) -> tuple[int, ...]:
    """The number that a version's name spells, whatever its leading zeros."""
    return tuple(int(part) for part in name.split("."))
