"""Tags and locks of resources, groups and subscriptions."""

from typing import Any

import pytest

from tests.unit.local.arm.arm_driver import BASE, DEFINITION, GALLERY, GROUP, OTHER_GROUP, SUBSCRIPTION, Arm

ALL = f"/subscriptions/{SUBSCRIPTION}"
TAGS = "/providers/Microsoft.Resources/tags/default"
LOCKS = "/providers/Microsoft.Authorization/locks"


def tagged(**tags: str) -> dict[str, Any]:
    return {"properties": {"tags": tags}}


@pytest.mark.parametrize("scope", [BASE, GROUP, ALL])
def test_tags_are_put_read_and_deleted_at_every_scope(arm: Arm, scope: str) -> None:
    reply = arm.call("PUT", scope + TAGS, tagged(a="1", b="2"))
    assert (reply.status, reply.body["id"], reply.body["type"]) == (200, scope + TAGS, "Microsoft.Resources/tags")
    assert arm.document(scope + TAGS)["properties"] == {"tags": {"a": "1", "b": "2"}}
    assert arm.call("DELETE", scope + TAGS).status == 200
    assert arm.document(scope + TAGS)["properties"]["tags"] == {}


def test_the_tags_of_a_resource_are_those_that_it_shows(arm: Arm) -> None:
    arm.call("PUT", BASE + TAGS, tagged(team="images"))
    assert arm.document(BASE)["tags"] == {"team": "images"}


@pytest.mark.parametrize(
    ("operation", "given", "found"),
    [
        ("Merge", {"A": "9", "c": "3"}, {"a": "9", "b": "2", "c": "3"}),
        ("Replace", {"c": "3"}, {"c": "3"}),
        ("delete", {"a": "1", "b": "other"}, {"b": "2"}),
    ],
)
def test_tags_are_patched(arm: Arm, operation: str, given: dict[str, str], found: dict[str, str]) -> None:
    arm.call("PUT", BASE + TAGS, tagged(a="1", b="2"))
    reply = arm.call("PATCH", BASE + TAGS, {"operation": operation} | tagged(**given))
    assert reply.body["properties"]["tags"] == found


def test_what_is_no_tag_is_refused(arm: Arm) -> None:
    assert arm.error("PATCH", BASE + TAGS, {"operation": "Mix"} | tagged(a="1"))["status"] == 400
    assert arm.error("PUT", BASE + TAGS, {"properties": {"tags": {"a": 1}}})["code"] == "InvalidTagsParameter"
    assert arm.error("PUT", BASE + TAGS, tagged(**{f"t{number}": "" for number in range(51)}))["code"] == "InvalidTag"
    assert arm.error("GET", f"{BASE}-gone{TAGS}")["code"] == "ResourceNotFound"
    assert arm.error("GET", f"{GROUP}-gone{TAGS}")["code"] == "ResourceGroupNotFound"


def test_the_names_of_all_tags_are_counted(arm: Arm) -> None:
    arm.call("PUT", BASE + TAGS, tagged(team="images"))
    arm.call("PUT", GROUP + TAGS, tagged(team="images"))
    assert arm.call("PUT", f"{ALL}/tagNames/cost").status == 201
    assert arm.call("PUT", f"{ALL}/tagNames/cost/tagValues/42").status == 201
    found = {one["tagName"]: one for one in arm.document(f"{ALL}/tagNames")["value"]}
    assert found["team"]["count"]["value"] == 2
    assert [(one["tagValue"], one["count"]["value"]) for one in found["team"]["values"]] == [("images", 2)]
    assert [one["tagValue"] for one in found["cost"]["values"]] == ["42"]
    assert arm.call("DELETE", f"{ALL}/tagNames/cost").status == 200
    assert [one["tagName"] for one in arm.document(f"{ALL}/tagNames")["value"]] == ["team"]


def lock(level: str) -> dict[str, Any]:
    return {"properties": {"level": level, "notes": "keep"}}


@pytest.mark.parametrize("scope", [BASE, GROUP, ALL])
def test_a_lock_refuses_deletions_where_it_is_and_below(arm: Arm, scope: str) -> None:
    assert arm.call("PUT", f"{scope}{LOCKS}/keep", lock("CanNotDelete")).status == 201
    error = arm.error("DELETE", BASE)
    assert (error["status"], error["code"]) == (409, "ScopeLocked")
    assert error["message"] == (
        f"The scope '{BASE}' cannot perform delete operation because following scope(s) are locked: '{scope}'. Please "
        "remove the lock and try again."
    )
    assert arm.error("DELETE", GROUP)["code"] == "ScopeLocked"
    assert arm.call("PATCH", BASE, {"tags": {"a": "b"}}).status == 200
    assert arm.call("DELETE", f"{scope}{LOCKS}/keep").status == 200
    assert arm.call("DELETE", BASE).status == 202


def test_a_read_only_lock_refuses_changes_and_actions_too(gallery_arm: Arm) -> None:
    gallery_arm.call("PUT", f"{GALLERY}{LOCKS}/still", lock("readonly"))
    for method, path, body in (
        ("PATCH", DEFINITION, {}),
        ("PUT", GALLERY, {"location": "westeurope"}),
        ("POST", f"{GALLERY}/share", {"operationType": "Reset"}),
        ("PATCH", DEFINITION + TAGS, {"operation": "Merge"} | tagged(a="b")),
    ):
        assert "cannot perform write operation" in gallery_arm.error(method, path, body)["message"]
    assert gallery_arm.call("GET", DEFINITION).status == 200
    assert gallery_arm.call("PATCH", BASE, {"tags": {}}).status == 200


def test_locks_are_listed_changed_and_gone_with_what_they_held(arm: Arm) -> None:
    arm.call("PUT", f"{BASE}{LOCKS}/one", lock("ReadOnly"))
    arm.call("PUT", f"{GROUP}{LOCKS}/two", lock("CanNotDelete"))
    assert arm.call("PUT", f"{BASE}{LOCKS}/one", lock("CanNotDelete")).status == 200
    listed = [one["name"] for one in arm.document(f"{GROUP}{LOCKS}")["value"]]
    assert sorted(listed) == ["one", "two"]
    assert [one["name"] for one in arm.document(f"{GROUP}{LOCKS}", **{"$filter": "atScope()"})["value"]] == ["two"]
    assert arm.document(f"{BASE}{LOCKS}/one")["properties"] == {"level": "CanNotDelete", "notes": "keep"}
    assert arm.document(f"{OTHER_GROUP}{LOCKS}")["value"] == []
    arm.kernel.store.delete(BASE)
    assert arm.error("GET", f"{BASE}{LOCKS}/one")["status"] == 404


def test_a_lock_needs_a_level_and_something_to_hold(arm: Arm) -> None:
    assert arm.error("PUT", f"{BASE}{LOCKS}/one", lock("Maybe"))["status"] == 400
    assert arm.error("PUT", f"{BASE}-gone{LOCKS}/one", lock("ReadOnly"))["code"] == "ResourceNotFound"
