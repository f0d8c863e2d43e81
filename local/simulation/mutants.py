"""Faults built into the app on purpose, one protection switched off at a time: a simulation that finds none proves
nothing.

Each mutant is a world in which a port has lost what the protection rests on; the app's own code stays as it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from local.simulation.simulator import Mutation
from shared.domain.facts import RegionTargetFacts, VersionFacts
from shared.domain.image import DefinitionId, VersionId
from shared.domain.messages import Command
from shared.domain.release import Release
from shared.ports import OwnMachine, PassingFault, Stored


@dataclass
class _Port:
    """A port that does what the real one does, but for what a mutant changes."""

    port: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)


class NoOutbox(_Port):
    """Every command counts as sent with the write of the row: nothing is left to send again."""

    async def insert(self, release: Release) -> Stored:
        return _kept(await self.port.insert(_all_sent(release)), release)

    async def replace(self, stored: Stored, release: Release, *, archive: Release | None = None) -> Stored:
        return _kept(await self.port.replace(stored, _all_sent(release), archive=archive), release)


def _all_sent(release: Release) -> Release:
    return replace(release, pending={key: replace(each, sent=True) for key, each in release.pending.items()})


def _kept(stored: Stored, release: Release) -> Stored:
    # The driver still sees what it has to send; only the row has forgotten.
    return Stored(release, stored.etag)


class AnySequence(Release):
    """A release that takes every command of a branch that waits for one."""

    def expects(self, command: Command) -> bool:
        return str(command.branch) in self.pending


class NoSequence(_Port):
    """Rows that take any command, however old."""

    async def read(self, version: VersionId) -> Stored | None:
        stored = await self.port.read(version)
        if stored is None:
            return None
        values = {name: getattr(stored.release, name) for name in Release.__dataclass_fields__}
        return Stored(AnySequence(**values), stored.etag)


class NoLease(_Port):
    """Everybody may write at any time."""

    async def acquire_lease(self, definition: DefinitionId, holder: str, *, until: datetime, now: datetime) -> bool:
        return True


class NoMerge(_Port):
    """A write names the regions that it adds, and the home region; it forgets the others."""

    async def write_targets(
        self, version: VersionFacts, targets: Sequence[RegionTargetFacts], *, excluded: bool
    ) -> None:
        known = {target.region: target for target in version.targets}
        wanted = [each for each in targets if each != known.get(each.region) or each.region == version.location]
        await self.port.write_targets(version, wanted, excluded=excluded)


@dataclass
class NoReadBack(_Port):
    """What was written is taken for what is there."""

    written: dict[VersionId, tuple[tuple[RegionTargetFacts, ...], bool]]

    async def write_targets(
        self, version: VersionFacts, targets: Sequence[RegionTargetFacts], *, excluded: bool
    ) -> None:
        self.written[version.id] = (tuple(targets), excluded)
        await self.port.write_targets(version, targets, excluded=excluded)

    async def versions(self, definition: DefinitionId) -> Sequence[VersionFacts]:
        return [self._believed(facts) for facts in await self.port.versions(definition)]

    def _believed(self, facts: VersionFacts) -> VersionFacts:
        if facts.id not in self.written:
            return facts
        targets, excluded = self.written[facts.id]
        return replace(facts, targets=targets, excluded=excluded)


class NoEvidence(_Port):
    """A verdict whose evidence can't be written counts all the same."""

    async def put(self, name: str, document: Mapping[str, Any]) -> None:
        try:
            await self.port.put(name, document)
        except PassingFault:
            return


class NoRecognition(_Port):
    """A version is known by when it was written last, not by when it was published: our own writes make it another."""

    async def version(self, version: VersionId, *, replication: bool = False) -> VersionFacts | None:
        return self._dated(await self.port.version(version, replication=replication))

    async def versions(self, definition: DefinitionId) -> Sequence[VersionFacts]:
        return [self._dated(facts) for facts in await self.port.versions(definition)]

    def _dated(self, facts: VersionFacts | None) -> Any:
        if facts is None or facts.published_at is None:
            return facts
        writes = sum(target.excluded is False for target in facts.targets) + len(facts.targets) - 1
        return replace(facts, published_at=facts.published_at + timedelta(microseconds=writes))


class NoSweep(_Port):
    """What a crash left behind is never found."""

    async def ours(self) -> Sequence[OwnMachine]:
        return []


class NoTimer(_Port):
    """Nothing that stands in the ledger is ever sent again."""

    async def rows(self, *, definition: DefinitionId | None = None, unsettled: bool = False) -> AsyncIterator[Stored]:
        if not unsettled:
            async for stored in self.port.rows(definition=definition):
                yield stored


def _without_read_back() -> Mutation:
    written: dict[VersionId, tuple[tuple[RegionTargetFacts, ...], bool]] = {}
    return lambda world: replace(world, galleries=NoReadBack(world.galleries, written))


MUTANTS: Final[Mapping[str, Callable[[], Mutation]]] = {
    "outbox": lambda: lambda world: replace(world, ledger=NoOutbox(world.ledger)),
    "sequence check": lambda: lambda world: replace(world, ledger=NoSequence(world.ledger)),
    "lease": lambda: lambda world: replace(world, ledger=NoLease(world.ledger)),
    "merge of regions": lambda: lambda world: replace(world, galleries=NoMerge(world.galleries)),
    "read-back": _without_read_back,
    "evidence requirement": lambda: lambda world: replace(world, evidence=NoEvidence(world.evidence)),
    "own-write recognition": lambda: lambda world: replace(world, galleries=NoRecognition(world.galleries)),
    "sweep": lambda: lambda world: replace(world, machines=NoSweep(world.machines)),
    "repetition of commands": lambda: lambda world: replace(world, ledger=NoTimer(world.ledger)),
}
"""What is switched off -> a maker of the world without it, anew for each run."""
