"""What shall happen later: named hooks at given times, kept in the store so that a restart forgets none."""

import heapq
import uuid
from typing import Any

from local.arm.kernel.store import Store


class Schedule:
    """A persistent heap of (time, hook, payload)."""

    def __init__(self, store: Store) -> None:
        """Take up what was planned before a restart."""
        self._table = store.table("schedule")
        self._heap = [(entry["at"], entry["order"], key) for key, entry in self._table.items()]
        self._order = max((entry[1] for entry in self._heap), default=0)
        heapq.heapify(self._heap)

    def at(self, when: float, hook: str, payload: dict[str, Any]) -> str:
        """Run `hook` with `payload` at `when` (seconds since the epoch). Answers a key for `cancel`."""
        key = uuid.uuid4().hex
        self._order += 1
        self._table[key] = {"at": when, "order": self._order, "hook": hook, "payload": payload}
        heapq.heappush(self._heap, (when, self._order, key))
        return key

    def cancel(self, key: str) -> None:
        """Forget an entry; one that has run or never was is no fault."""
        self._table.pop(key)

    def next_at(self) -> float | None:
        """When the next entry is due, or None."""
        while self._heap and self._heap[0][2] not in self._table:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float) -> dict[str, Any] | None:
        """Remove and answer the earliest entry that is due (`at`, `hook`, `payload`), or None."""
        due = self.next_at()
        if due is None or due > now:
            return None
        return self._table.pop(heapq.heappop(self._heap)[2])
