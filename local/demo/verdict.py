"""Verifies the results of the demo against the galleries, and not only against what the app reports."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from local.demo.people import Answered
from local.demo.scenario import APPROVED, EXCUSED, GALLERIES, RESTORED, REVOKED, TEST_GROUP, Story

_TEST_RESOURCE_TYPES = (
    "microsoft.compute/virtualmachines",
    "microsoft.compute/disks",
    "microsoft.network/networkinterfaces",
)
_MACHINE = re.compile(r"\brm-[0-9a-f]{12}\b")


@dataclass(slots=True)
class Result:
    """The results of the demo.

    `passed` says by version id why a version with findings passed its scan gate. `latest` has what `latest` was, by
    gallery and region, `before` and `after` the later scan. `acted` is what people ordered, and `plan` the plan of the
    revocation by hand.
    """

    releases: list[dict[str, Any]] = field(default_factory=list)
    passed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    latest: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    acted: list[Answered] = field(default_factory=list)
    plan: Mapping[str, Any] = field(default_factory=dict)
    left_behind: list[str] = field(default_factory=list)
    arm_calls: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The JSON of `--json`."""
        shown = ("version_id", "state", "reasons", "warnings", "published")
        return {
            "releases": [
                {key: each[key] for key in shown}
                | {"passed": list(self.passed.get(each["version_id"], ())), "seconds": round(each["seconds"], 1)}
                for each in self.releases
            ],
            "latest": {REVOKED.definition: self.latest},
            "people": [each.line for each in self.acted],
            "left_behind": self.left_behind,
            "arm_calls": self.arm_calls,
            "seconds": round(self.seconds, 1),
            "faults": self.faults,
        }


def judge(
    story: Story, release: Mapping[str, Any] | None, visible: Mapping[str, set[str]], passed: Sequence[str] = ()
) -> list[str]:
    """The unexpected results of one version; empty if there are none.

    `visible` has the regions where `latest` can resolve to it, by gallery; `passed` says why its scan gate passed.
    """
    if release is None:
        return [f"{story.name}: no release was started"]
    wrong = []
    if release["state"] != story.state:
        wrong.append(f"{story.name}: {release['state']} instead of {story.state}: {'; '.join(release['reasons'])}")
    for what, pattern, lines in (
        ("reason", story.reason, release["reasons"]),
        ("warning", story.warning, release["warnings"]),
        ("line of evidence", story.passed, passed),
    ):
        if pattern and not any(re.search(pattern, line) for line in lines):
            wrong.append(f"{story.name}: no {what} matches {pattern!r}: {list(lines)}")
    if story.passed is None and passed:
        wrong.append(f"{story.name}: expected no findings, but it passed because of {list(passed)}")
    return wrong + _where(story, release, visible)


def _where(story: Story, release: Mapping[str, Any], visible: Mapping[str, set[str]]) -> list[str]:
    rings = {} if story.state == "rejected" else {ring: list(regions) for ring, regions in story.rings.items()}
    wrong = []
    if release["published"] != rings:
        wrong.append(f"{story.name}: published {release['published']} instead of {rings}")
    for gallery in visible:
        # A revoked version was published, but must not be visible in any region.
        places = [rings[ring] for ring in rings if GALLERIES[ring] == gallery and story.state != "revoked"]
        wanted = {region for regions in places for region in regions}
        if visible[gallery] != wanted:
            found = sorted(visible[gallery])
            wrong.append(f"{story.name}: in {gallery}, latest can resolve to it in {found} instead of {sorted(wanted)}")
    return wrong


def judge_latest(latest: Mapping[str, Mapping[str, Mapping[str, str]]]) -> list[str]:
    """Unexpected values of `latest` before and after the later scan.

    It must fall back in every region of every ring.
    """
    wrong = []
    for moment, story in (("before", REVOKED), ("after", EXCUSED)):
        wanted: dict[str, dict[str, str]] = {gallery: {} for gallery in GALLERIES.values()}
        for ring, regions in story.rings.items():
            wanted[GALLERIES[ring]] |= dict.fromkeys(regions, story.number)
        found = latest.get(moment)
        if found != wanted:
            wrong.append(f"{moment} the later scan, latest of {story.definition} was {found} instead of {wanted}")
    return wrong


ORDERED: Final = (
    ("builder", "approve", APPROVED, "builder"),
    ("approver", "approve", APPROVED, ""),
    ("approver", "approve", RESTORED, ""),
    ("reader", "revoke", RESTORED, "role_missing"),
    ("operator", "revoke", RESTORED, ""),
    ("admin", "restore", RESTORED, ""),
    ("approver", "approve", RESTORED, ""),
)
"""What people order, and the code of the refusal."""


def judge_people(acted: Sequence[Answered], plan: Mapping[str, Any]) -> list[str]:
    """Unexpected answers to what people ordered, and a plan that does not say what `latest` would be."""
    found = tuple((each.who, each.action, each.story, each.error) for each in acted)
    wrong = [] if found == ORDERED else [f"people: {'; '.join(each.line for each in acted) or 'nobody acted'}"]
    latest = {
        region: (change["before"], change["after"])
        for each in plan.get("galleries", ())
        for region, change in each["latest"].items()
    }
    wanted = dict.fromkeys(RESTORED.rings["canary"], (RESTORED.number, APPROVED.number))
    return wrong if latest == wanted else [*wrong, f"the plan of the revocation by hand says {latest}, not {wanted}"]


def left_behind(state: Mapping[str, Any]) -> list[str]:
    """The ids of machines, disks and NICs that still exist in the test resource group."""
    group = f"/resourcegroups/{TEST_GROUP}/"
    return sorted(
        resource
        for kind, resources in state["resources"].items()
        if kind.lower() in _TEST_RESOURCE_TYPES
        for resource in resources
        if group in resource.lower()
    )


def calls_by_version(
    log: Sequence[Mapping[str, Any]], stories: Sequence[Story], explained: Mapping[str, Mapping[str, Any]]
) -> dict[str, int]:
    """The number of calls to ARM by version, including its machines, and of other calls."""
    machines = {
        machine: version
        for version, release in explained.items()
        for line in release["history"]
        for machine in _MACHINE.findall(line["text"])
    }
    counted = {story.id.lower(): 0 for story in stories} | {"other": 0}
    for call in log:
        path = call["path"].lower()
        machine = _MACHINE.search(path)
        owner = machines.get(machine[0]) if machine else None
        if owner is None:
            owner = next(
                (
                    story.id.lower()
                    for story in stories
                    if f"/images/{story.definition}/versions/{story.number}" in path
                    or path.endswith(story.image.lower())
                ),
                "other",
            )
        counted[owner] += 1
    return counted
