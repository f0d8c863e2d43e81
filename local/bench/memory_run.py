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
from local.simulation.engine import Engine
from local.simulation.faults import Call, Fates, Run, all_well
from local.simulation.host import Host
from local.simulation.house import House
from shared.adapters.memory.characters import CLEAN
from shared.adapters.memory.galleries import ReplicationPlan
from shared.adapters.memory.machines import Casting
from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.image import DefinitionId, GalleryId, VersionId, VersionNumber
from shared.domain.messages import ScanFinished, VersionWritten
from shared.domain.policy import (
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


def definition_policy(name: str, *, bake: timedelta = timedelta(0)) -> DefinitionPolicy:
    """Three rings with two regions each, one of them in another gallery."""
    source = DefinitionId(GalleryId(BUILD, "rg-images", "gal_build"), name)
    copies = DefinitionId(GalleryId(PRODUCTION, "rg-prod", "gal_prod"), name)
    rings = (
        Ring("canary", source, _targets("westeurope", "northeurope")),
        Ring("early", source, _targets("eastus", "westus2"), bake=bake),
        Ring("production", copies, _targets("eastus2", "southeastasia"), bake=bake),
    )
    scan = ScanRules({Severity.CRITICAL: 0, Severity.HIGH: 5}, deadline=timedelta(hours=24))
    return DefinitionPolicy(name, source, rings, scan, digest="digest", boot=BootRules())


def _targets(*regions: str) -> tuple[RegionTarget, ...]:
    return tuple(RegionTarget(region) for region in regions)


class _NoOpWatcher:
    """A watcher that does nothing."""

    def before(self, call: Call) -> None:
        """Called before a call takes effect."""

    def after(self, call: Call, result: Any) -> None:
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
    fates: Fates = all_well,
    replication: ReplicationPlan | None = None,
    casting: Casting = lambda *_: CLEAN,
    parallel: int = 1,
) -> MemoryRun:
    """Release ``count`` versions, each of its own definition, all published at the same time."""
    engine = Engine(BEGIN)
    policies = [definition_policy(f"image-{index}") for index in range(count)]
    policy = Policy(TEST, {each.source: each for each in policies})
    extra: dict[str, Any] = {"replication": replication} if replication else {}
    house = House(engine.clock, policy, home=HOME, casting=casting, **extra)
    host = Host(engine, house.world, house.queues, fates=fates, watcher=_NoOpWatcher(), parallel=parallel)
    versions = [each.source.version(NUMBER) for each in policies]
    report = json.dumps(_small_report(versions[0])).encode()
    began = time.process_time()
    for index, version in enumerate(versions):
        _publish(house, host, version, index, report)
    # Events are accepted within the first minute. Afterwards, all pending work has a message in a queue.
    engine.run(lambda: engine.now > BEGIN + timedelta(minutes=1) and not len(house.queues), until=BEGIN + LIMIT)
    seconds = time.process_time() - began
    return MemoryRun(_released(house, count), len(host.ran), seconds, engine.now - BEGIN)


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
    engine = Engine(BEGIN)
    definition = definition_policy("image")
    house = House(engine.clock, Policy(TEST, {definition.source: definition}), home=HOME)
    host = Host(engine, house.world, house.queues, fates=all_well, watcher=_NoOpWatcher())
    version = definition.source.version(NUMBER)
    _publish(house, host, version, 0, report)

    def found() -> list[str]:
        rows = _drained(house)
        return [each.evidence for row in rows for each in row.gates if each.gate is Gate.SCAN]

    if not engine.run(lambda: bool(found()), until=BEGIN + timedelta(hours=1)):
        raise MeasurementFailed(f"the scan gate has no verdict: {[each.history for each in _drained(house)]}")
    return Scanned(house.world, version, house.evidence.documents()[found()[0]], engine.now)


def _publish(house: House, host: Host, version: VersionId, index: int, report: bytes) -> None:
    source = f"/subscriptions/{BUILD}/resourceGroups/rg/providers/Microsoft.Compute/images/base"
    targets = (RegionTargetFacts(HOME, excluded=True),)
    house.galleries.build(
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

    async def post(world: World, now: datetime, _: Run) -> str:
        name = await world.evidence.save_report(version, "trivy", report, at=now)
        return await reports.scan_finished(ScanFinished(version, name, now), world, now=now)

    host.engine.after(
        timedelta(0), lambda: host.deliver(VersionWritten(version, f"{index}", host.engine.now, "builder"))
    )
    host.post_report(post, version.short)


def _small_report(version: VersionId) -> dict[str, Any]:
    """A clean report with few packages and findings, because reading reports is another figure."""
    document = report_for("clean", str(version), BEGIN + timedelta(seconds=1))
    for result in document["Results"]:
        result["Packages"] = result["Packages"][:4]
        result["Vulnerabilities"] = result["Vulnerabilities"][:3]
    return document


def _released(house: House, count: int) -> list[Release]:
    rows = list(_drained(house))
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


def _drained(house: House) -> Sequence[Release]:
    async def read() -> list[Release]:
        return [stored.release async for stored in house.ledger.rows()]

    coroutine = read()
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("the memory ledger must not wait")
