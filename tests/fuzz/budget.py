"""How many inputs an entrance gets, and what one input may cost.

``FUZZ_EXAMPLES`` is the number of inputs for each test (``make fuzz``: 10,000); without it a small fixed number, the
same in every run, so that the whole suite stays quick and says the same twice.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, settings

GIVEN = os.environ.get("FUZZ_EXAMPLES")
EXAMPLES = int(GIVEN or 60)
CPU_SECONDS = 1.0
"""Processor time of one input, at most; inputs are small."""
MEMORY_BASE = 8 * 1024 * 1024
MEMORY_FACTOR = 60
"""Bytes of memory for each byte of input, on top of the base: Python's objects are large."""
RESIDENT_BASE = 64 * 1024 * 1024
"""Bytes by which one input may raise the most memory that the process ever held, on top of the factor: what C
libraries take, and imports and pages of the allocator, count here as well."""
WEIGHED_EVERY = 25
"""Measuring Python's memory makes everything several times slower. What the process holds is looked at every time."""
_RESIDENT_UNIT = 1 if sys.platform == "darwin" else 1024
"""``ru_maxrss`` is in kibibytes on Linux, in bytes on macOS (getrusage(2))."""


def entrance(test: Callable[..., Any]) -> Callable[..., Any]:
    """A test that is given as many inputs as there is budget for."""
    return settings(
        max_examples=EXAMPLES,
        deadline=None,  # wall time says nothing on a busy machine; ``bounded`` measures the processor's
        derandomize=GIVEN is None,
        database=None if GIVEN is None else settings.default.database if settings.default else None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        print_blob=True,
    )(test)


@dataclass(slots=True)
class Spent:
    """What was spent on inputs so far: their number, their bytes, and processor time in seconds."""

    inputs: int = 0
    size: int = 0
    seconds: float = 0.0
    worst: float = 0.0

    def count(self, size: int, seconds: float) -> None:
        """One more input."""
        self.inputs += 1
        self.size += size
        self.seconds += seconds
        self.worst = max(self.worst, seconds)


spent = Spent()
"""Of the test that runs now; ``conftest`` begins anew for each."""
_weighed = iter(range(WEIGHED_EVERY, sys.maxsize))


@contextmanager
def bounded(size: int = 0, *, seconds: float = CPU_SECONDS) -> Iterator[None]:
    """Hold the block to its processor time, over all threads, and to its memory. ``size`` is that of the input."""
    weigh = next(_weighed) % WEIGHED_EVERY == 0 and not tracemalloc.is_tracing()
    if weigh:
        tracemalloc.start()
    # A collection goes over all that hypothesis keeps of thousands of inputs; that is none of this one's.
    gc.disable()
    held, began = resident(), time.process_time()
    try:
        yield
        took, grew = time.process_time() - began, resident() - held
        peak = tracemalloc.get_traced_memory()[1] if weigh else 0
    finally:
        gc.enable()
        if weigh:
            tracemalloc.stop()
    spent.count(size, 0.0 if weigh else took)
    allowed = seconds * (10 if weigh else 1)
    assert took <= allowed, f"{took:.2f} s of processor time for {size} bytes; {allowed:.1f} s are allowed"
    assert peak <= MEMORY_BASE + MEMORY_FACTOR * size, f"{peak} bytes of memory for {size} bytes of input"
    assert grew <= RESIDENT_BASE + MEMORY_FACTOR * size, f"the process grew by {grew} bytes for {size} bytes of input"


def resident() -> int:
    """The most bytes that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RESIDENT_UNIT
