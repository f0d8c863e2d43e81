"""The app's HTTP responses as typed objects. Unknown fields are ignored."""

from __future__ import annotations

from datetime import datetime

import msgspec

from shared.cli.exit_codes import RequestFailed


class Waiting(msgspec.Struct):
    """Pending work of a release."""

    what: str
    next_look: datetime
    deadline: datetime
    step: str | None = None
    attempt: int = 0
    stalled: str | None = None
    fault: str | None = None


class Summary(msgspec.Struct):
    """Summary of a release."""

    version_id: str
    name: str
    state: str
    started_at: datetime
    updated_at: datetime
    ring: str | None = None
    reasons: list[str] = []
    warnings: list[str] = []
    published: dict[str, list[str]] = {}
    waiting_for: list[Waiting] = []
    stalled: dict[str, str] = {}
    seconds: float = 0.0
    settled: bool = False


class Verdict(msgspec.Struct):
    """The verdict of a gate."""

    gate: str
    answer: str
    at: datetime
    ring: str | None = None
    region: str | None = None
    reasons: list[str] = []
    evidence: str = ""


class HistoryEntry(msgspec.Struct):
    """An entry in a release's history."""

    at: datetime
    text: str


class Explanation(Summary, kw_only=True):
    """Details of a release."""

    incarnation: str | None = None
    policy_digest: str = ""
    gates: list[Verdict] = []
    history: list[HistoryEntry] = []


class DeadLetter(msgspec.Struct):
    """A message that could not be processed."""

    id: str
    queue: str
    reason: str
    at: datetime
    release: str | None = None


class Overview(msgspec.Struct):
    """All releases, and the messages that could not be processed."""

    releases: list[Summary]
    dead_letters: list[DeadLetter] = msgspec.field(name="deadLetters", default_factory=list)


class Resent(msgspec.Struct):
    """How many commands were sent again."""

    resent: int


def decode[T](body: bytes, kind: type[T]) -> T:
    """Decode a response. Raises RequestFailed when it has an unexpected format."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        start = body[:80].decode("utf-8", "replace")
        raise RequestFailed(
            f"the response has an unexpected format ({error}); it starts with {start!r}. "
            "Check that RINGMASTER_URL is the URL of a Ringmaster app of the same version."
        ) from error
