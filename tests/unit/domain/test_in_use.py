"""Who uses a version, from what was listed: spellings, followers, generations, and how complete it is."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from shared.domain.image import DefinitionId, GalleryId, VersionId, VersionNumber
from shared.domain.in_use import InUse, Reference, trace
from shared.domain.usage import (
    INSTANCES,
    MACHINES,
    SCALE_SETS,
    VERSIONS,
    Coverage,
    Looked,
    Mention,
    Relation,
    Sharing,
    Source,
)

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
SUB = "00000000-0000-4000-8000-000000000001"
GALLERY = GalleryId(SUB, "rg-images", "gal_build")
VERSION = DefinitionId(GALLERY, "web").version(VersionNumber(1, 2, 3))
DEFINITION = str(VERSION.definition)
COMPUTE = f"/subscriptions/{SUB}/resourcegroups/rg/providers/microsoft.compute"
DISKS, IMAGES = "microsoft.compute/disks", "microsoft.compute/images"


def machine(name: str, target: str, kind: str = MACHINES, exact: str | None = None) -> Mention:
    place = {MACHINES: "virtualmachines", SCALE_SETS: "virtualmachinescalesets"}.get(kind, kind)
    return Mention(f"{COMPUTE}/{place}/{name}", kind, "westeurope", target.lower(), Relation.USES, exact)


def copy(resource: str, kind: str, target: str) -> Mention:
    return Mention(resource, kind, "westeurope", target, Relation.MADE_FROM)


def listed(kind: str = MACHINES, looked: Looked = Looked.LISTED, **more: str) -> Coverage:
    return Coverage(SUB, kind, looked, NOW, reason=more.get("reason", ""))


def traced(*mentions: Mention, coverage: Iterable[Coverage] = (listed(),), names: dict[str, GalleryId] | None = None):
    return trace([VERSION], mentions, coverage, public_names=names or {})


def users(found: InUse) -> dict[str, Reference]:
    return {each.name: each.refers for each in found.users}


@pytest.mark.parametrize(
    "target",
    [
        f"/Subscriptions/{SUB}/ResourceGroups/RG-IMAGES/providers/Microsoft.Compute/Galleries/GAL_build/Images/Web/Versions/1.2.3",
        f"/SharedGalleries/{SUB}-GAL_BUILD/Images/web/Versions/1.2.3",
        f"/subscriptions/{SUB}/providers/Microsoft.Compute/sharedGalleries/{SUB}-GAL_BUILD/images/web/versions/1.2.3",
        "/CommunityGalleries/contoso-1234/Images/web/Versions/1.2.3",
        "/subscriptions/x/resourceGroups/r/providers/Microsoft.DevCenter/devcenters/d/galleries/any/images/web/version/1.2.3",
        "/subscriptions/x/resourceGroups/r/providers/Microsoft.DevCenter/projects/p/images/~gallery~any~web/versions/1.2.3",
    ],
)
def test_every_spelling_of_an_id_names_the_version(target: str) -> None:
    found = traced(machine("one", target), names={"contoso-1234": GALLERY})
    assert users(found) == {"one": Reference.PINNED}


@pytest.mark.parametrize("suffix", ["/versions/1.2.30", "/versions/1.2.4", "2/versions/1.2.3"])
def test_a_name_that_only_begins_alike_is_another_image(suffix: str) -> None:
    assert traced(machine("one", f"{DEFINITION}{suffix}")).users == ()


def test_a_version_of_the_same_name_in_another_gallery_is_another_image() -> None:
    other = str(DefinitionId(GalleryId(SUB, "rg-images", "gal_build2"), "web").version(VERSION.number))
    assert traced(machine("one", other)).users == ()


def test_followers_of_latest_are_told_from_pinned_users() -> None:
    found = traced(
        machine("follower", DEFINITION, SCALE_SETS),
        machine("latest", f"{DEFINITION}/versions/latest", "microsoft.virtualmachineimages/imagetemplates"),
        machine("pinned", str(VERSION), SCALE_SETS),
    )
    assert users(found) == {
        "follower": Reference.FOLLOWS,
        "latest": Reference.FOLLOWS,
        "pinned": Reference.PINNED,
    }


def test_a_machine_that_was_made_of_latest_runs_the_version_that_it_got() -> None:
    found = traced(
        machine("runs-it", DEFINITION, exact="1.2.3"),
        machine("runs-another", DEFINITION, exact="1.2.4"),
        machine("does-not-tell", DEFINITION),
        machine("instance", DEFINITION, INSTANCES, exact="1.2.3"),
    )
    assert users(found) == {
        "runs-it": Reference.PINNED,
        "does-not-tell": Reference.UNKNOWN,
        "instance": Reference.PINNED,
    }


def test_an_image_template_that_was_built_of_it_last_is_pinned_by_the_id_of_the_version() -> None:
    template = "microsoft.virtualmachineimages/imagetemplates"
    found = traced(machine("one", f"{DEFINITION}/versions/latest", template, exact=str(VERSION)))
    assert users(found) == {"one": Reference.PINNED}


def test_a_service_artifact_of_the_gallery_may_pin_the_version_without_saying_so() -> None:
    artifact = f"{GALLERY}/serviceartifacts/a/vmartifactsprofiles/p"
    assert users(traced(machine("one", artifact, SCALE_SETS))) == {"one": Reference.UNKNOWN}


CHILD = DefinitionId(GALLERY, "app").version(VersionNumber(7, 0, 0))
GRANDCHILD = DefinitionId(GALLERY, "team").version(VersionNumber(1, 0, 0))


def test_descendants_are_found_over_generations_and_through_machines() -> None:
    found = traced(
        machine("builder", str(VERSION)),
        copy(f"{COMPUTE}/images/captured", IMAGES, f"{COMPUTE}/virtualmachines/builder"),
        copy(str(CHILD), VERSIONS, f"{COMPUTE}/images/captured"),
        copy(f"{COMPUTE}/disks/golden", DISKS, str(CHILD)),
        copy(str(GRANDCHILD), VERSIONS, f"{COMPUTE}/disks/golden"),
    )
    assert {each.id: each.generation for each in found.descendants} == {
        f"{COMPUTE}/images/captured": 1,
        str(CHILD): 2,
        f"{COMPUTE}/disks/golden": 3,
        str(GRANDCHILD): 4,
    }
    assert [each.version for each in found.descendants if each.version] == [CHILD, GRANDCHILD]


def test_a_user_of_a_descendant_is_a_user_and_says_through_what() -> None:
    found = traced(copy(str(CHILD), VERSIONS, str(VERSION)), machine("far", str(CHILD)))
    assert [(each.name, each.via, each.generation) for each in found.users] == [("far", str(CHILD), 1)]


def test_a_circle_of_copies_ends() -> None:
    found = traced(copy(str(CHILD), VERSIONS, str(VERSION)), copy(str(VERSION), VERSIONS, str(CHILD)))
    assert [each.id for each in found.descendants] == [str(CHILD)]


def test_what_follows_the_definition_is_not_made_from_the_version() -> None:
    follower = machine("set", DEFINITION, SCALE_SETS)
    found = traced(follower, copy(f"{COMPUTE}/images/x", IMAGES, follower.resource))
    assert found.descendants == ()


def test_resource_graph_adds_the_power_state_to_a_listed_machine() -> None:
    by_graph = Mention(
        f"{COMPUTE}/virtualmachines/one",
        MACHINES,
        "westeurope",
        str(VERSION),
        Relation.USES,
        power="running",
        source=Source.RESOURCE_GRAPH,
    )
    (user,) = traced(by_graph, machine("one", str(VERSION))).users
    assert (user.power, user.source) == ("running", Source.LIST)


class TestCompleteness:
    def test_it_is_complete_when_every_list_was_read(self) -> None:
        assert traced(coverage=[listed(), listed(SCALE_SETS)]).is_complete

    def test_a_list_that_failed_makes_it_incomplete_by_name(self) -> None:
        found = traced(coverage=[listed(), listed(SCALE_SETS, Looked.FAILED, reason="no permission")])
        assert found.incomplete == (f"scale sets in {SUB}: no permission",)

    def test_a_waived_type_leaves_it_complete_and_is_named(self) -> None:
        found = traced(coverage=[listed(), listed(DISKS, Looked.WAIVED, reason="waived")])
        assert (found.is_complete, found.waived) == (True, (DISKS,))

    def test_nothing_looked_at_is_never_complete(self) -> None:
        assert traced(coverage=[]).incomplete == ("no subscription was looked at",)

    def test_resource_graph_alone_never_completes_it(self) -> None:
        graph = Coverage("all", "graph", Looked.LISTED, NOW, source=Source.RESOURCE_GRAPH)
        assert not traced(coverage=[graph]).is_complete

    def test_a_failure_of_resource_graph_takes_nothing_from_the_lists(self) -> None:
        graph = Coverage("all", "graph", Looked.FAILED, NOW, source=Source.RESOURCE_GRAPH)
        assert traced(coverage=[listed(), graph]).is_complete

    @pytest.mark.parametrize("permissions", ["Groups", "Community"])
    def test_a_shared_gallery_has_users_that_nobody_sees(self, permissions: str) -> None:
        limit = Sharing(permissions).limit(GALLERY)
        assert limit is not None
        assert not trace([VERSION], [], [listed()], limits=[limit]).is_complete

    def test_a_private_gallery_has_none(self) -> None:
        assert Sharing("private").limit(GALLERY) is None


def test_versions_of_other_types_are_no_versions() -> None:
    found = traced(copy(f"{COMPUTE}/disks/d", DISKS, str(VERSION)))
    assert [each.version for each in found.descendants] == [None]
    assert VersionId.parse(str(VERSION)) == VERSION
