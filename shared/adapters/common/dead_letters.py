"""How much of a dead letter is kept."""

from __future__ import annotations

from dataclasses import replace

from shared.ports import DeadLetter

LARGEST_BODY = 8 * 1024
"""Bytes of a dead letter's body."""
LONGEST_REASON = 4 * 1024
"""Characters of a dead letter's reason."""


def truncate(letter: DeadLetter) -> DeadLetter:
    """The letter as it is kept: its body and reason not longer than they may be, every text valid Unicode."""
    body = _valid(letter.body).encode()[:LARGEST_BODY].decode("utf-8", "ignore")
    reason = _valid(letter.reason[:LONGEST_REASON])
    return replace(letter, id=_valid(letter.id), queue=_valid(letter.queue), body=body, reason=reason)


def _valid(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
