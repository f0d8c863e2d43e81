"""The interfaces between the stages and Azure, and the errors that each may raise.

Rules that hold for every port:

* A method succeeds or raises. ``PassingFault`` is a transient error: the engine sends the same command again later.
  ``Refused`` is a final refusal of this request by Azure, with its error code; the stage evaluates it. Any other
  exception is unexpected, and the Functions host retries the message.
* Adapters chain the original exception (``raise … from error``). No error message contains a secret.
* A read returns None when the resource does not exist. It does not raise.
* Durations are ``timedelta``, times are ``datetime`` with a time zone, and sizes are in bytes.

    >>> from datetime import timedelta
    >>> try:
    ...     raise Throttled("HTTP 429", retry_after=timedelta(seconds=17))
    ... except PassingFault as fault:
    ...     print(fault.retry_after)
    0:00:17
"""

from shared.ports.activity_log import ActivityLog, NoActivityLog
from shared.ports.evidence import Evidence, StoredReport
from shared.ports.galleries import INCARNATION_TAG, Galleries
from shared.ports.health import FleetQuestion, Health, NoHealth
from shared.ports.hop import Hop
from shared.ports.ledger import DeadLetter, Ledger, Stored
from shared.ports.machines import NO_TAGS, Machines, MachineSpec, OwnMachine
from shared.ports.port_errors import (
    Conflict,
    ForeignTarget,
    PassingFault,
    Refused,
    ReportRefused,
    Throttled,
    Unavailable,
)
from shared.ports.publisher import Publisher, SilentPublisher
from shared.ports.queues import Queues
from shared.ports.report_source import NoReportSource, ReportSource
from shared.ports.usage import GraphQuestion, NoUsage, Usage
from shared.ports.world import World

__all__ = [
    "INCARNATION_TAG",
    "NO_TAGS",
    "ActivityLog",
    "Conflict",
    "DeadLetter",
    "Evidence",
    "FleetQuestion",
    "ForeignTarget",
    "Galleries",
    "GraphQuestion",
    "Health",
    "Hop",
    "Ledger",
    "MachineSpec",
    "Machines",
    "NoActivityLog",
    "NoHealth",
    "NoReportSource",
    "NoUsage",
    "OwnMachine",
    "PassingFault",
    "Publisher",
    "Queues",
    "Refused",
    "ReportRefused",
    "ReportSource",
    "SilentPublisher",
    "Stored",
    "StoredReport",
    "Throttled",
    "Unavailable",
    "Usage",
    "World",
]
