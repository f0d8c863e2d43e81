"""The report of a scanner and what it holds, for readers of formats and for judgement: one door to both.

``shared.domain.findings`` has the types, ``shared.domain.merging`` makes one of what several scanners say, and
``shared.domain.judgement`` holds it against the policy.
"""

from __future__ import annotations

from shared.domain.findings import Finding, OsInfo, ScanReport, SuppressedFinding
from shared.domain.merging import merged

__all__ = ["Finding", "OsInfo", "ScanReport", "SuppressedFinding", "merged"]
