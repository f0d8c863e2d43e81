"""The host's records of invocations, in memory and in the log."""

import logging
from collections import deque
from dataclasses import asdict, dataclass
from typing import Literal

logger = logging.getLogger("local.host.invocation")

Outcome = Literal["succeeded", "failed", "timed_out", "cancelled"]


@dataclass(frozen=True)
class InvocationRecord:
    """A completed invocation. `ms` is its duration; `dequeue_count` is set for queue triggers."""

    function: str
    invocation_id: str
    trigger: str
    outcome: Outcome
    ms: float
    dequeue_count: int | None = None
    message_id: str | None = None
    error: str | None = None


class Journal:
    """Keeps the most recent invocations and writes a log entry for each."""

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
        """The recorded invocations of a function, oldest first."""
        return [record for record in self.recent if record.function == function]
