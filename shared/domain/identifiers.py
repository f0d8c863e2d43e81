"""Identifiers that are defined elsewhere and recognized by more than one package."""

from __future__ import annotations

import re
from typing import Final

GUID: Final = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
"""Pattern of a GUID: 8-4-4-4-12 hexadecimal digits (RFC 9562, section 4), as Azure writes ids of principals."""

CVE_ID: Final = re.compile(r"CVE-[0-9]{4}-[0-9]+", re.IGNORECASE)
"""A CVE id, in any casing. Wider than the CVE record format, which asks for four digits or more after the year."""

_GUID: Final = re.compile(GUID)
SHA256: Final = r"[0-9a-f]{64}"
"""Pattern of a SHA-256 digest as this product writes it."""
_SHA256: Final = re.compile(SHA256)


def is_guid(text: str) -> bool:
    """Whether the text is a GUID, in any casing."""
    return _GUID.fullmatch(text) is not None


def is_sha256(text: str) -> bool:
    """Whether the text is a SHA-256 digest as this product writes it: 64 lowercase hexadecimal digits."""
    return _SHA256.fullmatch(text) is not None
