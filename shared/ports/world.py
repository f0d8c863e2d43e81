"""All ports together, as every stage receives them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from shared.domain.policy import Policy
from shared.ports.activity_log import ActivityLog, NoActivityLog
from shared.ports.evidence import Evidence
from shared.ports.galleries import Galleries
from shared.ports.health import Health, NoHealth
from shared.ports.ledger import Ledger
from shared.ports.machines import Machines
from shared.ports.publisher import Publisher
from shared.ports.queues import Queues
from shared.ports.report_source import NoReportSource, ReportSource
from shared.ports.usage import NoUsage, Usage


@dataclass(frozen=True, slots=True)
class World:
    """Every port, and the settings that the stages need."""

    galleries: Galleries
    machines: Machines
    queues: Queues
    ledger: Ledger
    evidence: Evidence
    publisher: Publisher
    policy: Policy
    own_writers: frozenset[str] = frozenset()
    """Application ids and object ids under which this app writes to Azure Resource Manager, in lowercase."""
    pace: float = 1.0
    """Every wait is divided by this number. It is 1 in production, and the simulator's speed in the local stack."""
    report_source: ReportSource = field(default_factory=NoReportSource)
    health: Health = field(default_factory=NoHealth)
    activity_log: ActivityLog = field(default_factory=NoActivityLog)
    usage: Usage = field(default_factory=NoUsage)
    large: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a large report is in memory. A worker process handles many messages at once, and has memory for one
    such report.
    """
    nonce: Callable[[], str] = field(default=lambda: secrets.token_hex(16))
    """Returns a new unguessable string, for a probe's output and for the holder of a lease."""

    def paced(self, wait: timedelta) -> timedelta:
        """Return how long a wait takes at this app's pace."""
        return wait / self.pace
