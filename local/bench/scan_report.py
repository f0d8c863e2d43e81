"""`scan_report`: the peak memory for reading a scan report of 200 MB with 100,000 findings, divided by its size.

The figure is the additional memory of the process, as in the scan gate: the whole body in memory, and the parser. The
result also has the time to evaluate the report and the size of its evidence.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from local.bench.figures import Figure, MeasurementFailed
from local.bench.made_report import write_report
from local.bench.memory_run import BEGIN, scan_evidence
from local.stack.options import PROJECT_ROOT

BOUND: Final = 2.0
SIZE: Final = 200_000_000
FINDINGS: Final = 100_000


def measure(size: int = SIZE, findings: int = FINDINGS) -> Figure:
    """The figure."""
    if not Path("/proc/self/status").exists():
        raise MeasurementFailed("the peak memory is read from /proc/self/status, which exists only on Linux")
    with tempfile.TemporaryDirectory(prefix="ringmaster-bench-") as temporary:
        file = Path(temporary) / "report.json"
        written = write_report(file, findings=findings, size=size, created_at=BEGIN + timedelta(seconds=1))
        read = _read(file)
        judged = _judged(file)
    if read["findings"] != findings:
        raise MeasurementFailed(f"the report has {findings} findings, but {read['findings']} were read")
    return Figure(
        value=(read["peak"] - read["before"]) / written,
        relation="<=",
        bound=BOUND,
        unit="ratio",
        parts={
            "report_bytes": written,
            **read,
            "whole_process_ratio": read["peak"] / written,
            "judging": judged,
        },
    )


def _read(file: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "local.bench.reading", str(file)]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MeasurementFailed(f"the reader exited with code {done.returncode}: {done.stderr.strip()[-600:]}")
    return json.loads(done.stdout)


def _judged(file: Path) -> dict[str, Any]:
    """Evaluate the report with the stage and the memory adapters."""
    began = time.process_time()
    document = scan_evidence(file.read_bytes())
    seconds = time.process_time() - began
    return {
        "cpu_seconds_with_reading": seconds,
        "answer": document["answer"],
        "evidence_bytes": len(json.dumps(document)),
    }
