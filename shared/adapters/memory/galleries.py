"""Compute galleries in memory, as a model of Azure's behavior.

* A write starts an operation. Until it ends, the version is Creating or Updating, and another write is a Conflict.
* Each region replicates independently, for the time in its ``Replication``, and may fail. If a region failed, the
  version is Failed when the operation ends. Another write of the targets starts failed regions again.
* Flags take effect immediately. Requests that Azure never accepts are Refused with Azure's code: a list without the
  home region, duplicate regions, another storage type, or removal of a complete replica.

There is no background work: every state is computed from the clock, which is an argument.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.common.copies import check_allowed, check_same_copy, copy_tags
from shared.domain.facts import (
    DefinitionFacts,
    GalleryFacts,
    ProvisioningState,
    RegionReplication,
    RegionState,
    RegionTargetFacts,
    ReplicationFacts,
    SourceFacts,
    SourceKind,
    VersionFacts,
)
from shared.domain.image import DefinitionId, GalleryId, InvalidId, VersionId, VersionNumber
from shared.ports import Conflict, Refused

UPDATE_TIME: Final = timedelta(seconds=30)
"""Duration of a write that replicates nothing."""


@dataclass(frozen=True, slots=True)
class Replication:
    """The replication of a region: its duration, and Azure's error message if it fails."""

    takes: timedelta = timedelta(minutes=5)
    fails: str | None = None


type ReplicationPlan = Callable[[VersionId, str, int], Replication]
"""(version, region, attempt counted from 1) -> replication."""


@dataclass(slots=True)
class _Replica:
    begun: datetime
    ends: datetime
    fails: str | None

    def status(self, now: datetime) -> RegionReplication:
        if now >= self.ends:
            if self.fails is not None:
                return RegionReplication(RegionState.FAILED, 60, self.fails)
            return RegionReplication(RegionState.COMPLETED, 100)
        share = (now - self.begun) / max(self.ends - self.begun, timedelta(microseconds=1))
        return RegionReplication(RegionState.REPLICATING, min(int(share * 100), 99))


@dataclass(slots=True)
class _Version:
    facts: VersionFacts
    operation: ProvisioningState
    busy_until: datetime
    replicas: dict[str, _Replica] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    settled: VersionFacts | None = None
    """The version with its replication after all operations ended. Cached, because lists are read often."""
    settled_plain: VersionFacts | None = None


class MemoryGalleries:
    """``Galleries`` in memory."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        allowed: frozenset[str],
        *,
        replication: ReplicationPlan = lambda *_: Replication(),
        on_call: Callable[[str], None] = lambda _: None,
        on_write: Callable[[VersionId], None] = lambda _: None,
    ) -> None:
        """``on_call`` is called with the name of every port method before it runs, and may raise a port error;
        ``on_write`` with every version that the port's own methods write.
        """
        self._on_write = on_write
        self._clock = clock
        self._allowed = allowed
        self._plan = replication
        self._on_call = on_call
        self._galleries: dict[GalleryId, GalleryFacts] = {}
        self._definitions: dict[DefinitionId, DefinitionFacts] = {}
        self._versions: dict[DefinitionId, dict[VersionNumber, _Version]] = {}
        self._sources: dict[str, SourceFacts] = {}
        self._removed: dict[VersionId, _Version] = {}
        self._hidden: set[GalleryId] = set()

    # --- setup of a test or simulation

    def add_gallery(self, gallery: GalleryFacts) -> None:
        """Add a gallery."""
        self._galleries[gallery.id] = gallery

    def add_definition(self, definition: DefinitionFacts) -> None:
        """Add an image definition."""
        self._definitions[definition.id] = definition

    def add_source(self, source: SourceFacts) -> None:
        """Add a managed image, machine, disk or snapshot as a source of versions."""
        self._sources[source.id.lower()] = source

    def build(self, facts: VersionFacts, *, settled: bool = False) -> VersionFacts:
        """Create a version now, as an image builder does. ``settled`` completes its replication at once.

        Provisioning state, publication date and replication of ``facts`` are ignored: the service sets them.
        """
        now = self._clock()
        made = replace(facts, provisioning_state=ProvisioningState.CREATING, published_at=now, replication=None)
        version = _Version(made, ProvisioningState.CREATING, now if settled else now + UPDATE_TIME)
        for region in made.regions:
            if settled:
                version.replicas[region] = _Replica(now, now, None)
                version.attempts[region] = 1
            else:
                self._replicate(version, region, now)
        self._versions.setdefault(facts.id.definition, {})[facts.id.number] = version
        return self._seen(version, now, replication=False)

    def remove(self, version: VersionId) -> None:
        """Delete a version. Its number can be used again."""
        removed = self._versions.get(version.definition, {}).pop(version.number, None)
        if removed is not None:
            self._removed[version] = removed

    def restore(self, version: VersionId) -> None:
        """Restore a soft-deleted version: the same incarnation, with its replicas."""
        self._versions[version.definition][version.number] = self._removed.pop(version)

    def hide(self, gallery: GalleryId) -> None:
        """Make a gallery, or its resource group, and everything in it not found."""
        self._hidden.add(gallery)

    def show(self, gallery: GalleryId) -> None:
        """Make the gallery found again."""
        self._hidden.discard(gallery)

    def resolve_latest(self, definition: DefinitionId, region: str) -> VersionNumber | None:
        """The version that Azure deploys in a region when no version is specified."""
        now = self._clock()
        found = [
            number
            for number, version in self._versions.get(definition, {}).items()
            if version.facts.visible_in(region) and self._is_complete(version, region, now)
        ]
        return max(found, default=None)

    def replica_ready(self, version: VersionId, region: str) -> bool:
        """Whether machines can be created from a version in a region."""
        found = self._find(version)
        return found is not None and self._is_complete(found, region, self._clock())

    def definition_of(self, version: VersionId) -> DefinitionFacts | None:
        """The definition of a version."""
        return self._definitions.get(version.definition)

    # --- the port -----------------------------------------------------------------------------------------------------

    async def version(self, version: VersionId, *, replication: bool = False) -> VersionFacts | None:
        self._on_call("version")
        found = None if version.definition.gallery in self._hidden else self._find(version)
        return None if found is None else self._seen(found, self._clock(), replication=replication)

    async def versions(self, definition: DefinitionId) -> Sequence[VersionFacts]:
        self._on_call("versions")
        now = self._clock()
        if definition.gallery in self._hidden:
            return []
        return [self._seen(each, now, replication=False) for each in self._versions.get(definition, {}).values()]

    async def definition(self, definition: DefinitionId) -> DefinitionFacts | None:
        self._on_call("definition")
        return None if definition.gallery in self._hidden else self._definitions.get(definition)

    async def gallery(self, gallery: GalleryId) -> GalleryFacts | None:
        self._on_call("gallery")
        return None if gallery in self._hidden else self._galleries.get(gallery)

    async def gallery_counts(self, subscription: str) -> Mapping[str, int]:
        self._on_call("gallery_counts")
        return Counter(each.location for each in self._galleries.values() if each.id.subscription == subscription)

    async def source(self, version: VersionFacts) -> SourceFacts | None:
        self._on_call("source")
        disk = version.disk_source_ids[0] if version.disk_source_ids else None
        name = version.source_id or version.source_vm_id or version.source_community_id or disk
        if name is None:
            return None
        return self._sources.get(name.lower()) or self._version_as_source(name) or SourceFacts(SourceKind.GONE, name)

    async def write_targets(
        self, version: VersionFacts, targets: Sequence[RegionTargetFacts], *, excluded: bool
    ) -> None:
        check_allowed(version.id, self._allowed)
        self._on_call("write_targets")
        now = self._clock()
        found = self._find(version.id)
        if found is None:
            raise Refused("ResourceNotFound", f"{version.id.short} was not found", 404)
        if now < found.busy_until:
            raise Conflict(f"{version.id.short} is being updated: conflict with a concurrent request")
        self._check(found, targets, now)
        stays = {target.region for target in targets}
        found.replicas = {region: replica for region, replica in found.replicas.items() if region in stays}
        found.facts = replace(found.facts, targets=tuple(targets), excluded=excluded)
        found.operation, found.busy_until = ProvisioningState.UPDATING, now + UPDATE_TIME
        found.settled = found.settled_plain = None
        for target in targets:
            replica = found.replicas.get(target.region)
            if replica is None or replica.status(now).state is RegionState.FAILED:
                self._replicate(found, target.region, now)
        self._on_write(version.id)

    async def copy_version(
        self, source: VersionFacts, target: VersionId, *, location: str, targets: Sequence[RegionTargetFacts]
    ) -> None:
        check_allowed(target, self._allowed)
        self._on_call("copy_version")
        present = self._find(target)
        if present is not None:
            check_same_copy(present.facts, source)
            return
        if target.definition not in self._definitions:
            raise Refused("ParentResourceNotFound", f"image definition {target.definition} was not found", 404)
        if self._find(source.id) is None:
            raise Refused("GalleryImageNotFound", f"{source.id.short} was not found", 404)
        _check_list(targets, location)
        self.build(
            VersionFacts(
                target,
                ProvisioningState.CREATING,
                location,
                source_id=str(source.id),
                targets=tuple(replace(entry, excluded=True) for entry in targets),
                excluded=True,
                os_disk_gb=source.os_disk_gb,
                data_disks_gb=source.data_disks_gb,
                tags={**source.tags, **copy_tags(source)},
            )
        )
        self._on_write(target)

    # --- the service --------------------------------------------------------------------------------------------------

    def _find(self, version: VersionId) -> _Version | None:
        return self._versions.get(version.definition, {}).get(version.number)

    def _replicate(self, version: _Version, region: str, now: datetime) -> None:
        attempt = version.attempts.get(region, 0) + 1
        version.attempts[region] = attempt
        goes = self._plan(version.facts.id, region, attempt)
        version.replicas[region] = _Replica(now, now + goes.takes, goes.fails)
        version.busy_until = max(version.busy_until, now + goes.takes)

    def _seen(self, version: _Version, now: datetime, *, replication: bool) -> VersionFacts:
        if now < version.busy_until:
            return self._moving(version, now, replication=replication)
        if version.settled is None:
            statuses = {region: replica.status(now) for region, replica in version.replicas.items()}
            failed = any(status.state is RegionState.FAILED for status in statuses.values())
            state = ProvisioningState.FAILED if failed else ProvisioningState.SUCCEEDED
            version.settled_plain = replace(version.facts, provisioning_state=state, replication=None)
            version.settled = replace(version.settled_plain, replication=_status(statuses))
        seen = version.settled if replication else version.settled_plain
        return seen or version.settled

    def _moving(self, version: _Version, now: datetime, *, replication: bool) -> VersionFacts:
        statuses = {region: replica.status(now) for region, replica in version.replicas.items()} if replication else {}
        return replace(
            version.facts,
            provisioning_state=version.operation,
            replication=_status(statuses) if replication else None,
        )

    def _is_complete(self, version: _Version, region: str, now: datetime) -> bool:
        replica = version.replicas.get(region)
        creating = version.operation is ProvisioningState.CREATING and now < version.busy_until
        return replica is not None and not creating and replica.status(now).state is RegionState.COMPLETED

    def _check(self, version: _Version, targets: Sequence[RegionTargetFacts], now: datetime) -> None:
        _check_list(targets, version.facts.location)
        before = {target.region: target for target in version.facts.targets}
        for target in targets:
            was = before.get(target.region)
            if was is not None and was.storage.lower() != target.storage.lower():
                message = "Changing property 'targetRegions.storageAccountType' is not allowed."
                raise Refused("PropertyChangeNotAllowed", message, 409)
        for region, replica in version.replicas.items():
            if all(target.region != region for target in targets):
                _check_removal(version.facts.id, region, replica, now)

    def _version_as_source(self, name: str) -> SourceFacts | None:
        try:
            version = VersionId.parse(name)
        except InvalidId:
            return None
        found, definition = self._find(version), self._definitions.get(version.definition)
        if found is None or definition is None:
            return None
        return SourceFacts(
            SourceKind.GALLERY_VERSION,
            name,
            definition.os_type,
            definition.os_state,
            definition.hyper_v_generation,
            definition.architecture,
        )


def _check_list(targets: Sequence[RegionTargetFacts], home: str) -> None:
    regions = [target.region for target in targets]
    if len(regions) != len(set(regions)):
        raise Refused("InvalidParameter", "Duplicate regions are not allowed in target publishing regions.", 400)
    if home not in regions:
        message = (
            f"publishing profile regions <{', '.join(regions)}> must contain the location of image version <{home}>"
        )
        raise Refused("InvalidParameter", f"Gallery image version {message}.", 400)
    if any(target.replicas < 1 for target in targets):
        raise Refused("InvalidParameter", "The value of 'regionalReplicaCount' must be between 1 and 100.", 400)


def _check_removal(version: VersionId, region: str, replica: _Replica, now: datetime) -> None:
    if replica.status(now).state is RegionState.COMPLETED:
        message = f"Removing the replicated region '{region}' from {version.short} is not allowed"
        raise Refused("OperationNotAllowed", f"{message}: 'allowDeletionOfReplicatedLocations' is false.", 409)


def _status(regions: Mapping[str, RegionReplication]) -> ReplicationFacts:
    return ReplicationFacts(regions)
