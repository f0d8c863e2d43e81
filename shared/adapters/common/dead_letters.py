"""Size limits of dead letters."""

from __future__ import annotations

from dataclasses import replace

from shared.domain.limits import MAX_DEAD_LETTER_BODY
from shared.ports import DeadLetter

LONGEST_REASON = 4 * 1024
"""Maximum length of a dead letter's reason, in characters."""


def truncate(letter: DeadLetter) -> DeadLetter:
    """The dead letter as it is stored: with a truncated body and reason, and valid Unicode."""
    body = _valid(letter.body).encode()[:MAX_DEAD_LETTER_BODY].decode("utf-8", "ignore")
    reason = _valid(letter.reason[:LONGEST_REASON])
    return replace(letter, id=_valid(letter.id), queue=_valid(letter.queue), body=body, reason=reason)


def _valid(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
