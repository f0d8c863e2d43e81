"""What the stages need of the world: protocols, and the faults that each may raise.

Rules for every port:

* A method either does what it says or raises. Faults that pass by themselves are ``PassingFault``; the same command is
  sent again later. ``Refused`` is the platform's final no to this very request, with its code; the stage judges it.
  Anything else is unforeseen and escapes to the queue's own retry.
* Adapters chain the service's error (``raise … from error``) and put no secret into a message.
* Reading something that isn't there returns None; it is not a fault.
"""

from shared.ports.evidence import Evidence, StoredReport
from shared.ports.galleries import INCARNATION_TAG, Galleries
from shared.ports.ledger import DeadLetter, Ledger, Stored
from shared.ports.machines import Machines, MachineSpec, OwnMachine
from shared.ports.port_errors import (
    Conflict,
    ForeignTarget,
    PassingFault,
    Refused,
    ReportRefused,
    Throttled,
    Unavailable,
)
from shared.ports.publisher import Publisher
from shared.ports.queues import Queues
from shared.ports.report_source import NoReportSource, ReportSource
from shared.ports.world import World

__all__ = [
    "INCARNATION_TAG",
    "Conflict",
    "DeadLetter",
    "Evidence",
    "ForeignTarget",
    "Galleries",
    "Ledger",
    "MachineSpec",
    "Machines",
    "NoReportSource",
    "OwnMachine",
    "PassingFault",
    "Publisher",
    "Queues",
    "Refused",
    "ReportRefused",
    "ReportSource",
    "Stored",
    "StoredReport",
    "Throttled",
    "Unavailable",
    "World",
]
