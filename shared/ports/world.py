"""All ports together: what every stage is given."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from shared.domain.policy import Policy
from shared.ports.evidence import Evidence
from shared.ports.galleries import Galleries
from shared.ports.ledger import Ledger
from shared.ports.machines import Machines
from shared.ports.publisher import Publisher
from shared.ports.queues import Queues
from shared.ports.report_source import NoReportSource, ReportSource


@dataclass(frozen=True, slots=True)
class World:
    """Every port, and what is the same for all of them."""

    galleries: Galleries
    machines: Machines
    queues: Queues
    ledger: Ledger
    evidence: Evidence
    publisher: Publisher
    policy: Policy
    own_writers: frozenset[str] = frozenset()
    """Application and object ids under which this app writes to ARM, in lower case."""
    pace: float = 1.0
    """Every wait is divided by this; 1 in production. The local stack runs Azure's time faster, and ours with it."""
    report_source: ReportSource = field(default_factory=NoReportSource)
    large: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a large report is in memory: a worker handles many messages at once, and has room for one of these."""
    nonce: Callable[[], str] = field(default=lambda: secrets.token_hex(16))
    """An unguessable word, another one each time: for a probe, and for the holder of a lease."""

    def paced(self, wait: timedelta) -> timedelta:
        """How long a wait really takes here."""
        return wait / self.pace
