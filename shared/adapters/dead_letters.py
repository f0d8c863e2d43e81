"""How much of a dead letter is kept."""

from __future__ import annotations

from dataclasses import replace

from shared.ports import DeadLetter

LARGEST_BODY = 8 * 1024
"""Bytes of a dead letter's body."""
LONGEST_REASON = 4 * 1024
"""Characters of a dead letter's reason."""


def cut(letter: DeadLetter) -> DeadLetter:
    """The letter as it is kept: its body and reason not longer than they may be, and valid Unicode."""
    body = letter.body.encode("utf-8", "replace")[:LARGEST_BODY].decode("utf-8", "ignore")
    reason = letter.reason[:LONGEST_REASON].encode("utf-8", "replace").decode("utf-8")
    return replace(letter, body=body, reason=reason)
