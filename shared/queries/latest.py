"""What each kind of consumer would get as the latest version of a definition. Asks; writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.domain.facts import VersionFacts
from shared.domain.image import DefinitionId, region_names
from shared.domain.latest import latest_in
from shared.domain.latest_readers import LatestReaders, latest_readers
from shared.domain.policy import DefinitionPolicy
from shared.gallery.revocation_scope import definitions_of
from shared.ports import World


def policy_named(name: str, world: World) -> DefinitionPolicy | None:
    """The policy of the definition with this name in Ringmaster, or this resource id."""
    found = (each for each in world.policy.definitions.values() if name.lower() in {each.name, str(each.source)})
    return next(found, None)


async def latest_table(policy: DefinitionPolicy, world: World) -> dict[str, Any]:
    """Return one table for each image definition that the rings publish in."""
    tables: list[dict[str, Any]] = []
    for definition in reversed(definitions_of(policy)):
        regions = regions_of(policy, definition)
        found = latest_readers(await versions_with_candidates(definition, regions, world), regions)
        tables.append(_table(definition, policy, found))
    return {"name": policy.name, "definitions": tables}


def regions_of(policy: DefinitionPolicy, definition: DefinitionId) -> tuple[str, ...]:
    """The regions of the rings that publish in an image definition."""
    return region_names(
        region for ring in policy.rings if ring.definition == definition for region in ring.region_names
    )


async def versions_with_candidates(
    definition: DefinitionId, regions: Sequence[str], world: World
) -> Sequence[VersionFacts]:
    """The versions of a definition, with the replication of those that could be ``latest``.

    A list has no replication. Each candidate that turns out not to be replicated leaves its place to the next one, so
    the last answers are what ARM resolves.
    """
    versions = {each.id.number: each for each in await world.galleries.versions(definition)}
    places = region_names((*regions, *(region for each in versions.values() for region in each.regions)))
    while True:
        resolved = {latest_in(tuple(versions.values()), region) for region in places} - {None}
        unread = [number for number in resolved if number is not None and versions[number].replication is None]
        if not unread:
            return tuple(versions.values())
        for number in unread:
            facts = await world.galleries.version(definition.version(number), replication=True)
            if facts is None:
                del versions[number]
            elif facts.replication is None:
                return tuple(versions.values())
            else:
                versions[number] = facts


def _table(definition: DefinitionId, policy: DefinitionPolicy, found: LatestReaders) -> dict[str, Any]:
    rings = {
        region: ring.name for ring in policy.rings if ring.definition == definition for region in ring.region_names
    }
    return {
        "definition": str(definition),
        "gallery": definition.gallery.name,
        "regions": [
            {
                "region": region,
                "ring": rings.get(region),
                "arm": _text(number),
                "scaleSetUpgrades": _text(number),
                "newestDate": _text(found.newest),
                "highestNumber": _text(found.highest),
                "ownFlag": _text(found.own_flag),
            }
            for region, number in found.regions.items()
        ],
        "warnings": list(found.warnings),
    }


def _text(number: object) -> str | None:
    return None if number is None else str(number)
