"""Where a reference stands in a resource, and that a value that cannot be read is never taken for none."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.azure.usage_fields import UnreadableReference, graph_mentions, mentions_of
from shared.adapters.azure.usage_table import TABLE
from shared.domain.usage import KINDS, LISTED, MACHINES, SCALE_SETS, Relation, Source

IMAGE = "/subscriptions/S/resourceGroups/R/providers/Microsoft.Compute/galleries/G/images/D"
DOCUMENT = (Path(__file__).parents[3] / "docs" / "in-use.md").read_text(encoding="utf-8")


def resource(properties: Any, **more: Any) -> dict[str, Any]:
    return {"id": "/subscriptions/S/x/Y", "location": "West Europe", "properties": properties, **more}


def at(path: str, value: object) -> Any:
    """A document with a value at a path of the table."""
    name, _, rest = path.partition(".")
    inner = value if not rest else at(rest, value)
    if name.endswith("[]"):
        return {name.removesuffix("[]"): [{}, inner]}
    if name == "<json>":
        return json.dumps(inner)
    return {name: inner}


PLACES = [(kind, place) for kind, row in TABLE.items() for place in row.places if place.when is None]


@pytest.mark.parametrize(("kind", "place"), PLACES, ids=lambda each: getattr(each, "path", each))
def test_an_image_is_found_at_every_place_of_the_table(kind: str, place: Any) -> None:
    document = {**at(place.path, IMAGE), "id": "/a"}
    assert [(each.target, each.relation) for each in mentions_of(document, kind)] == [(IMAGE.lower(), place.relation)]


@pytest.mark.parametrize(
    "name", ["id", "sharedGalleryImageId", "communityGalleryImageId", "imageVersionId", "imageId", "virtualMachineId"]
)
def test_a_reference_may_be_an_object_with_any_of_the_ids(name: str) -> None:
    target = "/CommunityGalleries/contoso-1/Images/D/Versions/1.0.0" if name.startswith("community") else IMAGE
    found = mentions_of(resource({"storageProfile": {"imageReference": {name: target}}}), MACHINES)
    assert [each.target for each in found] == [target.lower()]


def test_an_image_of_the_marketplace_is_no_mention() -> None:
    image = {"publisher": "canonical", "offer": "ubuntu", "sku": "server", "version": "latest", "exactVersion": "1.0.0"}
    assert mentions_of(resource({"storageProfile": {"imageReference": image}}), MACHINES) == ()


def test_a_machine_of_an_attached_disk_uses_the_disk() -> None:
    disk = {"createOption": "Attach", "managedDisk": {"id": "/subscriptions/s/resourceGroups/r/d"}}
    found = mentions_of(resource({"storageProfile": {"osDisk": disk}}), MACHINES)
    assert [each.target for each in found] == ["/subscriptions/s/resourcegroups/r/d"]


def test_the_capacity_of_a_scale_set_is_read_also_where_it_is_nothing() -> None:
    model = {"virtualMachineProfile": {"storageProfile": {"imageReference": {"id": IMAGE}}}}
    (found,) = mentions_of(resource(model, sku={"capacity": 0}), SCALE_SETS)
    assert found.instances == 0


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        (MACHINES, {"storageProfile": "x"}),
        (MACHINES, {"storageProfile": {"imageReference": 5}}),
        ("microsoft.desktopvirtualization/hostpools", {"vmTemplate": "{no json"}),
        ("microsoft.devopsinfrastructure/pools", {"fabricProfile": {"images": "x"}}),
    ],
)
def test_what_cannot_be_read_is_refused(kind: str, properties: Any) -> None:
    with pytest.raises(UnreadableReference):
        mentions_of(resource(properties), kind)


def test_a_resource_without_an_id_is_refused() -> None:
    with pytest.raises(UnreadableReference):
        mentions_of({"properties": {}}, MACHINES)


TERMS = ("/galleries/g/images/d",)


def test_resource_graph_finds_an_image_in_any_text_of_a_type_that_nobody_lists() -> None:
    row = resource({"a": [{"b": f"{IMAGE}/versions/1.0.0"}], "c": "/galleries/other"}, type="Contoso.New/things")
    (found,) = graph_mentions(row, TERMS)
    assert (found.kind, found.relation, found.source) == ("contoso.new/things", Relation.USES, Source.RESOURCE_GRAPH)
    assert found.target == f"{IMAGE}/versions/1.0.0".lower()


def test_resource_graph_tells_the_power_state() -> None:
    view = {"instanceView": {"powerState": {"code": "PowerState/running"}}}
    row = resource({"storageProfile": {"imageReference": {"id": IMAGE}}, "extended": view}, type=MACHINES)
    assert [each.power for each in graph_mentions(row, TERMS)] == ["running"]


def test_every_type_that_is_looked_at_has_a_list_and_parents_come_first() -> None:
    assert set(TABLE) == set(KINDS)
    names = [each.name for each in LISTED]
    assert all(each.parent is None or names.index(each.parent) < names.index(each.name) for each in LISTED)


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_page_names_every_type_that_is_looked_at(kind: str) -> None:
    assert f"`{kind}`" in DOCUMENT.lower()
