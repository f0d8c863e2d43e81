"""Logging switched off: what the app logs about injected faults is of no use to anybody."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silenced_logging() -> Iterator[None]:
    """Write no log records inside; restore the former level afterwards."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
