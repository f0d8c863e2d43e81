"""The demo fails when anything ends otherwise than the policy must have it."""

from pathlib import Path
from typing import Any

import pytest

from local.demo import show
from local.demo.__main__ import POLICY
from local.demo.people import Answered
from local.demo.scan_evidence import why_it_passed
from local.demo.scenario import APPROVED, EXCUSED, GALLERIES, IMPROVED, RESTORED, REVOKED, STORIES, Story, world
from local.demo.verdict import ORDERED, Result, judge, judge_latest, judge_people
from shared.policy_file import load_policy

RELEASED = next(story for story in STORIES if story.title == "clean")
REJECTED = next(story for story in STORIES if story.title == "has a critical CVE")
PASSED = ("limits are exceeded, but no finding is new and 3 are resolved compared with gal_build/ci-runner/2.0.0",)
KNOWN = "1 known exploited vulnerability without an exception: CVE-2025-24813 in tomcat-embed-core"


def _release(story: Story, **changes: Any) -> dict[str, Any]:
    rings = {} if story.state == "rejected" else {ring: list(regions) for ring, regions in story.rings.items()}
    reasons = {REJECTED: ["CVE-2021-44228 in log4j"], REVOKED: [KNOWN]}.get(story, [])
    usual = {"version_id": story.id.lower(), "state": story.state, "reasons": reasons, "warnings": []}
    return {**usual, "published": rings, "seconds": 1.0, "stalled": {}, **changes}


def _visible(story: Story) -> dict[str, set[str]]:
    places: dict[str, set[str]] = {"gal_build": set(), "gal_prod": set()}
    for ring, regions in story.rings.items() if story.state == "released" else ():
        places[GALLERIES[ring]] |= set(regions)
    return places


def _latest(before: str = REVOKED.number, after: str = EXCUSED.number) -> dict[str, dict[str, dict[str, str]]]:
    return {
        moment: {
            "gal_build": dict.fromkeys(("westeurope", "northeurope"), number),
            "gal_prod": dict.fromkeys(("eastus2", "southeastasia"), number),
        }
        for moment, number in (("before", before), ("after", after))
    }


@pytest.mark.parametrize("story", [RELEASED, REJECTED, REVOKED], ids=lambda story: story.state)
def test_what_ended_as_it_should_has_no_fault(story: Story) -> None:
    assert judge(story, _release(story), _visible(story)) == []


@pytest.mark.parametrize("story", [RELEASED, REJECTED, REVOKED], ids=lambda story: story.state)
@pytest.mark.parametrize("state", ["released", "rejected", "revoked", "superseded", "held"])
def test_any_other_state_is_a_fault(story: Story, state: str) -> None:
    faults = judge(story, _release(story, state=state), _visible(story))
    assert bool(faults) == (state != story.state)


def test_a_release_that_never_began_is_a_fault() -> None:
    assert judge(RELEASED, None, _visible(RELEASED)) == [f"{RELEASED.name}: no release was started"]


def test_another_reason_is_a_fault() -> None:
    (fault,) = judge(REJECTED, _release(REJECTED, reasons=["no scan arrived"]), _visible(REJECTED))
    assert "CVE-2021-44228" in fault


def test_a_region_in_which_latest_still_resolves_to_what_was_revoked_is_a_fault() -> None:
    (fault,) = judge(REVOKED, _release(REVOKED), {**_visible(REVOKED), "gal_prod": {"eastus2"}})
    assert "in gal_prod, latest can resolve to it in ['eastus2'] instead of []" in fault


def test_a_region_that_is_missing_is_a_fault() -> None:
    (fault,) = judge(RELEASED, _release(RELEASED), {**_visible(RELEASED), "gal_prod": {"eastus2"}})
    assert "southeastasia" in fault


def test_what_should_pass_by_delta_must_say_so_in_its_evidence() -> None:
    assert judge(IMPROVED, _release(IMPROVED), _visible(IMPROVED), PASSED) == []
    assert judge(IMPROVED, _release(IMPROVED), _visible(IMPROVED)) != []


def test_what_should_be_clean_must_not_pass_by_an_exception() -> None:
    (fault,) = judge(RELEASED, _release(RELEASED), _visible(RELEASED), ["excused: CVE-2021-44228"])
    assert "expected no findings" in fault


def test_latest_must_fall_back_in_every_region() -> None:
    assert judge_latest(_latest()) == []
    assert len(judge_latest(_latest(after=REVOKED.number))) == 1
    assert len(judge_latest({"before": _latest()["before"]})) == 1
    assert len(judge_latest({})) == 2


def test_evidence_says_why_what_is_not_clean_passes() -> None:
    used = {"id": "CVE-1", "owner": "a@example.com", "source": "vex.json: statements[0]", "reason": "not there"}
    reasons = [{"code": "within-limits", "text": "4 high"}, {"code": "only-improves", "text": "over, but fewer"}]
    assert why_it_passed({"facts": {"reasons": reasons, "excused": [used]}}) == (
        "4 high",
        "over, but fewer",
        "exception: CVE-1 by a@example.com (vex.json: statements[0]): not there",
    )
    assert why_it_passed({"facts": {"reasons": reasons[:1], "excused": []}}) == ()
    assert why_it_passed(None) == ()


def test_the_json_has_what_the_table_shows() -> None:
    result = Result([_release(REVOKED), _release(IMPROVED)], {IMPROVED.id.lower(): PASSED}, _latest(), seconds=2.0)
    document = result.document()
    assert [each["state"] for each in document["releases"]] == ["revoked", "released"]
    assert document["releases"][0]["reasons"] == [KNOWN]
    assert document["releases"][1]["passed"] == list(PASSED)
    assert document["latest"] == {"java-base": _latest()}
    assert "westeurope 3.1.0 → 3.0.0" in show.latest_changes(_latest()).plain


def test_pages_are_looked_at_in_a_stack_that_goes_on_and_the_demo_s_own_where_it_was_kept() -> None:
    policy = Path("local/demo/policy.yaml")
    assert "run `make up`, which prints their URL" in show.pages_hint(policy, None).plain
    kept = show.pages_hint(policy, Path("my demo")).plain
    assert "local.stack --directory 'my demo' up --policy local/demo/policy.yaml" in kept


def test_the_policy_covers_every_version_with_the_rings_that_it_must_end_in() -> None:
    policy = load_policy(POLICY.read_text(encoding="utf-8"), name=str(POLICY), folder=POLICY.parent)
    rings = {each.name: {ring.name: ring.region_names for ring in each.rings} for each in policy.definitions.values()}
    assert {story.definition for story in STORIES} == set(rings)
    assert all(rings[story.definition] == dict(story.rings) for story in STORIES)


def test_the_world_has_an_image_for_every_version() -> None:
    images = {each["id"] for each in world()["resources"] if "/images/img-" in each["id"]}
    assert images == {story.image for story in STORIES}


def test_the_readme_shows_every_version_of_the_demo() -> None:
    readme = (Path(__file__).parents[4] / "README.md").read_text(encoding="utf-8")
    lines = [line.strip() for line in readme.splitlines()]
    assert [story.name for story in STORIES if not any(line.startswith(f"{story.name} ") for line in lines)] == []


ACTED = tuple(Answered(who, action, story, 403 if error else 200, error) for who, action, story, error in ORDERED)
CHANGE = {"before": RESTORED.number, "after": APPROVED.number}
PLAN: dict[str, Any] = {"galleries": [{"latest": {"westeurope": CHANGE, "northeurope": CHANGE}}]}


class TestPeople:
    def test_what_everybody_was_answered_is_as_expected(self) -> None:
        assert judge_people(ACTED, PLAN) == []

    def test_a_builder_who_may_approve_is_a_fault(self) -> None:
        allowed = (Answered("builder", "approve", APPROVED, 200), *ACTED[1:])
        assert any("builder approve web-base 5.0.0: done" in fault for fault in judge_people(allowed, PLAN))

    def test_a_plan_that_says_another_latest_is_a_fault(self) -> None:
        plan = {"galleries": [{"latest": {"westeurope": CHANGE}}]}
        assert any("the plan of the revocation by hand" in fault for fault in judge_people(ACTED, plan))
