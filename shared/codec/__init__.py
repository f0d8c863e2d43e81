"""Wire <-> messages, rows and events.

Rules:

* Every document carries its version ``v``. Unknown fields are ignored; unknown kinds, and versions above ours, are
  refused.
* What is decoded equals what was encoded. What JSON cannot carry without loss is refused when it is encoded.
* Bytes from outside never raise anything but a ``CodecError``; events from outside never raise at all, they are
  ``Ignored`` with a reason.
"""

from shared.codec.commands import (
    LARGEST_BODY,
    LARGEST_IN_QUEUE,
    decode_command,
    encode_command,
)
from shared.codec.documents import decode_document, encode_document
from shared.codec.errors import CodecError, Malformed, NewerVersion, NotOurs, TooLarge, Unencodable
from shared.codec.events import Ignored, ScanReported, decode_cloud_event, decode_event_grid, decode_scan_event
from shared.codec.releases import ROW_VERSION, decode_release, decode_summary, encode_release, encode_summary
from shared.codec.wrappings import VERSION, Pointer, decode_pointer, encode_pointer, unwrapped

__all__ = [
    "LARGEST_BODY",
    "LARGEST_IN_QUEUE",
    "ROW_VERSION",
    "VERSION",
    "CodecError",
    "Ignored",
    "Malformed",
    "NewerVersion",
    "NotOurs",
    "Pointer",
    "ScanReported",
    "TooLarge",
    "Unencodable",
    "decode_cloud_event",
    "decode_command",
    "decode_document",
    "decode_event_grid",
    "decode_pointer",
    "decode_release",
    "decode_scan_event",
    "decode_summary",
    "encode_command",
    "encode_document",
    "encode_pointer",
    "encode_release",
    "encode_summary",
    "unwrapped",
]
