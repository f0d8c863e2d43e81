"""The formats of scan reports: their names, and what is known of a format without reading a report.

Every package may import this. The readers are in ``shared.scanners``, whose registry imports the libraries of all
formats; it checks itself against ``SCAN_FORMATS`` when it is imported.
"""

from __future__ import annotations

import re
from typing import Final

TRIVY: Final = "trivy"
GRYPE: Final = "grype"
SARIF: Final = "sarif"
CYCLONEDX: Final = "cyclonedx"
DEFENDER: Final = "defender"
INSPECTOR: Final = "inspector"
NESSUS: Final = "nessus"
QUALYS: Final = "qualys"
RINGMASTER: Final = "ringmaster"

SCAN_FORMATS: Final = (TRIVY, GRYPE, SARIF, CYCLONEDX, DEFENDER, INSPECTOR, NESSUS, QUALYS, RINGMASTER)
"""The formats that are read. Policy, webhook path, events, and names of stored reports all use these names."""

MULTI_SCANNER_FORMATS: Final = frozenset({SARIF, CYCLONEDX, RINGMASTER})
"""Formats that more than one scanner writes: the newest report of the format is not the newest of each scanner."""

AUTO_DETECT: Final = "auto"
"""Stands for a format in the webhook path and in events: the format is detected from the report."""

FORMAT_NAME: Final = r"[a-z0-9][a-z0-9-]{0,39}"
"""Pattern of what can name a format, known or not."""
_FORMAT_NAME: Final = re.compile(FORMAT_NAME)


def is_format_name(text: str) -> bool:
    """Whether the text can name a format, known or not: 1 to 40 lowercase letters, digits and hyphens.

    A name of this form is safe in URLs, in blob names and in logs.
    """
    return _FORMAT_NAME.fullmatch(text) is not None
