"""The count at the end: what the app says of every version, held against the galleries and the images.

Rules:

* A good version ends released, published exactly in its rings, or superseded when a higher number is published.
* A bad version ends rejected or superseded. It is visible nowhere, ever.
* Where the galleries let ``latest`` resolve to a version is where the app says it published it; neither more nor less,
  also when a higher number overtook it in the middle of its publication.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from local.demo.scenario import RINGS, Story

TERMINAL: Final = frozenset({"released", "rejected", "superseded", "revoked"})
_RING_GALLERY: Final = {"canary": "gal_build", "early": "gal_build", "production": "gal_prod"}

type Visible = Mapping[str, frozenset[str]]
"""Gallery -> the regions in which ``latest`` may resolve to a version."""


@dataclass(slots=True)
class Count:
    """How a run of chaos ended."""

    versions: int
    ended: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    """Versions without an end, or whose end nobody can explain."""
    wrongly_promoted: list[str] = field(default_factory=list)
    wrongly_judged: list[str] = field(default_factory=list)
    """Good versions that were rejected, bad ones for the wrong reason."""
    left_behind: list[str] = field(default_factory=list)
    stalled: list[str] = field(default_factory=list)
    dead_letters: list[str] = field(default_factory=list)
    seconds: float = 0.0
    kills: int = 0
    storage_restarts: int = 0
    outages: int = 0
    arm_calls: dict[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, nothing wrong promoted, nothing misjudged and nothing left behind."""
        return not (self.lost or self.wrongly_promoted or self.wrongly_judged or self.left_behind)


def count(stories: Sequence[Story], releases: Mapping[str, Mapping[str, Any]], visible: Mapping[str, Visible]) -> Count:
    """Count the ends of versions; ``releases`` and ``visible`` by version id in lower case."""
    result = Count(versions=len(stories))
    for story in stories:
        key = story.id.lower()
        release = releases.get(key)
        seen = visible.get(key, {})
        if release is None:
            result.lost.append(f"{_name(story)}: no release was started")
            result.wrongly_promoted += _shown_anywhere(story, seen)
            continue
        result.ended[release["state"] if release["settled"] else f"{release['state']} (not settled)"] += 1
        result.stalled += [f"{_name(story)}: {branch}: {why}" for branch, why in release["stalled"].items()]
        if release["state"] not in TERMINAL or not release["settled"]:
            waits = ", ".join(f"{each['what']} {each['step'] or ''}" for each in release["waiting_for"])
            result.lost.append(f"{_name(story)}: still {release['state']}, waiting for {waits or 'nothing'}")
        result.wrongly_promoted += _misplaced(story, release, seen)
        _judge(story, release, stories, visible, result)
    return result


def _judge(
    story: Story,
    release: Mapping[str, Any],
    stories: Sequence[Story],
    visible: Mapping[str, Visible],
    result: Count,
) -> None:
    state = release["state"]
    if state == "superseded" and not _overtaken(story, stories, visible):
        result.lost.append(f"{_name(story)}: superseded, but no higher number is published")
    elif story.state == "released" and state == "rejected":
        result.wrongly_judged.append(f"{_name(story)} ({story.character}): {'; '.join(release['reasons'])[:400]}")
    elif state == "rejected" and not any(re.search(story.reason or "", reason) for reason in release["reasons"]):
        result.wrongly_judged.append(f"{_name(story)}: no reason matches {story.reason!r}: {release['reasons']}")
    elif state == "revoked":
        result.wrongly_judged.append(f"{_name(story)}: revoked, and nobody asked for that")


def _overtaken(story: Story, stories: Sequence[Story], visible: Mapping[str, Visible]) -> bool:
    return any(
        _number(other) > _number(story) and any(visible.get(other.id.lower(), {}).values())
        for other in stories
        if other.definition == story.definition
    )


def _misplaced(story: Story, release: Mapping[str, Any], seen: Visible) -> list[str]:
    if story.state != "released":
        return _shown_anywhere(story, seen)
    wrong = []
    if release["state"] == "released" and set(release["published"]) != set(RINGS):
        wrong.append(f"{_name(story)}: released, but published only in {sorted(release['published'])}")
    said: dict[str, set[str]] = {"gal_build": set(), "gal_prod": set()}
    for ring, regions in release["published"].items():
        said[_RING_GALLERY[ring]] |= set(regions)
    wrong += [
        f"{_name(story)}: {gallery} shows it in {sorted(seen.get(gallery, ()))}, the ledger in {sorted(regions)}"
        for gallery, regions in said.items()
        if set(seen.get(gallery, ())) != regions
    ]
    return wrong


def _shown_anywhere(story: Story, seen: Visible) -> list[str]:
    return [
        f"{_name(story)} ({story.character}): visible in {gallery}: {', '.join(sorted(regions))}"
        for gallery, regions in seen.items()
        if regions
    ]


def _number(story: Story) -> tuple[int, ...]:
    return tuple(int(part) for part in story.number.split("."))


def _name(story: Story) -> str:
    return f"{story.definition} {story.number}"
