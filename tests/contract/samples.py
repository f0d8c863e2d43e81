"""Rows and commands for contract tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain.image import DefinitionId, GalleryId, VersionId, VersionNumber
from shared.domain.messages import Command, Kind
from shared.domain.release import Answer, Gate, GateRecord, Pending, Release, State

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
GALLERY = GalleryId("11111111-2222-3333-4444-555555555555", "rg-(images).x", "shared_images")
LINUX = DefinitionId(GALLERY, "linux-base")
WINDOWS = DefinitionId(GALLERY, "linux-base-2")


def version(number: str = "1.2.3", definition: DefinitionId = LINUX) -> VersionId:
    return definition.version(VersionNumber.parse(number))


def command(of: VersionId | None = None, kind: Kind = Kind.SCAN, **fields: Any) -> Command:
    return Command(kind=kind, release=of or version(), seq=1, not_after=NOW + HOUR, **fields)


def release(of: VersionId | None = None, **fields: Any) -> Release:
    """A release under way, with a command that no queue has yet."""
    of = of or version()
    waiting = command(of)
    row = Release(of, State.QUALIFYING, 1, "d" * 64, NOW, NOW, pending={str(waiting.branch): Pending(waiting, NOW)})
    return replace(row, **fields)


def settled(of: VersionId | None = None) -> Release:
    """A release that ended, with nothing left to do."""
    return release(of, state=State.RELEASED, pending={})


def grown(row: Release, size: int) -> Release:
    """A release with a history and verdicts of about so many bytes."""
    reason = "kernel panic at 0xdeadbeef " * 20
    record = GateRecord(Gate.BOOT_TEST, Answer.REJECT, NOW, "then", "d" * 64, "evidence/name.json", (reason,))
    return replace(row, gates=(record,) * (size // len(reason) + 1))
