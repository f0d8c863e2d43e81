"""Target regions against the rings and what regions offer, and Azure's limits with headroom.

Limits of a subscription and region, by "Store and share images in an Azure Compute Gallery" on Microsoft Learn: 100
galleries and 10,000 versions; 100 replicas of a version; disks of 2 TB, or 32 TB with shallow replication. Counted is
what one list shows: galleries of the subscription, and versions of the definition. Definitions, and versions of other
definitions, would take a list for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.domain.facts import VersionFacts
from shared.domain.policy import DefinitionPolicy
from shared.domain.replication import plan_targets
from shared.domain.validation.facts import ValidationFacts
from shared.domain.validation.findings import ValidationFinding, error, finding, warning

GALLERIES: Final = 100
VERSIONS: Final = 10_000
REPLICAS: Final = 100
DISK_GB: Final = 2048
SHALLOW_DISK_GB: Final = 32_767
_ZONE_REDUNDANT: Final = "standard_zrs"


def zone_redundant_regions(version: VersionFacts, policy: DefinitionPolicy) -> tuple[str, ...]:
    """Regions in which the version or a ring uses zone-redundant storage."""
    targets = [(target.region, target.storage) for target in version.targets]
    targets += [(region.name, region.storage) for ring in policy.rings for region in ring.regions]
    return tuple(dict.fromkeys(region for region, storage in targets if storage.casefold() == _ZONE_REDUNDANT))


def target_findings(facts: ValidationFacts, policy: DefinitionPolicy) -> Iterator[ValidationFinding]:
    """The findings on target regions, storage types and replica counts."""
    version = facts.version
    assert version is not None
    wanted = {
        region.name: region for ring in policy.rings if ring.definition == policy.source for region in ring.regions
    }
    extra: list[str] = []
    for target in version.targets:
        ring = wanted.get(target.region)
        if ring is None and target.region != version.location:
            extra.append(target.region)
        if ring is not None and target.storage.casefold() != ring.storage.casefold():
            yield finding(
                "target-storage",
                f"the version is stored as {target.storage} in {target.region}, and the policy says {ring.storage}: "
                "Azure does not change the storage type of a replica",
            )
        if ring is not None and target.replicas > ring.replicas:
            extra.append(f"{target.region} ({target.replicas} replicas, the policy says {ring.replicas})")
    if extra:
        yield finding("target-region-extra", f"the version has replicas that no ring needs: {', '.join(extra)}")
    for region in zone_redundant_regions(version, policy):
        yield from _zones(region, facts)


def _zones(region: str, facts: ValidationFacts) -> Iterator[ValidationFinding]:
    sizes = facts.sizes.get(region)
    if not sizes:
        yield warning("zone-storage", f"it is not known whether {region} has zones for its zone-redundant storage")
    elif not any(size.zones for size in sizes.values()):
        yield error(
            "zone-storage", f"Azure offers no zones in {region}, which Standard_ZRS needs: use Standard_LRS there"
        )


def limit_findings(facts: ValidationFacts, policy: DefinitionPolicy) -> Iterator[ValidationFinding]:
    """The findings on limits that are reached, or soon will be."""
    version, rules = facts.version, policy.validation
    assert version is not None
    if facts.galleries_unread is not None:
        text = f"the galleries of the subscription cannot be listed: {facts.galleries_unread}"
        yield finding("galleries-unread", f"{text}. Grant the app Microsoft.Compute/galleries/read there")
    counts = (
        ("version-limit", "versions of this definition", 1 + len(facts.siblings), VERSIONS),
        ("gallery-limit", "galleries in the subscription and region", facts.galleries or 0, GALLERIES),
    )
    for code, what, count, limit in counts:
        if _is_near(count, limit, rules.headroom):
            yield finding(code, f"there are {count} {what}, and the limit is {limit}")
    yield from _replicas(version, policy)
    yield from _disks(version, rules.headroom)


def _replicas(version: VersionFacts, policy: DefinitionPolicy) -> Iterator[ValidationFinding]:
    """The replicas that the version will have in its own gallery: those of the builder, and those of the rings. The
    policy file's check counts those of the rings alone.
    """
    own = [region for ring in policy.rings if ring.definition == policy.source for region in ring.regions]
    count = sum(target.replicas for target in plan_targets(version, own).targets)
    text = f"the version will have {count} replicas in {policy.source.gallery.name}, and the limit is {REPLICAS}"
    if count > REPLICAS:
        yield error("replica-limit", text)
    elif _is_near(count, REPLICAS, policy.validation.headroom):
        yield warning("replica-limit", text)


def _disks(version: VersionFacts, headroom: int) -> Iterator[ValidationFinding]:
    shallow = (version.replication_mode or "").casefold() == "shallow"
    limit = SHALLOW_DISK_GB if shallow else DISK_GB
    sizes = {"the OS disk": version.os_disk_gb}
    sizes |= {f"data disk {position}": size for position, size in enumerate(version.data_disks_gb)}
    for what, size in sizes.items():
        if size is not None and size <= limit and _is_near(size, limit, headroom):
            yield finding("disk-limit", f"{what} has {size} GiB, and a gallery takes {limit} GiB")


def _is_near(count: int, limit: int, headroom: int) -> bool:
    """Whether less than the share of headroom (per cent) is left below a limit."""
    return (limit - count) * 100 < limit * headroom
