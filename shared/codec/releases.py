"""Ledger rows, and their summaries, as JSON documents.

Fields that came later have defaults, so that older rows stay readable. A field whose loss would matter raises
``ROW_VERSION``: an older app then refuses the row instead of writing it back without the field.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from shared.codec import plain
from shared.codec.commands import COUNTS, STATE, Count, check_command, command_fields, read_command
from shared.codec.derive import from_wire, values, wire_struct
from shared.codec.errors import Malformed
from shared.domain.image import InvalidId, VersionId
from shared.domain.messages import Command
from shared.domain.release import Pending, Release
from shared.domain.release_summary import ReleaseSummary

ROW_VERSION: Final = 2
_WITHOUT_ACTIONS: Final = 1
"""The version of rows that 0.1.0 reads and writes back without loss. It would lose holds and approvals."""
SUMMARY_VERSION: Final = 1
"""Is raised whenever the same release gets another summary: a summary of any other version is not read."""


_Order: Final = wire_struct("Order", Command, {**COUNTS, **STATE, "release": str})
# What waits for people was "set aside" in rows of 0.1.0.
_Pending: Final = wire_struct("Pending", Pending, {"command": _Order}, rename={"parked": "aside"})
_Row: Final = wire_struct("Row", Release, {"version": str, "pending": dict[str, _Pending], "seq": Count, "v": int})
_Summary: Final = wire_struct("Summary", ReleaseSummary, {"version": str, "v": int})
_SUMMARY: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(_Summary)
_ROW: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(_Row)


def encode_release(release: Release) -> bytes:
    """A release as UTF-8 JSON. Raises Unencodable."""
    what = plain.LazyText(lambda: f"the row of {release.version.short}")
    plain.check_times(release, what)
    for dated in _dated(release):
        plain.check_time(dated.at, what)
    pending = {branch: _wire(each) for branch, each in release.pending.items()}
    fields = {**values(release), "version": str(release.version), "pending": pending}
    return plain.encode(_Row(**fields, v=ROW_VERSION if release.actions else _WITHOUT_ACTIONS), what)


def decode_release(body: bytes) -> Release:
    """Read a ledger row. Raises NotOurs, NewerVersion or Malformed."""
    what = "the ledger row"
    row = plain.decode(_ROW, body, what, ROW_VERSION)
    version = _version(row.version)
    pending = {branch: _pending(wire) for branch, wire in row.pending.items()}
    release = from_wire(Release, row, version=version, pending=pending)
    # The types of what is inside are the domain's own, so that the decoder doesn't ask for offsets there.
    for dated in _dated(release):
        if dated.at.tzinfo is None:
            raise Malformed(f"{what} of {version.short} has a time without a UTC offset: correct it in the table")
    return release


def _dated(release: Release) -> Iterator[Any]:
    """Everything in a row that has a time of its own."""
    yield from (*release.gates, *release.published, *release.history, *release.actions)
    if release.drift is not None:
        yield release.drift


def encode_summary(summary: ReleaseSummary) -> bytes:
    """A summary as UTF-8 JSON. Raises Unencodable."""
    what = plain.LazyText(lambda: f"the summary of {summary.version.short}")
    plain.check_times(summary, what)
    fields = {**values(summary), "version": str(summary.version)}
    return plain.encode(_Summary(**fields, v=SUMMARY_VERSION), what)


def decode_summary(body: bytes) -> ReleaseSummary:
    """Read a summary. Raises NotOurs, NewerVersion or Malformed, the last also for an older version."""
    what = "the summary of a ledger row"
    wire = plain.decode(_SUMMARY, body, what, SUMMARY_VERSION)
    if wire.v != SUMMARY_VERSION:
        raise Malformed(f"{what} has format version v={wire.v}: read the row")
    return from_wire(ReleaseSummary, wire, version=_version(wire.version))


def _wire(pending: Pending) -> Any:
    command = pending.command
    what = plain.LazyText(lambda: f"the pending command {command.branch} of {command.release.short}")
    check_command(command, what)
    plain.check_times(pending, what)
    order = _Order(**command_fields(command))
    return _Pending(**{**values(pending), "command": order})


def _pending(wire: Any) -> Pending:
    command = read_command(wire.command, "a pending command of the ledger row does not name an image version")
    return from_wire(Pending, wire, command=command)


def _version(text: str) -> VersionId:
    try:
        return VersionId.parse(text)
    except InvalidId as error:
        raise Malformed(f"the ledger row does not name an image version: {error}; correct it in the table") from error
