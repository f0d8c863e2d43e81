"""The shortest possible time of a release, from the durations that Azure's operations had.

It assumes that every completion is known immediately, and that nothing but Azure takes any time:

    smoke test ─► for each ring: replicas ─► the slowest of its boot tests ─► publish

* A version accepts one write at a time: a ring's replicas, and its publication, wait for the write before them on the
  same version. A publication is complete when ARM has responded, since flags take effect immediately.
* When a ring's replicas may begin depends on the policy's ``ahead``. Without bake times and approvals, ``next`` fills
  only a ring in another gallery ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.adapters.memory.galleries import UPDATE_TIME
from shared.domain.policy import Ahead

UPDATE: Final = UPDATE_TIME.total_seconds()


@dataclass(frozen=True, slots=True)
class RingTime:
    """The durations of one ring, in Azure's seconds."""

    name: str
    version: str
    """What its replicas are of: rings in one gallery have the same version."""
    replicas: float
    """From the write until the ring's last region is complete."""
    test: float
    """The slowest of its boot tests."""


@dataclass(frozen=True, slots=True)
class RingEnds:
    """When a ring had its replicas, had passed its tests, and was published, in seconds after the version was ready."""

    replicated: float
    tested: float
    published: float


def least_time(smoke_test: float, rings: Sequence[RingTime], ahead: Ahead) -> dict[str, RingEnds]:
    """The earliest time of every step, by ring and in order."""
    free: dict[str, float] = {}
    replicated: dict[str, float] = {}
    if ahead is Ahead.ALL:
        replicated = {ring.name: smoke_test + ring.replicas for ring in rings}
        free = {ring.version: max(replicated[o.name] for o in rings if o.version == ring.version) for ring in rings}
    ends: dict[str, RingEnds] = {}
    published = smoke_test
    for index, ring in enumerate(rings):
        if ring.name not in replicated:
            _replicate(ring, replicated, free, published)
        following = rings[index + 1] if index + 1 < len(rings) else None
        if ahead is Ahead.NEXT and following is not None and following.version != ring.version:
            _replicate(following, replicated, free, max(published, replicated[ring.name]))
        tested = replicated[ring.name] + ring.test
        published = max(tested, published, free[ring.version])
        free[ring.version] = published + UPDATE
        ends[ring.name] = RingEnds(replicated[ring.name], tested, published)
    return ends


def _replicate(ring: RingTime, replicated: dict[str, float], free: dict[str, float], at: float) -> None:
    replicated[ring.name] = free[ring.version] = max(at, free.get(ring.version, 0)) + ring.replicas
