"""Limits that more than one package must keep to, each stated once."""

from __future__ import annotations

from typing import Final

MAX_REPORT_BYTES: Final = 200 * 1024 * 1024
"""Size of a scan report, uncompressed, that is accepted or stored; the settings can only lower it."""

CHUNK_BYTES: Final = 256 * 1024
"""Bytes of a body that are read or decompressed at a time."""

MAX_BLOB_NAME: Final = 1024
"""Length of a blob name in characters (Azure Storage, "Naming and referencing containers, blobs, and metadata")."""

MAX_TAG_VALUE: Final = 256
"""Length of a tag value in characters (Azure Resource Manager, "Use tags to organize your Azure resources")."""

MAX_EVENT: Final = 1024 * 1024
"""Bytes of an event ("Azure Event Grid quotas and limits")."""

MAX_DEAD_LETTER_BODY: Final = 8 * 1024
"""Bytes of a dead letter's body that are kept and shown."""
