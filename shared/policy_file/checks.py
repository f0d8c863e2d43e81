"""Comparisons between the parts of a policy: what no single value can show.

They work on a sketch that is drawn from the raw document as far as it can be read, so that a misspelt key in one place
does not hide two rings that overlap in another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from shared.domain.image import DefinitionId, GalleryId, InvalidId, region_name
from shared.domain.scan_formats import SCAN_FORMATS
from shared.policy_file.policy_faults import Fault, Path, Places

MAX_REPLICAS: Final = 100
"""Replicas of one image version over all its regions (Compute Gallery's limit)."""


@dataclass(frozen=True, slots=True)
class _Ring:
    path: Path
    name: str | None
    target: DefinitionId | None
    regions: tuple[tuple[Path, str, int], ...]
    """Path, short name, replicas."""


@dataclass(frozen=True, slots=True)
class _Definition:
    path: Path
    name: str | None
    source: DefinitionId | None
    rings: tuple[_Ring, ...]


def compare(data: Any, places: Places) -> list[Fault]:
    """Faults between the parts of the document."""
    definitions = [_definition(raw, ("definitions", index)) for index, raw in _items(data, "definitions")]
    found: list[tuple[Path, str]] = [
        *_twice(definitions),
        *_targets(definitions),
        *(fault for definition in definitions for fault in _rings(definition)),
        *_test(data, definitions),
        *_exceptions(data),
        *_required(data),
        *_freezes(data, definitions),
    ]
    return [places.fault(path, message) for path, message in found]


def _freezes(data: Any, definitions: list[_Definition]) -> Iterator[tuple[Path, str]]:
    names = {each.name for each in definitions}
    for index, raw in _items(data, "freezes"):
        for at, name in _items(raw, "definitions"):
            if isinstance(name, str) and name not in names:
                yield ("freezes", index, "definitions", at), f"there is no definition {name[:80]!r}"


def _items(section: Any, key: str) -> Iterator[tuple[int, Any]]:
    items = section.get(key) if isinstance(section, dict) else None
    return enumerate(items if isinstance(items, list) else ())


def _text(section: Any, key: str) -> str | None:
    value = section.get(key) if isinstance(section, dict) else None
    return value if isinstance(value, str) else None


def _definition(raw: Any, path: Path) -> _Definition:
    source = _definition_id(_text(raw, "source"))
    rings = tuple(_ring(item, (*path, "rings", index), source) for index, item in _items(raw, "rings"))
    return _Definition(path, _text(raw, "name"), source, rings)


def _definition_id(text: str | None) -> DefinitionId | None:
    try:
        return DefinitionId.parse(text) if text is not None else None
    except InvalidId:
        return None


def ring_target(source: DefinitionId, gallery: str | None, definition: str | None) -> DefinitionId:
    """Where a ring's versions live. Raises InvalidId."""
    if definition is not None:
        return DefinitionId.parse(definition)
    return source if gallery is None else DefinitionId(GalleryId.parse(gallery), source.name)


def _ring(raw: Any, path: Path, source: DefinitionId | None) -> _Ring:
    target = None
    if source is not None:
        try:
            target = ring_target(source, _text(raw, "gallery"), _text(raw, "definition"))
        except InvalidId:
            target = None
    regions = tuple(
        (here, region_name(name), replicas)
        for here, name, replicas in (_region(item, (*path, "regions", index)) for index, item in _items(raw, "regions"))
        if name is not None
    )
    return _Ring(path, _text(raw, "name"), target, regions)


def _region(raw: Any, path: Path) -> tuple[Path, str | None, int]:
    if isinstance(raw, str):
        return path, raw, 1
    replicas = raw.get("replicas", 1) if isinstance(raw, dict) else 1
    return path, _text(raw, "name"), replicas if type(replicas) is int and replicas > 0 else 1


def _twice(definitions: list[_Definition]) -> Iterator[tuple[Path, str]]:
    names: dict[str, int] = {}
    sources: dict[DefinitionId, int] = {}
    for index, definition in enumerate(definitions):
        if definition.name is not None:
            first = names.setdefault(definition.name, index)
            if first != index:
                yield (*definition.path, "name"), f"definitions[{first}] already has the name {definition.name!r}"
        if definition.source is not None:
            first = sources.setdefault(definition.source, index)
            if first != index:
                yield (*definition.path, "source"), f"definitions[{first}] already has this source"


def _targets(definitions: list[_Definition]) -> Iterator[tuple[Path, str]]:
    sources = {definition.source: index for index, definition in reversed([*enumerate(definitions)])}
    copied_to: dict[DefinitionId, int] = {}
    for index, definition in enumerate(definitions):
        for ring in definition.rings:
            if ring.target is None or ring.target == definition.source:
                continue
            other = sources.get(ring.target)
            if other is not None:
                yield (
                    ring.path,
                    f"copies to the source of definitions[{other}], so every copy would start another release",
                )
            first = copied_to.setdefault(ring.target, index)
            if first != index:
                yield (
                    ring.path,
                    (f"copies to {ring.target}, as definitions[{first}] does: their version numbers would conflict"),
                )


def _rings(definition: _Definition) -> Iterator[tuple[Path, str]]:
    names: dict[str, int] = {}
    taken: dict[tuple[DefinitionId | Path, str], tuple[int, Path]] = {}
    replicas: Counter[DefinitionId | None] = Counter()
    for index, ring in enumerate(definition.rings):
        if ring.name is not None and names.setdefault(ring.name, index) != index:
            yield (*ring.path, "name"), f"rings[{names[ring.name]}] already has the name {ring.name!r}"
        for path, region, count in ring.regions:
            first, where = taken.setdefault((ring.target or ring.path, region), (index, path))
            if first != index:
                other = definition.rings[first].name or f"rings[{first}]"
                yield path, f"{region} already belongs to the ring {other!r}: rings of a definition must not overlap"
            elif where != path:
                yield path, f"{region} occurs twice in this ring"
            replicas[ring.target] += count
        if replicas[ring.target] > MAX_REPLICAS:
            yield (
                (*ring.path, "regions"),
                f"a version would have {replicas[ring.target]} replicas in its gallery; the maximum is {MAX_REPLICAS}",
            )


def _test(data: Any, definitions: list[_Definition]) -> Iterator[tuple[Path, str]]:
    test = data.get("test") if isinstance(data, dict) else None
    subscription, group, subnet = (_text(test, key) for key in ("subscription", "resourceGroup", "subnet"))
    galleries = {
        target.gallery
        for definition in definitions
        for target in (definition.source, *(ring.target for ring in definition.rings))
        if target is not None
    }
    if subscription is not None and group is not None:
        here = (subscription.lower(), group.lower())
        for gallery in sorted(galleries):
            if (gallery.subscription, gallery.resource_group) == here:
                yield (
                    ("test", "resourceGroup"),
                    f"the gallery {gallery.name!r} is in this resource group, where Ringmaster deletes leftover "
                    "resources of boot tests. Use a separate resource group for tests",
                )
    if subscription is not None and subnet is not None:
        yield from _regional(subscription, ("test", "subnet"), subnet, definitions)
    for index, raw in _items(data, "definitions"):
        key_set = _text(raw.get("boot") if isinstance(raw, dict) else None, "diskEncryptionSet")
        if subscription is not None and key_set is not None:
            path = ("definitions", index, "boot", "diskEncryptionSet")
            yield from _regional(subscription, path, key_set, definitions[index : index + 1])


def _regional(
    subscription: str, path: Path, resource: str, definitions: Iterable[_Definition]
) -> Iterator[tuple[Path, str]]:
    """What a test VM uses: a subnet or a disk encryption set. It must be in the VM's subscription and region."""
    what, whole = ("subnet", "virtual network") if path[-1] == "subnet" else ("disk encryption set",) * 2
    if resource.lower().startswith("/subscriptions/") and resource.lower().split("/")[2] != subscription.lower():
        yield path, f"is in another subscription; a VM can only use a {whole} of its subscription"
    regions = {name for definition in definitions for ring in definition.rings for _, name, _ in ring.regions}
    if len(regions) > 1 and "{region}" not in resource:
        yield (
            path,
            f"is one {what} for {len(regions)} regions, but a VM can only use a {what} in its own region: write "
            "{region} in place of the region's name",
        )


def _exceptions(data: Any) -> Iterator[tuple[Path, str]]:
    scopes: list[tuple[Path, Any]] = [((), data)]
    scopes += [(("definitions", index), raw) for index, raw in _items(data, "definitions")]
    for scope, section in scopes:
        seen: dict[tuple[str, str | None], int] = {}
        for index, raw in _items(section, "exceptions"):
            name, package = _text(raw, "id"), _text(raw, "package")
            if name is None:
                continue
            first = seen.setdefault((name.casefold(), package and package.casefold()), index)
            if first != index:
                yield (*scope, "exceptions", index), f"exceptions[{first}] has the same id and package"


def _required(data: Any) -> Iterator[tuple[Path, str]]:
    """A format that is required and not taken would be waited for in vain."""
    for index, raw in _items(data, "definitions"):
        scan = raw.get("scan") if isinstance(raw, dict) else None
        taken = [each for _, each in _items(scan, "formats")] or ["trivy"]
        sections: list[tuple[Path, Any]] = [(("definitions", index, "scan"), scan)]
        sections += [
            (("definitions", index, "rings", number, "scan"), ring.get("scan"))
            for number, ring in _items(raw, "rings")
            if isinstance(ring, dict)
        ]
        for path, section in sections:
            for number, name in _items(section, "required"):
                if isinstance(name, str) and name.casefold() in SCAN_FORMATS and name.casefold() not in taken:
                    yield (*path, "required", number), f"{name!r} is required, but is not in formats"
