"""Azure Compute Galleries through ``azure-mgmt-compute``.

Writes do not wait for completion: the stages read the resource later. The SDK's ``begin_update`` accepts only status
200, which is what ARM returns for PATCH; PUT may return 200, 201 or 202.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from shared.adapters.azure.arm_errors import translate_arm_errors
from shared.adapters.azure.arm_fields import document, text
from shared.adapters.azure.gallery_facts import (
    copy_body,
    read_definition,
    read_gallery,
    read_version,
    targets_body,
)
from shared.adapters.azure.source_facts import read_source
from shared.adapters.common.copies import check_allowed, check_same_copy
from shared.domain.facts import DefinitionFacts, GalleryFacts, RegionTargetFacts, SourceFacts, VersionFacts
from shared.domain.image import DefinitionId, GalleryId, InvalidId, VersionId, VersionNumber, region_name
from shared.ports import Refused, Unavailable

if TYPE_CHECKING:
    from shared.adapters.azure.arm import Arm

_COUNTED_FOR: Final = timedelta(hours=1)
_OUTSIDE: Final = {"subscriptionnotfound", "invalidsubscriptionid", "resourcegroupnotfound"}


class AzureGalleries:
    """``Galleries`` on Azure. Writes only to the galleries in ``allowed`` (canonical ids)."""

    def __init__(self, arm: Arm, allowed: frozenset[str], monotonic: Callable[[], float] = time.monotonic) -> None:
        """``allowed`` holds the galleries that the policy names: ``Policy.galleries_written``. ``monotonic`` returns
        seconds, and decides when galleries are counted again.
        """
        self._arm = arm
        self._allowed = allowed
        self._monotonic = monotonic
        self._counts: dict[str, tuple[float, Mapping[str, int]]] = {}
        self._counting = asyncio.Lock()

    async def version(self, version: VersionId, *, replication: bool = False) -> VersionFacts | None:
        operations = self._compute(version.definition.gallery).gallery_image_versions
        expand = "ReplicationStatus" if replication else None
        found = await _read(f"read {version.short}", operations.get(*_path(version), expand=expand))
        return None if found is None else read_version(found, version)

    async def versions(self, definition: DefinitionId) -> Sequence[VersionFacts]:
        operations = self._compute(definition.gallery).gallery_image_versions
        what = f"list versions of {definition.gallery.name}/{definition.name}"
        try:
            with translate_arm_errors(what):
                paged = operations.list_by_gallery_image(*_definition_path(definition))
                return [read_version(listed, _listed(definition, listed)) async for listed in self._items(paged, what)]
        except Refused as refused:
            if not _is_not_found(refused, what):
                raise
            return []

    async def definition(self, definition: DefinitionId) -> DefinitionFacts | None:
        operations = self._compute(definition.gallery).gallery_images
        what = f"read {definition.gallery.name}/{definition.name}"
        found = await _read(what, operations.get(*_definition_path(definition)))
        return None if found is None else read_definition(found, definition)

    async def gallery(self, gallery: GalleryId) -> GalleryFacts | None:
        operations = self._compute(gallery).galleries
        found = await _read(f"read gallery {gallery.name}", operations.get(gallery.resource_group, gallery.name))
        return None if found is None else read_gallery(found, gallery)

    async def gallery_counts(self, subscription: str) -> Mapping[str, int]:
        async with self._counting:  # many hops ask at the same time
            known = self._counts.get(subscription)
            if known is not None and self._monotonic() < known[0]:
                return known[1]
            operations, what = self._arm.compute(subscription).galleries, f"list galleries of {subscription}"
            with translate_arm_errors(what):
                found = Counter(
                    [region_name(text(each.get("location"))) async for each in self._items(operations.list(), what)]
                )
            self._counts[subscription] = (self._monotonic() + _COUNTED_FOR.total_seconds(), found)
            return found

    async def source(self, version: VersionFacts) -> SourceFacts | None:
        return await read_source(self._arm, version)

    async def write_targets(
        self, version: VersionFacts, targets: Sequence[RegionTargetFacts], *, excluded: bool
    ) -> None:
        check_allowed(version.id, self._allowed)
        operations = self._compute(version.id.definition.gallery).gallery_image_versions
        body: Any = targets_body(version, targets, excluded=excluded)
        with translate_arm_errors(f"write target regions of {version.id.short}"):
            await operations.begin_update(*_path(version.id), body, polling=False)

    async def copy_version(
        self, source: VersionFacts, target: VersionId, *, location: str, targets: Sequence[RegionTargetFacts]
    ) -> None:
        check_allowed(target, self._allowed)
        present = await self.version(target)
        if present is not None:
            # A PUT on an existing version would replace its target regions, and could remove some.
            check_same_copy(present, source)
            return
        operations = self._compute(target.definition.gallery).gallery_image_versions
        body: Any = copy_body(source, location=location, targets=targets)
        with translate_arm_errors(f"copy {source.id.short} to {target.short}"):
            await operations.begin_create_or_update(*_path(target), body, polling=False)

    async def _items(self, paged: Any, what: str) -> AsyncIterator[dict[str, Any]]:
        """Iterate over the items of an SDK list. The SDK itself follows any next link; here each link is checked."""
        pages, seen = paged.by_page(), set[str]()
        while (page := await _next_page(pages, what)) is not None:
            async for item in page:
                yield document(item, what)
            if pages.continuation_token:
                self._arm.check_next(str(pages.continuation_token), seen, what)

    def _compute(self, gallery: GalleryId) -> Any:
        return self._arm.compute(gallery.subscription)


async def _next_page(pages: Any, what: str) -> Any | None:
    try:
        return await anext(pages, None)
    except (AttributeError, TypeError) as error:
        # The SDK assumes that a page is an object with a list (azure-mgmt-compute 39).
        raise Unavailable(f"{what}: ARM returned an invalid list") from error


async def _read(what: str, call: Awaitable[Any]) -> dict[str, Any] | None:
    try:
        with translate_arm_errors(what):
            return document(await call, what)
    except Refused as refused:
        if _is_not_found(refused, what):
            return None
        raise


def _is_not_found(refused: Refused, what: str) -> bool:
    """Whether ARM says that the resource is not there. Raises Unavailable where it does not find what it is in.

    ARM's common error codes: SubscriptionNotFound and ResourceGroupNotFound say nothing of a resource. They come while
    a subscription moves between tenants or is disabled, and while a group is deleted or its region is out of reach.
    """
    if refused.status == 404 and refused.code.lower() in _OUTSIDE:
        raise Unavailable(f"{what}: {refused}") from refused
    return refused.status == 404


def _definition_path(definition: DefinitionId) -> tuple[str, str, str]:
    return definition.gallery.resource_group, definition.gallery.name, definition.name


def _path(version: VersionId) -> tuple[str, str, str, str]:
    return (*_definition_path(version.definition), str(version.number))


def _listed(definition: DefinitionId, listed: dict[str, Any]) -> VersionId:
    """The version that a list names. Raises Unavailable where it can't be read.

    ARM might resolve ``latest`` to it. Without it no prediction and no read-back would be worth anything.
    """
    name = str(listed.get("name") or "")
    try:
        return definition.version(VersionNumber.parse(name))
    except InvalidId as error:
        where = f"{definition.gallery.name}/{definition.name}"
        raise Unavailable(f"{where} lists a version that cannot be read: {error}") from error
