"""`revocation`: the ARM requests of a revocation, divided by the least that hides the version and proves it.

A version is ``latest`` in three galleries with ten regions each, and somebody revokes it. The stages run with the
memory adapters on a virtual clock, at Azure's own speed: every call takes time, and the host polls its queues. Each
call of the gallery port is one ARM request, because a list of few versions has one page. The least is a list, a write
and another list per gallery.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from local.bench.figures import Figure, MeasurementFailed
from local.bench.memory_run import BEGIN, BUILD, HOME, PRODUCTION, TEST
from local.bench.own_speed import CALL, POLLING
from local.simulation.calls import Call, Injection, Invocation
from local.simulation.cloud import Cloud, run_now
from local.simulation.functions_host import FunctionsHost
from local.simulation.scheduler import Scheduler
from shared.domain.access import Access, Actor, Role
from shared.domain.actions import Action, Request
from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.image import DefinitionId, GalleryId, VersionId, VersionNumber
from shared.domain.policy import DefinitionPolicy, Policy, RegionTarget, Ring, ScanRules
from shared.domain.release import State
from shared.engine.act import act
from shared.ports import World

BOUND: Final = 1.25
GALLERIES: Final = 3
REGIONS: Final = (
    *("westeurope", "northeurope", "eastus", "eastus2", "westus2"),
    *("westus3", "southeastasia", "eastasia", "uksouth", "francecentral"),
)
PER_GALLERY: Final = 3
"""List the versions, write the flags, and list the versions again."""
GOOD, BAD = VersionNumber.parse("1.0.0"), VersionNumber.parse("1.1.0")
LIMIT: Final = timedelta(hours=1)
OPERATOR: Final = Actor("00000000-0000-4000-8000-000000000012", frozenset({"00000000-0000-4000-8000-000000000012"}))


@dataclass(slots=True)
class _Watch:
    """Counts the requests of galleries, and notes when each gallery was written."""

    scheduler: Scheduler
    requests: Counter[str] = field(default_factory=Counter[str])
    written: list[datetime] = field(default_factory=list[datetime])

    def before_call(self, call: Call) -> None:
        """Called before a call takes effect."""

    def after_call(self, call: Call, result: Any) -> None:
        """Called after a call took effect."""
        if call.port == "galleries":
            self.requests[call.method] += 1
        if call.name == "galleries.write_targets":
            self.written.append(self.scheduler.now)


def measure(seed: int = 1) -> Figure:
    """The figure. Raises MeasurementFailed when the version is still visible somewhere."""
    random, scheduler = Random(seed), Scheduler(BEGIN)
    policy = _policy()
    cloud = Cloud(scheduler.clock, Policy(TEST, {policy.source: policy}), home=HOME)
    for number in (GOOD, BAD):
        _show_everywhere(cloud, policy, number)
    scheduler.run_until(lambda: False, deadline=BEGIN + timedelta(hours=12))
    watch = _Watch(scheduler)

    def delay(call: Call) -> Injection:
        if call.name == "queues.open":
            return Injection(delay_before=timedelta(seconds=random.uniform(0, POLLING)))
        return Injection(delay_after=timedelta(seconds=random.uniform(*CALL)))

    host = FunctionsHost(scheduler, cloud.world, cloud.queues, injector=delay, observer=watch)
    began, version = scheduler.now, policy.source.version(BAD)

    async def revoke(world: World, now: datetime, _: Invocation) -> str:
        request = Request(Action.REVOKE, OPERATOR, "bench-key", "a backdoor")
        return str((await act(version, request, world, now=now)).release.state)

    host.post_report(revoke, version.short)
    if not scheduler.run_until(lambda: _is_revoked(cloud, version), deadline=began + LIMIT):
        raise MeasurementFailed(f"the version was not revoked within {LIMIT}")
    still = [
        f"{definition.gallery.name}/{region}"
        for definition in _definitions(policy)
        for region in REGIONS
        if cloud.galleries.resolve_latest(definition, region) != GOOD
    ]
    if still:
        raise MeasurementFailed(f"latest does not resolve to {GOOD} in {', '.join(still)}")
    least, made = GALLERIES * PER_GALLERY, watch.requests.total()
    return Figure(
        value=made / least,
        relation="<=",
        bound=BOUND,
        unit="requests / least requests",
        parts={
            "galleries": GALLERIES,
            "regions_of_each": len(REGIONS),
            "requests": dict(watch.requests),
            "least": least,
            "seconds_until_hidden_in_the_first_gallery": (watch.written[0] - began).total_seconds(),
            "seconds_until_hidden_everywhere": (watch.written[-1] - began).total_seconds(),
            "seconds_until_proven": (scheduler.now - began).total_seconds(),
            "a_call_takes_seconds": list(CALL),
        },
    )


def _definitions(policy: DefinitionPolicy) -> list[DefinitionId]:
    return [ring.definition for ring in policy.rings]


def _policy() -> DefinitionPolicy:
    source = DefinitionId(GalleryId(BUILD, "rg-images", "gal_build"), "image")
    others = [
        DefinitionId(GalleryId(PRODUCTION, "rg-prod", f"gal_prod_{index}"), "image") for index in range(1, GALLERIES)
    ]
    targets = tuple(RegionTarget(region) for region in REGIONS)
    rings = tuple(Ring(f"ring-{index}", each, targets) for index, each in enumerate((source, *others)))
    access = Access({Role.OPERATOR: OPERATOR.ids})
    return DefinitionPolicy("image", source, rings, ScanRules({}), digest="digest", access=access)


def _show_everywhere(cloud: Cloud, policy: DefinitionPolicy, number: VersionNumber) -> None:
    """A version that is visible in every region of the source gallery, and its copies in the others."""
    targets = tuple(RegionTargetFacts(region) for region in REGIONS)
    source = policy.source.version(number)
    built = cloud.galleries.build(
        VersionFacts(source, ProvisioningState.SUCCEEDED, HOME, targets=targets, os_disk_gb=30), settled=True
    )
    for definition in _definitions(policy)[1:]:
        copy = definition.version(number)
        run_now(cloud.galleries.copy_version(built, copy, location=HOME, targets=targets))
        made = run_now(cloud.galleries.version(copy))
        cloud.galleries.build(
            VersionFacts(
                copy,
                ProvisioningState.SUCCEEDED,
                HOME,
                published_at=made.published_at,
                source_id=made.source_id,
                tags=made.tags,
                targets=targets,
                os_disk_gb=30,
            ),
            settled=True,
        )


def _is_revoked(cloud: Cloud, version: VersionId) -> bool:
    stored = run_now(cloud.ledger.read(version))
    return stored is not None and stored.release.state is State.REVOKED
