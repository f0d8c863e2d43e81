"""Reads the references of one resource, by the table of types or from any text of its properties."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.adapters.azure.arm_fields import number, part, text, text_or_none
from shared.adapters.azure.usage_table import TABLE, Place, When
from shared.domain.image import region_name
from shared.domain.in_use import image_target
from shared.domain.usage import Mention, Relation, Source

_IDS: Final = ("id", "sharedGalleryImageId", "communityGalleryImageId", "virtualMachineId", "imageVersionId", "imageId")
_COPIES: Final = frozenset(
    kind for kind, row in TABLE.items() if any(place.relation is Relation.MADE_FROM for place in row.places)
)


class UnreadableReference(ValueError):
    """A value that should refer to an image, and cannot be read. The resource may use any image."""


def mentions_of(resource: Mapping[str, Any], kind: str) -> tuple[Mention, ...]:
    """What a resource of a listed type refers to. Raises UnreadableReference."""
    row, found = TABLE[kind], list[Mention]()
    identifier = text(resource.get("id")).lower()
    if not identifier:
        raise UnreadableReference("a resource without an id")
    instances = number(next(_values(resource, row.instances), None)) if row.instances else None
    for place in row.places:
        if place.when is not None and not holds(resource, place.when):
            continue
        for value in _values(resource, place.path):
            for target, exact in _targets(value, place):
                found.append(
                    Mention(
                        identifier,
                        kind,
                        region_name(text(resource.get("location"))),
                        target,
                        place.relation,
                        exact,
                        instances,
                    )
                )
    return tuple(dict.fromkeys(found))


def holds(resource: Mapping[str, Any], condition: When) -> bool:
    """Whether a condition holds for a resource. One that cannot be read counts as fulfilled."""
    try:
        value = next(_values(resource, condition.path), None)
    except UnreadableReference:
        return True
    return condition.absent if value is None else str(value).lower() == condition.value.lower()


def graph_mentions(row: Mapping[str, Any], terms: tuple[str, ...]) -> tuple[Mention, ...]:
    """What a row of Resource Graph mentions: a listed type as its list would, any other wherever a term stands."""
    kind, properties = text(row.get("type")).lower(), part(row, "properties")
    if kind in TABLE:
        try:
            known = mentions_of(row, kind)
        except UnreadableReference:
            known = ()
    else:
        relation = Relation.MADE_FROM if kind in _COPIES else Relation.USES
        location = region_name(text(row.get("location")))
        named = dict.fromkeys(each for each in _texts(properties) if any(term in each for term in terms))
        known = tuple(
            Mention(text(row.get("id")).lower(), kind, location, each, relation)
            for each in named
            if image_target(each) is not None
        )
    power = _power(properties)
    return tuple(_from_graph(each, power) for each in known)


def _from_graph(mention: Mention, power: str | None) -> Mention:
    return Mention(
        mention.resource,
        mention.kind,
        mention.location,
        mention.target,
        mention.relation,
        mention.exact,
        mention.instances,
        power,
        Source.RESOURCE_GRAPH,
    )


def _power(properties: Mapping[str, Any]) -> str | None:
    """Resource Graph adds the instance view (Microsoft Learn, "Azure Resource Graph sample queries": power state)."""
    view = part(part(properties, "extended"), "instanceView")
    code = text_or_none(part(view, "powerState").get("code"))
    return None if code is None else code.rpartition("/")[2].lower()


def _targets(value: object, place: Place) -> Iterator[tuple[str, str | None]]:
    """The ids that a value holds, as far as they can name an image or what one can be made from."""
    if isinstance(value, str):
        ids, exact = [value], None
    elif isinstance(value, Mapping):
        ids = [text(value.get(name)) for name in _IDS]
        exact = text_or_none(value.get("exactVersion"))
    else:
        raise UnreadableReference(f"{place.path} is {type(value).__name__}")
    for each in ids:
        target = each.lower().rstrip("/")
        # Images of the marketplace are in no resource group.
        if "/resourcegroups/" in target or "/providers/microsoft.devcenter/" in target or image_target(target):
            yield target, exact


def _values(value: object, path: str | None) -> Iterator[object]:
    """What stands at a path; nothing where a part of it is missing. Raises UnreadableReference."""
    if not path:
        if value is not None and value != "":
            yield value
        return
    name, _, rest = path.partition(".")
    if name == "<json>":
        yield from _values(_parsed(value), rest)
    elif not isinstance(value, Mapping):
        if value is not None:
            raise UnreadableReference(f"an object is expected above {path}")
    elif name.endswith("[]"):
        items = value.get(name.removesuffix("[]"))
        if items is not None and not isinstance(items, list):
            raise UnreadableReference(f"a list is expected at {name}")
        for item in items or ():
            yield from _values(item, rest)
    else:
        yield from _values(value.get(name), rest)


def _parsed(value: object) -> object:
    if value is None or value == "":
        return None
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise UnreadableReference("a text that should be JSON is not") from error


def _texts(value: object) -> Iterator[str]:
    """Every string of a document, in lower case."""
    if isinstance(value, str):
        yield value.lower().rstrip("/")
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
