"""How large a scan report may be, for every adapter."""

from __future__ import annotations

from shared.codec import TooLarge

LARGEST_REPORT = 200 * 1024 * 1024
"""Bytes of any scan report, whatever the settings allow."""


def check_report(body: bytes) -> None:
    """Raise TooLarge for a report that no scanner of one image writes."""
    if len(body) > LARGEST_REPORT:
        raise TooLarge(f"the report takes {len(body) >> 20} MiB; at most {LARGEST_REPORT >> 20} MiB are kept")
