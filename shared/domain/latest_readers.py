"""What each kind of consumer takes for the latest version of a definition, and where they differ.

* A machine or a scale set that names the image definition gets what ARM resolves in its region (``latest_in``). So does
  a scale set with automatic OS upgrades ("Automatic OS image upgrades": the latest version that is not excluded).
* Tools that sort by date take the newest ``publishedDate``, whatever is excluded: ``name = "recent"`` of the azurerm
  data source (hashicorp/terraform-provider-azurerm, ``shared_image_version_data_source.go``).
* Tools that sort by number take the highest one, whatever is excluded: ``name = "latest"`` with
  ``sort_versions_by_semver`` of earlier azurerm providers, and scripts over ``az sig image-version list``.
* Tools that ask the gallery without a region know the version's own flag alone: the highest number that is not
  excluded by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.domain.facts import RegionState, VersionFacts
from shared.domain.image import VersionNumber, region_names
from shared.domain.latest import RESOLVABLE, latest_in

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LatestReaders:
    """What each kind of consumer gets; None for nothing."""

    regions: Mapping[str, VersionNumber | None]
    """What ARM resolves, by region: machines, scale sets, and automatic OS upgrades."""
    newest: VersionNumber | None
    """By ``publishedDate``."""
    highest: VersionNumber | None
    own_flag: VersionNumber | None
    """The highest number that its own flag does not exclude."""
    warnings: tuple[str, ...] = ()
    """Where they differ, and why."""


def latest_readers(versions: Sequence[VersionFacts], regions: Sequence[str]) -> LatestReaders:
    """What each kind of consumer of these versions gets, in these regions and wherever one of them is."""
    every = region_names((*regions, *(region for version in versions for region in version.regions)))
    resolved = {region: latest_in(versions, region) for region in every}
    newest = max(versions, key=lambda each: each.published_at or _NEVER, default=None)
    found = LatestReaders(
        regions=resolved,
        newest=newest.id.number if newest and newest.published_at else None,
        highest=max((each.id.number for each in versions), default=None),
        own_flag=max((each.id.number for each in versions if not each.excluded), default=None),
    )
    return LatestReaders(
        found.regions, found.newest, found.highest, found.own_flag, tuple(_differences(versions, found))
    )


def overtaken_by_date(versions: Sequence[VersionFacts], version: VersionFacts) -> VersionNumber | None:
    """A visible version with a later ``publishedDate`` and a lower number: consumers that sort by date take that."""
    dated = (each for each in versions if any(each.visible_in(region) for region in each.regions))
    later = [each for each in dated if (each.published_at or _NEVER) > (version.published_at or _NEVER)]
    older = [each for each in later if each.id.number < version.id.number]
    return max(older, key=lambda each: each.published_at or _NEVER).id.number if older else None


def why_not_latest(version: VersionFacts, region: str) -> str:
    """Why ARM does not take this version in a region; empty if nothing but a higher number is in its way."""
    if region not in version.regions:
        return "it has no replica there"
    if version.provisioning_state not in RESOLVABLE:
        return f"its provisioning state is {version.provisioning_state.value}"
    if not version.visible_in(region):
        own = next(target.excluded for target in version.targets if target.region == region)
        return f"it is excluded from latest {'there' if own else 'as a whole'}"
    status = version.replication.regions.get(region) if version.replication else None
    if version.replication is not None and (status is None or status.state is not RegionState.COMPLETED):
        return f"its replication there is {status.state.value if status else 'not reported'}"
    return ""


def _differences(versions: Sequence[VersionFacts], found: LatestReaders) -> Iterator[str]:
    by_number = {each.id.number: each for each in versions}
    others = (
        ("the newest published date", found.newest),
        ("the highest number", found.highest),
        ("the version's own flag", found.own_flag),
    )
    for words, number in others:
        reasons: dict[str, list[str]] = {}
        for region, resolved in found.regions.items():
            if number is not None and number != resolved:
                why = why_not_latest(by_number[number], region) or f"{resolved} is higher"
                reasons.setdefault(f"{resolved or 'nothing'}, because {why}", []).append(region)
        for text, regions in reasons.items():
            yield f"consumers that go by {words} take {number}; in {', '.join(regions)} ARM takes {text}"
        if number is None and any(found.regions.values()):
            yield f"consumers that go by {words} find no version"
