"""The formats that are read, by the name that a policy and a webhook's address use."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import BinaryIO, Final

from shared.scanners import cyclonedx, defender, envelope, grype, inspector, nessus, qualys, sarif, trivy
from shared.scanners.detection import detect
from shared.scanners.report import Refusal, RefusalReason, ScanReport, shown

__all__ = ["MAX_BYTES", "READERS", "Reader", "detect", "read"]

Reader = Callable[[bytes], ScanReport]

MAX_BYTES: Final = 256 * 1024 * 1024
"""The largest body that is read; real reports of machines have up to about 200 MB."""
_PIECE: Final = 1024 * 1024

READERS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        trivy.FORMAT: trivy.read,
        grype.FORMAT: grype.read,
        sarif.FORMAT: sarif.read,
        cyclonedx.FORMAT: cyclonedx.read,
        defender.FORMAT: defender.read,
        inspector.FORMAT: inspector.read,
        nessus.FORMAT: nessus.read,
        qualys.FORMAT: qualys.read,
        envelope.FORMAT: envelope.read,
    }
)


def read(format: str | None, body: bytes | BinaryIO) -> ScanReport:  # noqa: A002 - the word that everybody uses for it
    """Read a report; of the named format, or of the one that its body shows when None is named.

    Raises Refusal when the format isn't known or the body isn't of it.
    """
    reader = READERS.get(format) if format is not None else None
    if format is not None and reader is None:
        known = ", ".join(sorted(READERS))
        raise Refusal(RefusalReason.UNKNOWN_FORMAT, f"the format {shown(format)} is not known; known are: {known}")
    content = _content(body)
    return (reader or READERS[detect(content)])(content)


def _content(body: bytes | BinaryIO) -> bytes:
    content = body if isinstance(body, bytes) else _whole(body)
    if len(content) > MAX_BYTES:
        raise Refusal(RefusalReason.TOO_LARGE, f"the report is larger than {MAX_BYTES} bytes")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        told = "the report is UTF-16 text, as PowerShell's > writes it. Let the scanner write the file (--output)"
        raise Refusal(RefusalReason.WRONG_SHAPE, told)
    packed = next((name for magic, name in _PACKED.items() if content.startswith(magic)), None)
    if packed:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"the report is packed ({packed}). Unpack it first")
    content = content.removeprefix(codecs.BOM_UTF8)
    if not content or content.isspace():
        raise Refusal(RefusalReason.EMPTY, "the report is empty")
    return content


def _whole(stream: BinaryIO) -> bytes:
    """What is in a stream, up to one byte too many; in pieces, since ``read`` takes room for all it is asked for."""
    whole = io.BytesIO()
    while whole.tell() <= MAX_BYTES and (piece := stream.read(min(_PIECE, MAX_BYTES + 1 - whole.tell()))):
        whole.write(piece)
    return whole.getvalue()


_PACKED: Final = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2"}
