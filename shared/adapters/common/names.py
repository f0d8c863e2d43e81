r"""Names of table keys and blobs, for all adapters.

Table keys must not contain ``/ \ # ?`` or control characters (Azure REST API, "Understanding the Table service data
model"). Blob names may contain slashes, but HTTP clients resolve a part ``..``, which would lead to another container.
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
    """The id of a definition as a table key or part of a blob name. ``definition_of`` is the reverse.

    Resource ids do not contain ``~``, and ``~`` needs no escaping in URLs.
    """
    return str(definition).lstrip("/").replace("/", "~")


def definition_of(text: str) -> DefinitionId:
    """The definition for a key. Raises InvalidId."""
    return DefinitionId.parse("/" + text.replace("~", "/"))


def digest(text: str) -> str:
    """A key for text with any characters."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def report_folder(version: VersionId) -> str:
    """The prefix of the names of a version's reports."""
    return f"{key(version.definition)}/{version.number}/"


def report_name(version: VersionId, scan_format: str, body: bytes) -> str:
    """The name of a report, which depends on its content. Raises ValueError for an invalid format."""
    return report_name_of(version, scan_format, sha256(body).hexdigest())


def report_name_of(version: VersionId, scan_format: str, digest: str) -> str:
    """The name of a report with a known SHA-256. Raises ValueError for an invalid format or digest."""
    if not is_sha256(digest):
        raise ValueError(f"{digest[:80]!r} is not a SHA-256 digest (64 lowercase hexadecimal digits)")
    if not is_format_name(scan_format):
        raise ValueError(f"{scan_format!r} is not a valid report format: use lowercase letters, digits and hyphens")
    return f"{report_folder(version)}{scan_format}/{digest}.json"


def report_format(name: str) -> str:
    """The format in a report's name."""
    return name.split("/")[-2]


def is_blob_name(name: str) -> bool:
    """Whether the name is valid and cannot refer to a blob in another container."""
    parts = name.split("/")
    return len(name) <= MAX_BLOB_NAME and all(_PARTS.fullmatch(part) and part not in {".", ".."} for part in parts)


def check_blob_name(name: str) -> str:
    """Return the name. Raises ValueError when it is not valid."""
    if not is_blob_name(name):
        raise ValueError(
            f"{name[:200]!r} is not a valid blob name: it has {len(name)} characters of at most {MAX_BLOB_NAME}, and "
            "parts between slashes must not be empty, '.' or '..'"
        )
    return name
