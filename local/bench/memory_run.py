"""Runs many releases with the memory adapters on a virtual clock, with the host of the seeded simulation."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from local.bench.figures import MeasurementFailed
from local.scanner.report import report_for
from local.simulation.calls import Call, Injector, Invocation, inject_nothing
from local.simulation.cloud import Cloud, run_now
from local.simulation.functions_host import FunctionsHost
from local.simulation.scheduler import Scheduler
from shared.adapters.memory.characters import CLEAN
from shared.adapters.memory.galleries import ReplicationPlan
from shared.adapters.memory.machines import Casting
from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.image import DefinitionId, GalleryId, VersionId, VersionNumber
from shared.domain.messages import ScanFinished, VersionWritten
from shared.domain.policy import (
    Ahead,
    BootRules,
    DefinitionPolicy,
    Policy,
    RegionTarget,
    Ring,
    ScanRules,
    Severity,
    TestEnvironment,
)
from shared.domain.release import Gate, Release, State
from shared.ports import World
from shared.scan_gate import reports

BEGIN: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOME: Final = "westeurope"
BUILD: Final = "00000000-0000-4000-8000-000000000001"
PRODUCTION: Final = "00000000-0000-4000-8000-000000000002"
TEST: Final = TestEnvironment(
    BUILD,
    "rg-test",
    f"/subscriptions/{BUILD}/resourceGroups/rg-test/providers/Microsoft.Network/virtualNetworks"
    "/vnet-{region}/subnets/default",
)
NUMBER: Final = VersionNumber.parse("1.0.0")
LIMIT: Final = timedelta(days=4)


def definition_policy(name: str, *, bake: timedelta = timedelta(0), ahead: Ahead = Ahead.NEXT) -> DefinitionPolicy:
    """Three rings with two regions each, one of them in another gallery."""
    source = DefinitionId(GalleryId(BUILD, "rg-images", "gal_build"), name)
    copies = DefinitionId(GalleryId(PRODUCTION, "rg-prod", "gal_prod"), name)
    rings = (
        Ring("canary", source, _targets("westeurope", "northeurope")),
        Ring("early", source, _targets("eastus", "westus2"), bake=bake),
        Ring("production", copies, _targets("eastus2", "southeastasia"), bake=bake),
    )
    scan = ScanRules({Severity.CRITICAL: 0, Severity.HIGH: 5}, deadline=timedelta(hours=24))
    return DefinitionPolicy(name, source, rings, scan, digest="digest", boot=BootRules(), ahead=ahead)


def _targets(*regions: str) -> tuple[RegionTarget, ...]:
    return tuple(RegionTarget(region) for region in regions)


class _NoOpObserver:
    """An observer that does nothing."""

    def before_call(self, call: Call) -> None:
        """Called before a call takes effect."""

    def after_call(self, call: Call, result: Any) -> None:
        """Called after a call took effect."""


@dataclass(slots=True)
class MemoryRun:
    """The result of a run. ``seconds`` is its CPU time."""

    releases: Sequence[Release]
    hops: int
    seconds: float
    virtual: timedelta


def run(
    count: int,
    *,
    injector: Injector = inject_nothing,
    replication: ReplicationPlan | None = None,
    casting: Casting = lambda *_: CLEAN,
    parallel: int = 1,
    ahead: Ahead = Ahead.NEXT,
) -> MemoryRun:
    """Release ``count`` versions, each of its own definition, all published at the same time."""
    scheduler = Scheduler(BEGIN)
    policies = [definition_policy(f"image-{index}", ahead=ahead) for index in range(count)]
    policy = Policy(TEST, {each.source: each for each in policies})
    extra: dict[str, Any] = {"replication": replication} if replication else {}
    cloud = Cloud(scheduler.clock, policy, home=HOME, casting=casting, **extra)
    host = FunctionsHost(
        scheduler, cloud.world, cloud.queues, injector=injector, observer=_NoOpObserver(), parallel=parallel
    )
    versions = [each.source.version(NUMBER) for each in policies]
    report = json.dumps(_small_report(versions[0])).encode()
    began = time.process_time()
    for index, version in enumerate(versions):
        _publish(cloud, host, version, index, report)
    # Events are accepted within the first minute. Afterwards, all pending work has a message in a queue.
    scheduler.run_until(
        lambda: scheduler.now > BEGIN + timedelta(minutes=1) and not len(cloud.queues), deadline=BEGIN + LIMIT
    )
    seconds = time.process_time() - began
    return MemoryRun(_released(cloud, count), len(host.results), seconds, scheduler.now - BEGIN)


def scan_evidence(report: bytes) -> Mapping[str, Any]:
    """The evidence of the scan gate for one version with this report."""
    return scanned(report).evidence


@dataclass(slots=True)
class Scanned:
    """A version with a verdict of its scan gate. ``now`` is the virtual time of the verdict."""

    world: World
    version: VersionId
    evidence: Mapping[str, Any]
    now: datetime


def scanned(report: bytes) -> Scanned:
    """Evaluate this report for one version."""
    scheduler = Scheduler(BEGIN)
    definition = definition_policy("image")
    cloud = Cloud(scheduler.clock, Policy(TEST, {definition.source: definition}), home=HOME)
    host = FunctionsHost(scheduler, cloud.world, cloud.queues, injector=inject_nothing, observer=_NoOpObserver())
    version = definition.source.version(NUMBER)
    _publish(cloud, host, version, 0, report)

    def found() -> list[str]:
        rows = _drained(cloud)
        return [each.evidence for row in rows for each in row.gates if each.gate is Gate.SCAN]

    if not scheduler.run_until(lambda: bool(found()), deadline=BEGIN + timedelta(hours=1)):
        raise MeasurementFailed(f"the scan gate has no verdict: {[each.history for each in _drained(cloud)]}")
    return Scanned(cloud.world, version, cloud.evidence.documents()[found()[0]], scheduler.now)


def _publish(cloud: Cloud, host: FunctionsHost, version: VersionId, index: int, report: bytes) -> None:
    source = f"/subscriptions/{BUILD}/resourceGroups/rg/providers/Microsoft.Compute/images/base"
    targets = (RegionTargetFacts(HOME, excluded=True),)
    cloud.galleries.build(
        VersionFacts(
            version,
            ProvisioningState.CREATING,
            HOME,
            source_id=source,
            targets=targets,
            excluded=True,
            os_disk_gb=30,
        ),
        settled=True,
    )

    async def post(world: World, now: datetime, _: Invocation) -> str:
        name = await world.evidence.save_report(version, "trivy", report, at=now)
        return await reports.scan_finished(ScanFinished(version, name, now), world, now=now)

    host.scheduler.call_later(
        timedelta(0), lambda: host.deliver_event(VersionWritten(version, f"{index}", host.scheduler.now, "builder"))
    )
    host.post_report(post, version.short)


def _small_report(version: VersionId) -> dict[str, Any]:
    """A clean report with few packages and findings, because reading reports is another figure."""
    document = report_for("clean", str(version), BEGIN + timedelta(seconds=1))
    for result in document["Results"]:
        result["Packages"] = result["Packages"][:4]
        result["Vulnerabilities"] = result["Vulnerabilities"][:3]
    return document


def _released(cloud: Cloud, count: int) -> list[Release]:
    rows = list(_drained(cloud))
    if len(rows) != count:
        raise MeasurementFailed(f"{count} versions were published, but {len(rows)} releases started")
    others = [
        f"{row.version.short} {row.state}: {row.reasons or row.history[-1:]}" for row in rows if not _is_done(row)
    ]
    if others:
        raise MeasurementFailed(f"{len(others)} of {len(rows)} were not released: {others[:3]}")
    return rows


def _is_done(row: Release) -> bool:
    return row.state is State.RELEASED and row.is_settled


def _drained(cloud: Cloud) -> Sequence[Release]:
    async def read() -> list[Release]:
        return [stored.release async for stored in cloud.ledger.rows()]

    return run_now(read())
