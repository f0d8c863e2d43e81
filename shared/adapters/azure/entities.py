"""Ledger rows as table entities.

All rows of an image definition are in one partition, so that a row and the archive of its previous incarnation can
change in one transaction:

===================================  ==============================================
RowKey                               entity
===================================  ==============================================
``r~<number>``                       the row of a version's current incarnation
``a~<number>~<incarnation>~<seq>``   a previous incarnation of the version number
``lease``                            who may write the definition, and until when
``adopted``                          when Ringmaster started to manage the definition
===================================  ==============================================

Version numbers are encoded so that they sort numerically. A row holds its JSON document in binary properties of 60 KiB,
its summary for queries with ``$select``, and simple properties for filters and for people. A property can hold 64 KiB
and an entity 1 MiB (Azure REST API, "Understanding the Table service data model").

A row is always replaced, never merged, so that a version of the app that knows no summaries removes the one that its
write makes wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from shared.adapters.common.names import digest, key
from shared.codec import CodecError, Malformed, TooLarge, decode_release, decode_summary, encode_release, encode_summary
from shared.domain.image import VersionId
from shared.domain.release import Release
from shared.domain.release_summary import ReleaseSummary
from shared.ports import DeadLetter

CHUNK: Final = 60 * 1024
LARGEST_ROW: Final = 960 * 1024
"""Maximum size of a row's document. The rest of the 1 MiB is for the other properties."""
LARGEST_SUMMARY: Final = 8 * 1024
"""Bytes in UTF-8, which are at most 16 KiB in a property: a text property takes two bytes for each UTF-16 code unit."""
SUMMARY_COLUMNS: Final = ("RowKey", "summary")
LEASE: Final = "lease"
ADOPTED: Final = "adopted"
DEAD_LETTERS: Final = "dead-letters"
FIRST_ROW: Final = "r~"
AFTER_ROWS: Final = "r\x7f"
_KEY_SAFE: Final = re.compile(r"[0-9A-Za-z.:+_-]{1,100}")


def row_key(version: VersionId) -> str:
    """The RowKey of a version's current row."""
    return FIRST_ROW + version.number.sort_key


def archive_prefix(version: VersionId) -> str:
    """The prefix of the RowKeys of a version number's previous incarnations."""
    return f"a~{version.number.sort_key}~"


def archive_key(release: Release) -> str:
    """The RowKey of a previous incarnation.

    The sequence number distinguishes incarnations without a known publication date.
    """
    incarnation = release.incarnation or "unknown"
    safe = incarnation if _KEY_SAFE.fullmatch(incarnation) else digest(incarnation)
    return f"{archive_prefix(release.version)}{safe}~{release.seq:010d}"


def claim_keys(text: str) -> tuple[str, str]:
    """PartitionKey and RowKey of a claim.

    They contain a digest, because the text may contain any character and secrets.
    """
    hashed = digest(text)
    return f"once~{hashed[:2]}", hashed


def entity_of(release: Release, row: str) -> dict[str, Any]:
    """The entity for a release. Raises CodecError."""
    body = encode_release(release)
    if len(body) > LARGEST_ROW:
        raise TooLarge(
            f"the row of {release.version.short} has {len(body) >> 10} KiB; at most {LARGEST_ROW >> 10} KiB "
            "fit into a ledger row"
        )
    summary = encode_summary(ReleaseSummary.of(release))
    chunks = {f"document{start // CHUNK:02d}": body[start : start + CHUNK] for start in range(0, len(body), CHUNK)}
    return {
        "PartitionKey": key(release.version.definition),
        "RowKey": row,
        "version": str(release.version),
        "state": release.state.value,
        "settled": release.is_settled,
        "unsent": any(True for _ in release.unsent()),
        "updated": release.updated_at,
        "size": len(body),
        # Without it, the row itself is read.
        **({"summary": summary.decode()} if len(summary) <= LARGEST_SUMMARY else {}),
        **chunks,
    }


def release_of(entity: Mapping[str, Any]) -> Release:
    """The release in an entity. Raises CodecError."""
    size = entity.get("size")
    count = -(-size // CHUNK) if isinstance(size, int) and 0 < size <= LARGEST_ROW else 0
    chunks = [entity.get(f"document{index:02d}") for index in range(count)]
    body = b"".join(chunk for chunk in chunks if isinstance(chunk, bytes))
    if not body or len(body) != size:
        raise Malformed(f"the ledger row {entity.get('PartitionKey')} {entity.get('RowKey')} is incomplete")
    return decode_release(body)


def summary_of(entity: Mapping[str, Any]) -> ReleaseSummary | None:
    """The summary in an entity, or None when another version of the app has written it, with none or another."""
    summary = entity.get("summary")
    try:
        return decode_summary(summary.encode(errors="replace")) if isinstance(summary, str) else None
    except CodecError:
        return None


def letter_entity(letter: DeadLetter) -> dict[str, Any]:
    """The entity for a dead letter. Its body is binary, because anyone may have sent it."""
    return {
        "PartitionKey": DEAD_LETTERS,
        "RowKey": digest(letter.id),
        "id": letter.id,
        "queue": letter.queue,
        "reason": letter.reason,
        "body": letter.body.encode(),
        "at": letter.at,
        **({} if letter.release is None else {"release": letter.release}),
    }


def letter_of(entity: Mapping[str, Any]) -> DeadLetter:
    """The dead letter in an entity. Raises Malformed."""
    texts = {name: entity.get(name) for name in ("id", "queue", "reason")}
    body, at, release = entity.get("body"), entity.get("at"), entity.get("release")
    whole = all(isinstance(text, str) for text in (*texts.values(), release or ""))
    if not whole or not isinstance(body, bytes) or not isinstance(at, datetime):
        raise Malformed(f"the dead letter {entity.get('RowKey')} has a missing or invalid property")
    letter: dict[str, Any] = {**texts, "release": release}
    return DeadLetter(**letter, body=body.decode("utf-8", "replace"), at=instant(at))


def instant(value: datetime) -> datetime:
    """The SDK's time as a plain ``datetime``. The SDK returns a subclass with more digits."""
    return datetime.fromtimestamp(0, UTC) + (value.astimezone(UTC) - datetime.fromtimestamp(0, UTC))
