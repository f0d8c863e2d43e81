"""What an input may cost is really measured: what takes longer, or more memory, fails."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz import budget
from tests.fuzz.budget import bounded


def spin(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def in_a_thread(work: Callable[[float], None], given: float) -> None:
    thread = threading.Thread(target=work, args=(given,))
    thread.start()
    thread.join()


def test_what_takes_too_long_fails() -> None:
    with pytest.raises(AssertionError, match="processor time"), bounded(10, seconds=0.01):
        spin(0.2)


def test_what_takes_too_long_in_another_thread_fails() -> None:
    with pytest.raises(AssertionError, match="processor time"), bounded(10, seconds=0.01):
        in_a_thread(spin, 0.2)


def test_what_waits_costs_nothing() -> None:
    with bounded(10, seconds=0.01):
        time.sleep(0.02)


HOARD = """
import mmap
from tests.fuzz.budget import RESIDENT_BASE, bounded, resident
size = resident() + RESIDENT_BASE + 32 * 1024 * 1024
with bounded(10, seconds=30), mmap.mmap(-1, size) as held:
    for page in range(0, size, mmap.PAGESIZE):
        held[page] = 1
"""


def test_memory_of_c_libraries_counts_at_any_time(project_root: Path) -> None:
    # In a process of its own, which never held much before.
    ran = subprocess.run([sys.executable, "-c", HOARD], cwd=project_root, capture_output=True, text=True, check=False)
    assert "AssertionError: the process grew by" in ran.stderr


def test_memory_of_python_is_weighed_every_so_often() -> None:
    weighed = 0
    for _ in range(2 * budget.WEIGHED_EVERY):
        with bounded(10):
            weighed += tracemalloc.is_tracing()
    assert weighed == 2


def test_too_much_memory_of_python_fails_when_it_is_weighed() -> None:
    def hoard() -> None:
        for _ in range(budget.WEIGHED_EVERY):
            with bounded(10):
                bytearray(budget.MEMORY_BASE + 100_000)

    with pytest.raises(AssertionError, match="bytes of memory"):
        hoard()


def test_what_is_spent_is_counted() -> None:
    before = budget.spent.inputs
    with bounded(7):
        pass
    assert (budget.spent.inputs - before, budget.spent.size) == (1, 7)
