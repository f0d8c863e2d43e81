"""The readers of all formats, by the format names of ``shared.domain.scan_formats``."""

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
from shared.scanners.detection import detect, unwrap_single_report
from shared.scanners.report_refusal import Refusal, RefusalReason, quoted

__all__ = ["MAX_BODY_BYTES", "READERS", "Reader", "detect", "read"]

Reader = Callable[[bytes], ScanReport]

MAX_BODY_BYTES: Final = 256 * 1024 * 1024
"""Bytes of the largest body that is read.

Above the limit for stored reports, so that ``ringmaster scan read`` can show a report that the webhook does not accept.
"""
_CHUNK: Final = 1024 * 1024

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
assert set(READERS) == set(scan_formats.SCAN_FORMATS), "shared.domain.scan_formats must name the formats that are read"


def read(format: str | None, body: bytes | BinaryIO) -> ScanReport:  # noqa: A002 - the usual word for it
    """Read a report in the named format, or in the format that is detected when ``format`` is None.

    UTF-16 text and white space before the document are accepted. Raises Refusal when the format is unknown, when the
    body is empty, compressed or larger than ``MAX_BODY_BYTES``, and when it is not a usable report in that format.
    """
    reader = READERS.get(format) if format is not None else None
    if format is not None and reader is None:
        known = ", ".join(sorted(READERS))
        raise Refusal(RefusalReason.UNKNOWN_FORMAT, f"unknown format {quoted(format)}. Known formats: {known}")
    content = unwrap_single_report(_content(body))
    return (reader or READERS[detect(content)])(content)


def _content(body: bytes | BinaryIO) -> bytes:
    content = body if isinstance(body, bytes) else _read_all(body)
    if len(content) > MAX_BODY_BYTES:
        raise Refusal(RefusalReason.TOO_LARGE, f"the report is larger than {MAX_BODY_BYTES} bytes")
    compression = next((name for magic, name in _COMPRESSIONS.items() if content.startswith(magic)), None)
    if compression:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"the report is compressed ({compression}). Decompress it first")
    utf16 = next((name for begin, name in _UTF16_STARTS.items() if content.startswith(begin)), None)
    content = _utf8(content, utf16) if utf16 else content.removeprefix(codecs.BOM_UTF8)
    if content[:1].isspace():
        content = content.lstrip()  # XML does not allow white space before the declaration
    if not content:
        raise Refusal(RefusalReason.EMPTY, "the report is empty")
    return content


def _utf8(content: bytes, encoding: str) -> bytes:
    """UTF-16 text converted to UTF-8. Windows PowerShell's ``>`` writes UTF-16.

    It is converted in chunks, so that memory holds the two encodings of the report and not its decoded text as well.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    utf8 = io.BytesIO()
    try:
        for begin in range(0, len(content), _CHUNK):
            text = decoder.decode(content[begin : begin + _CHUNK], begin + _CHUNK >= len(content))
            if not begin:
                # The encoding that an XML declaration names is no longer true.
                text = _XML_DECLARATION.sub("", text.removeprefix("\ufeff"), count=1)
            utf8.write(text.encode())
    except UnicodeError as error:
        text = f"the report is incomplete or invalid UTF-16 text ({error})"
        raise Refusal(RefusalReason.TRUNCATED, text) from error
    return utf8.getvalue()


def _read_all(stream: BinaryIO) -> bytes:
    """The content of a stream, up to one byte over the limit.

    It is read in chunks, since ``read`` allocates as many bytes as it is asked for.
    """
    content = io.BytesIO()
    while (size := content.tell()) <= MAX_BODY_BYTES and (chunk := stream.read(min(_CHUNK, MAX_BODY_BYTES + 1 - size))):
        content.write(chunk)
    return content.getvalue()


_COMPRESSIONS: Final = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2"}
_XML_DECLARATION: Final = re.compile(r"\A\s*<\?xml[^>]*\?>\s*")
_UTF16_STARTS: Final = {
    codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be",
    b"{\0": "utf-16-le", b"[\0": "utf-16-le", b"<\0": "utf-16-le",
    b"\0{": "utf-16-be", b"\0[": "utf-16-be", b"\0<": "utf-16-be",
}  # fmt: skip
"""The first bytes of UTF-16 text, with a byte order mark and without."""
