"""What the app answers, typed. Fields that this version doesn't know are passed over."""

from __future__ import annotations

from datetime import datetime

import msgspec

from shared.cli.exit_codes import RequestFailed


class Waiting(msgspec.Struct):
    """One thing that a release waits for."""

    what: str
    next_look: datetime
    deadline: datetime
    step: str | None = None
    attempt: int = 0
    stalled: str | None = None
    fault: str | None = None


class Summary(msgspec.Struct):
    """One release in short."""

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
    """What a gate said."""

    gate: str
    answer: str
    at: datetime
    ring: str | None = None
    region: str | None = None
    reasons: list[str] = []
    evidence: str = ""


class HistoryEntry(msgspec.Struct):
    """One line of a release's history."""

    at: datetime
    text: str


class Explanation(Summary, kw_only=True):
    """All about one release."""

    incarnation: str | None = None
    policy_digest: str = ""
    gates: list[Verdict] = []
    history: list[HistoryEntry] = []


class DeadLetter(msgspec.Struct):
    """A message that nobody could work on."""

    id: str
    queue: str
    reason: str
    at: datetime
    release: str | None = None


class Overview(msgspec.Struct):
    """Every release in short."""

    releases: list[Summary]
    dead_letters: list[DeadLetter] = msgspec.field(name="deadLetters", default_factory=list)


class Resent(msgspec.Struct):
    """How many commands were sent again."""

    resent: int


def decode[T](body: bytes, kind: type[T]) -> T:
    """An answer. Raises NoAnswer when it is of another shape."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        start = body[:80].decode("utf-8", "replace")
        raise RequestFailed(
            f"the answer is not what this version of ringmaster reads ({error}); it begins {start!r}. "
            "Is RINGMASTER_URL a Ringmaster app, and of the same version?"
        ) from error
