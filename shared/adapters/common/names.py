r"""Names that storage takes, the same for every adapter.

Table keys may not hold ``/ \ # ?`` or control characters; a blob's name may hold slashes, but a part ``..`` would be
resolved by HTTP clients on the way and lead into another container.
"""

from __future__ import annotations

import re
from hashlib import sha256

from shared.domain.identifiers import is_sha256
from shared.domain.image import DefinitionId, VersionId
from shared.domain.limits import MAX_BLOB_NAME
from shared.domain.scan_formats import is_format_name

_PARTS = re.compile(r"[^/\\?#\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


def key(definition: DefinitionId) -> str:
    """A definition's id as one table key or one part of a blob's name; ``definition_of`` reads it back.

    An id has no ``~``, and ``~`` needs no escape in a URL.
    """
    return str(definition).lstrip("/").replace("/", "~")


def definition_of(text: str) -> DefinitionId:
    """The definition whose key this is. Raises InvalidId."""
    return DefinitionId.parse("/" + text.replace("~", "/"))


def digest(text: str) -> str:
    """A key for text that may hold anything."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def report_folder(version: VersionId) -> str:
    """Where the reports of a version lie."""
    return f"{key(version.definition)}/{version.number}/"


def report_name(version: VersionId, scan_format: str, body: bytes) -> str:
    """The name of a report, the same for the same content. Raises ValueError when the format is no plain word."""
    return report_name_of(version, scan_format, sha256(body).hexdigest())


def report_name_of(version: VersionId, scan_format: str, digest: str) -> str:
    """The same for content whose SHA-256 is known. Raises ValueError also when that is no digest."""
    if not is_sha256(digest):
        raise ValueError(f"{digest[:80]!r} is no SHA-256 in 64 lower-case hex digits")
    if not is_format_name(scan_format):
        raise ValueError(f"{scan_format!r} is not the name of a report format: lower-case letters, digits and - only")
    return f"{report_folder(version)}{scan_format}/{digest}.json"


def report_format(name: str) -> str:
    """The format that a report's name tells."""
    return name.split("/")[-2]


def is_blob_name(name: str) -> bool:
    """Whether this can only mean one blob of the container it is looked up in."""
    parts = name.split("/")
    return len(name) <= MAX_BLOB_NAME and all(_PARTS.fullmatch(part) and part not in {".", ".."} for part in parts)


def check_blob_name(name: str) -> str:
    """The name. Raises ValueError when it isn't safe."""
    if not is_blob_name(name):
        raise ValueError(f"{name[:200]!r} is no blob name: parts between / must be neither empty nor . nor .. nor odd")
    return name
