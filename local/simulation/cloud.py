"""A small cloud in memory: galleries, a test resource group and storage, with the world of ports made of them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from shared.adapters.memory.activity_log import MemoryActivityLog
from shared.adapters.memory.characters import CLEAN
from shared.adapters.memory.evidence import MemoryEvidence
from shared.adapters.memory.galleries import MemoryGalleries, Replication, ReplicationPlan
from shared.adapters.memory.health import MemoryHealth
from shared.adapters.memory.ledger import MemoryLedger
from shared.adapters.memory.machines import Casting, MemoryMachines
from shared.adapters.memory.publisher import MemoryPublisher
from shared.adapters.memory.queues import MemoryQueues
from shared.adapters.memory.usage import MemoryUsage
from shared.codec.release_events import check_event
from shared.domain.facts import DefinitionFacts, GalleryFacts, ProvisioningState
from shared.domain.image import DefinitionId
from shared.domain.messages import Announcement
from shared.domain.policy import Policy
from shared.ports import World

OWN_WRITER: Final = "0a0a0a0a-0000-4000-8000-00000000000a"
"""The app's own id, as the events of its writes name it."""


class CheckedPublisher(MemoryPublisher):
    """A publisher that refuses an event that does not fit its documented type: a fault of the app."""

    async def publish(self, announcement: Announcement) -> None:
        check_event(announcement.type, announcement.data)
        await super().publish(announcement)


class Cloud:
    """Every port in memory, and the world made of them."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        policy: Policy,
        *,
        home: str,
        replication: ReplicationPlan = lambda *_: Replication(),
        casting: Casting = lambda *_: CLEAN,
        own_writers: Iterable[str] = (OWN_WRITER,),
        absent: Iterable[DefinitionId] = (),
    ) -> None:
        """Makes the galleries and definitions that the policy names, except ``absent`` ones."""
        numbers = itertools.count(1)
        self.activity_log = MemoryActivityLog(clock)
        self.galleries = MemoryGalleries(
            clock,
            policy.galleries_written,
            replication=replication,
            on_write=lambda version: self.activity_log.record(version, OWN_WRITER),
        )
        self.machines = MemoryMachines(clock, policy.test, self.galleries, casting=casting)
        self.queues, self.ledger = MemoryQueues(clock), MemoryLedger()
        self.evidence, self.publisher = MemoryEvidence(), CheckedPublisher()
        self.health = MemoryHealth(clock)
        self.usage = MemoryUsage(page_size=10)
        for definition in sorted(definitions_of(policy) - set(absent)):
            self.add_definition(definition, home)
        self.world = World(
            self.galleries,
            self.machines,
            self.queues,
            self.ledger,
            self.evidence,
            self.publisher,
            policy,
            own_writers=frozenset(own_writers),
            health=self.health,
            activity_log=self.activity_log,
            usage=self.usage,
            nonce=lambda: hashlib.sha256(str(next(numbers)).encode()).hexdigest()[:32],
        )

    def add_definition(self, definition: DefinitionId, home: str) -> None:
        """Make an image definition, and its gallery."""
        made = ProvisioningState.SUCCEEDED
        self.galleries.add_gallery(GalleryFacts(definition.gallery, made, home))
        self.galleries.add_definition(DefinitionFacts(definition, made, home, "Linux", "Generalized", "V2", "x64"))


def definitions_of(policy: Policy) -> set[DefinitionId]:
    """Every image definition that a policy names: sources, and where rings publish."""
    rings = {ring.definition for definition in policy.definitions.values() for ring in definition.rings}
    return set(policy.definitions) | rings


def run_now(coroutine: Any) -> Any:
    """The result of a memory adapter's method, none of which ever waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("a memory adapter waited for something")
