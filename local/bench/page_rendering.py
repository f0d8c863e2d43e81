"""`scan_page`: seconds for the slowest page of a scan verdict with 100,000 findings. Each page has at most 200 KB.

The scan gate gives the verdict with the memory adapters; the number of documents that a page reads shows what storage
would add. The first page of a process, which imports and compiles the templates, is included.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from local.bench.figures import Figure, MeasurementFailed
from local.bench.made_report import write_report
from local.bench.memory_run import BEGIN, Scanned, scanned
from shared.ports import Evidence
from shared.web import site

BOUND: Final = 2.0
LARGEST_PAGE: Final = 200_000
FINDINGS: Final = 100_000
SIZE: Final = 80_000_000


class _Counted:
    """Evidence that counts reads."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence, self.documents = evidence, 0

    async def get(self, name: str) -> Mapping[str, Any] | None:
        """Read a document."""
        self.documents += 1
        return await self._evidence.get(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._evidence, name)


def measure(findings: int = FINDINGS, size: int = SIZE) -> Figure:
    """The figure."""
    with tempfile.TemporaryDirectory(prefix="ringmaster-bench-") as temporary:
        file = Path(temporary) / "report.json"
        write_report(file, findings=findings, size=size, created_at=BEGIN + timedelta(seconds=1))
        found = scanned(file.read_bytes())
    pages = asyncio.run(_pages(found, findings))
    return Figure(
        value=max(each["seconds"] for each in pages.values()),
        relation="<=",
        bound=BOUND,
        unit="s",
        parts={"findings": findings, "pages": pages},
        notes=(f"bytes of a page: at most {LARGEST_PAGE}",),
        within=all(each["bytes"] <= LARGEST_PAGE for each in pages.values()),
    )


async def _pages(found: Scanned, findings: int) -> dict[str, dict[str, float]]:
    """The measurements of each page, the first page of the process first."""
    asked: dict[str, dict[str, str]] = {
        "first": {},
        "again": {},
        "last": {"page": str(findings)},
        "severity": {"severity": "medium", "page": "9"},
        "decided": {"decided": "only"},
        "package": {"group": "0"},
    }
    return {name: await _page(found, query) for name, query in asked.items()}


async def _page(found: Scanned, query: Mapping[str, str]) -> dict[str, float]:
    counted: Any = _Counted(found.world.evidence)
    world = replace(found.world, evidence=counted)
    began = time.perf_counter()
    page = await site.page("scan", {"version": str(found.version), **query}, world, now=found.now)
    seconds = time.perf_counter() - began
    if page.status != 200:
        raise MeasurementFailed(f"the page returned {page.status}: {page.body[-400:]}")
    return {"seconds": seconds, "bytes": len(page.body.encode()), "documents": counted.documents}
