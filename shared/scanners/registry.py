"""The formats that are read, by the name that a policy and a webhook's address use."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import BinaryIO, Final

from shared.scanners import trivy
from shared.scanners.report import Refusal, RefusalReason, ScanReport, shown

Reader = Callable[[bytes], ScanReport]

MAX_BYTES: Final = 256 * 1024 * 1024
"""The largest body that is read; real reports of machines have up to about 200 MB."""

READERS: Final[Mapping[str, Reader]] = MappingProxyType({"trivy": trivy.read})


def read(format: str, body: bytes | BinaryIO) -> ScanReport:  # noqa: A002 - the word that everybody uses for it
    """Read a report of a named format. Raises Refusal when the format isn't known or the body isn't of it."""
    reader = READERS.get(format)
    if reader is None:
        known = ", ".join(sorted(READERS))
        raise Refusal(RefusalReason.UNKNOWN_FORMAT, f"the format {shown(format)} is not known; known are: {known}")
    content = body if isinstance(body, bytes) else body.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise Refusal(RefusalReason.TOO_LARGE, f"the report is larger than {MAX_BYTES} bytes")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        told = "the report is UTF-16 text, as PowerShell's > writes it. Let the scanner write the file (--output)"
        raise Refusal(RefusalReason.WRONG_SHAPE, told)
    content = content.removeprefix(codecs.BOM_UTF8)
    if not content or content.isspace():
        raise Refusal(RefusalReason.EMPTY, "the report is empty")
    return reader(content)
