"""Stops a stack whose owner process has ended: `python -m local.stack.watchdog stack.json`.

The owner holds the other end of standard input. The operating system closes it when the owner ends.
"""

import sys
from pathlib import Path

from local.stack import processes
from local.stack.options import SECOND_HOST, SERVICES
from local.stack.record import Record


def main() -> None:
    """Wait until standard input is closed, then stop all services in the record that are still running."""
    sys.stdin.buffer.read()
    alive = Record.load(Path(sys.argv[1])).alive
    processes.stop([alive[name] for name in (SECOND_HOST, *reversed(SERVICES)) if name in alive], seconds=10)


if __name__ == "__main__":
    main()
