"""Reads one scan report in its own process, and prints time and memory: ``python -m local.bench.reading FILE``.

Memory is the peak resident set size of the process (``VmHWM`` on Linux), which starts at zero for a new program. The
value from ``getrusage`` can be that of the parent process.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def memory(field: str) -> int:
    """``VmHWM`` or ``VmRSS`` of this process in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Read as the scan gate does: the whole body, then the parser of its format."""
    from shared.scanners.registry import read

    small = b'{"SchemaVersion":2,"Results":[{"Class":"os-pkgs"}],"Metadata":{"OS":{"Family":"ubuntu","Name":"1"}}}'
    read("trivy", small)  # import everything before measuring
    before, began, cpu = memory("VmRSS"), time.perf_counter(), time.process_time()
    body = Path(sys.argv[1]).read_bytes()
    found = read("trivy", body)
    print(
        json.dumps(
            {
                "before": before,
                "peak": memory("VmHWM"),
                "after": memory("VmRSS"),
                "seconds": time.perf_counter() - began,
                "cpu_seconds": time.process_time() - cpu,
                "findings": len(found.findings),
            }
        )
    )


if __name__ == "__main__":
    main()
