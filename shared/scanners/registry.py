"""The formats that are read, by the name that a policy and a webhook's address use."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import BinaryIO, Final

from shared.domain import scan_formats
from shared.domain.findings import ScanReport
from shared.scanners import cyclonedx, defender, envelope, grype, inspector, nessus, qualys, sarif, trivy
from shared.scanners.detection import detect, unlisted
from shared.scanners.report_refusal import Refusal, RefusalReason, quoted

__all__ = ["MAX_BYTES", "READERS", "Reader", "detect", "read"]

Reader = Callable[[bytes], ScanReport]

MAX_BYTES: Final = 256 * 1024 * 1024
"""The largest body that is read; real reports of machines have up to about 200 MB."""
_PIECE: Final = 1024 * 1024

READERS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        scan_formats.TRIVY: trivy.read,
        scan_formats.GRYPE: grype.read,
        scan_formats.SARIF: sarif.read,
        scan_formats.CYCLONEDX: cyclonedx.read,
        scan_formats.DEFENDER: defender.read,
        scan_formats.INSPECTOR: inspector.read,
        scan_formats.NESSUS: nessus.read,
        scan_formats.QUALYS: qualys.read,
        scan_formats.RINGMASTER: envelope.read,
    }
)
assert set(READERS) == set(scan_formats.SCAN_FORMATS), "shared.domain.scan_formats names the formats that are read"


def read(format: str | None, body: bytes | BinaryIO) -> ScanReport:  # noqa: A002 - the word that everybody uses for it
    """Read a report; of the named format, or of the one that its body shows when None is named.

    Raises Refusal when the format isn't known or the body isn't of it.
    """
    reader = READERS.get(format) if format is not None else None
    if format is not None and reader is None:
        known = ", ".join(sorted(READERS))
        raise Refusal(RefusalReason.UNKNOWN_FORMAT, f"the format {quoted(format)} is not known; known are: {known}")
    content = unlisted(_content(body))
    return (reader or READERS[detect(content)])(content)


def _content(body: bytes | BinaryIO) -> bytes:
    content = body if isinstance(body, bytes) else _whole(body)
    if len(content) > MAX_BYTES:
        raise Refusal(RefusalReason.TOO_LARGE, f"the report is larger than {MAX_BYTES} bytes")
    packed = next((name for magic, name in _PACKED.items() if content.startswith(magic)), None)
    if packed:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"the report is packed ({packed}). Unpack it first")
    wide = next((name for begin, name in _WIDE.items() if content.startswith(begin)), None)
    content = _narrowed(content, wide) if wide else content.removeprefix(codecs.BOM_UTF8)
    if content[:1].isspace():
        content = content.lstrip()  # before an XML declaration, white space is an error
    if not content:
        raise Refusal(RefusalReason.EMPTY, "the report is empty")
    return content


def _narrowed(content: bytes, encoding: str) -> bytes:
    """UTF-16 text, as PowerShell's > writes it, in UTF-8; in pieces, so that never more than both stand in memory."""
    decoder = codecs.getincrementaldecoder(encoding)()
    narrow = io.BytesIO()
    try:
        for begin in range(0, len(content), _PIECE):
            text = decoder.decode(content[begin : begin + _PIECE], begin + _PIECE >= len(content))
            if not begin:
                # What an XML declaration says of the encoding is no longer so.
                text = _DECLARATION.sub("", text.removeprefix("\ufeff"), count=1)
            narrow.write(text.encode())
    except UnicodeError as error:
        told = f"the report is UTF-16 text that can't be read to its end ({error})"
        raise Refusal(RefusalReason.TRUNCATED, told) from error
    return narrow.getvalue()


def _whole(stream: BinaryIO) -> bytes:
    """What is in a stream, up to one byte too many; in pieces, since ``read`` takes room for all it is asked for."""
    whole = io.BytesIO()
    while whole.tell() <= MAX_BYTES and (piece := stream.read(min(_PIECE, MAX_BYTES + 1 - whole.tell()))):
        whole.write(piece)
    return whole.getvalue()


_PACKED: Final = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2"}
_DECLARATION: Final = re.compile(r"\A\s*<\?xml[^>]*\?>\s*")
_WIDE: Final = {
    codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be",
    b"{\0": "utf-16-le", b"[\0": "utf-16-le", b"<\0": "utf-16-le",
    b"\0{": "utf-16-be", b"\0[": "utf-16-be", b"\0<": "utf-16-be",
}  # fmt: skip
"""How UTF-16 begins, with a mark and without."""
