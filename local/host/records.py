"""What the host remembers and logs of an invocation."""

import logging
from collections import deque
from dataclasses import asdict, dataclass
from typing import Literal

logger = logging.getLogger("local.host.invocation")

Outcome = Literal["succeeded", "failed", "timed_out", "cancelled"]


@dataclass(frozen=True)
class InvocationRecord:
    """One finished invocation. `ms` is wall time; `dequeue_count` belongs to queue triggers."""

    function: str
    invocation_id: str
    trigger: str
    outcome: Outcome
    ms: float
    dequeue_count: int | None = None
    message_id: str | None = None
    error: str | None = None


class Journal:
    """Keeps the last invocations and writes one structured line for each."""

    def __init__(self, keep: int = 10_000) -> None:
        self.recent: deque[InvocationRecord] = deque(maxlen=keep)
        self.total = 0

    def add(self, record: InvocationRecord) -> None:
        self.recent.append(record)
        self.total += 1
        level = logging.INFO if record.outcome == "succeeded" else logging.ERROR
        if logger.isEnabledFor(level):
            fields = {name: value for name, value in asdict(record).items() if value is not None}
            logger.log(level, "%s %s", record.function, record.outcome, extra={"fields": fields})

    def of(self, function: str) -> list[InvocationRecord]:
        """The remembered invocations of one function, oldest first."""
        return [record for record in self.recent if record.function == function]
