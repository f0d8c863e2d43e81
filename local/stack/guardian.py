"""Stops a stack whose owner has gone without doing so: `python -m local.stack.guardian stack.json`.

The owner holds the other end of standard input; the operating system closes it however the owner ends.
"""

import sys
from pathlib import Path

from local.stack import processes
from local.stack.options import SECOND_HOST, SERVICES
from local.stack.record import Record


def main() -> None:
    """Wait for the end of standard input, then stop whatever the record says still runs."""
    sys.stdin.buffer.read()
    alive = Record.load(Path(sys.argv[1])).alive
    processes.stop([alive[name] for name in (SECOND_HOST, *reversed(SERVICES)) if name in alive], seconds=10)


if __name__ == "__main__":
    main()
