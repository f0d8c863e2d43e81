"""How many inputs an entrance gets, and what one input may cost.

``FUZZ_EXAMPLES`` is the number of inputs for each test (``make fuzz``: 10,000); without it a small fixed number, the
same in every run, so that the whole suite stays quick and says the same twice.
"""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, settings

GIVEN = os.environ.get("FUZZ_EXAMPLES")
EXAMPLES = int(GIVEN or 60)
CPU_SECONDS = 1.0
"""Processor time of one input, at most; inputs are small."""
MEMORY_BASE = 8 * 1024 * 1024
MEMORY_FACTOR = 60
"""Bytes of memory for each byte of input, on top of the base: Python's objects are large."""
_WEIGHED_EVERY = 25
"""Measuring memory makes everything several times slower."""


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


class _Scale:
    inputs = 0


@contextmanager
def bounded(size: int = 0, *, seconds: float = CPU_SECONDS) -> Iterator[None]:
    """Hold the block to its processor time, and every so often to its memory. ``size`` is that of the input."""
    _Scale.inputs += 1
    weigh = _Scale.inputs % _WEIGHED_EVERY == 0 and not tracemalloc.is_tracing()
    if weigh:
        tracemalloc.start()
    began = time.thread_time()
    try:
        yield
        took = time.thread_time() - began
        peak = tracemalloc.get_traced_memory()[1] if weigh else 0
    finally:
        if weigh:
            tracemalloc.stop()
    allowed = seconds * (10 if weigh else 1)
    assert took <= allowed, f"{took:.2f} s of processor time for {size} bytes; {allowed:.1f} s are allowed"
    assert peak <= MEMORY_BASE + MEMORY_FACTOR * size, f"{peak} bytes of memory for {size} bytes of input"
