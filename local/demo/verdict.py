"""Whether everything ended as it should: compared with the galleries themselves, not only with what the app says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.demo.scenario import RINGS, TEST_GROUP, Story

_MACHINERY = ("microsoft.compute/virtualmachines", "microsoft.compute/disks", "microsoft.network/networkinterfaces")
_MACHINE = re.compile(r"\brm-[0-9a-f]{12}\b")


@dataclass(slots=True)
class Result:
    """What the demo ends with."""

    releases: list[dict[str, Any]] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)
    arm_calls: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The JSON that ``--json`` prints."""
        return {
            "releases": [
                {key: each[key] for key in ("version_id", "state", "reasons", "published")} for each in self.releases
            ],
            "left_behind": self.left_behind,
            "arm_calls": self.arm_calls,
            "seconds": round(self.seconds, 1),
        }


def judge(story: Story, release: Mapping[str, Any] | None, visible: Mapping[str, set[str]]) -> list[str]:
    """What is wrong with how one version ended; nothing when it ended as it should."""
    name = f"{story.definition} {story.number}"
    if release is None:
        return [f"{name}: no release was started"]
    wrong = []
    if release["state"] != story.state:
        wrong.append(f"{name}: {release['state']} instead of {story.state}: {'; '.join(release['reasons'])}")
    if story.reason and not any(re.search(story.reason, reason) for reason in release["reasons"]):
        wrong.append(f"{name}: no reason matches {story.reason!r}: {release['reasons']}")
    released = story.state == "released"
    expected = {ring: list(regions) for ring, regions in RINGS.items()} if released else {}
    if release["published"] != expected:
        wrong.append(f"{name}: published {release['published']} instead of {expected}")
    build = {*RINGS["canary"], *RINGS["early"]} if released else set()
    wanted = {"gal_build": build, "gal_prod": set(RINGS["production"]) if released else set()}
    wrong += [
        f"{name}: in {gallery}, latest may resolve to it in {sorted(visible[gallery])} instead of {sorted(regions)}"
        for gallery, regions in wanted.items()
        if visible[gallery] != regions
    ]
    return wrong


def left_behind(state: Mapping[str, Any]) -> list[str]:
    """Ids of machines, disks and NICs that still exist in the test resource group."""
    group = f"/resourcegroups/{TEST_GROUP}/"
    return sorted(
        resource
        for kind, resources in state["resources"].items()
        if kind.lower() in _MACHINERY
        for resource in resources
        if group in resource.lower()
    )


def calls_by_version(
    log: Sequence[Mapping[str, Any]], stories: Sequence[Story], explained: Mapping[str, Mapping[str, Any]]
) -> dict[str, int]:
    """How many calls to ARM the app made for each version, its machines included, and for what belongs to none."""
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
