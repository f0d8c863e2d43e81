"""Size limits of dead letters: a table's text property has at most 32,768 UTF-16 code units."""

from __future__ import annotations

from dataclasses import replace

from shared.adapters.common.names import digest
from shared.domain.limits import MAX_DEAD_LETTER_BODY
from shared.ports import DeadLetter

LONGEST_REASON = 4 * 1024
"""Maximum length of a dead letter's reason, in characters."""

LONGEST_ID = 1024
"""Maximum length of a dead letter's id, and of the name of its queue, in characters."""


def truncate(letter: DeadLetter) -> DeadLetter:
    """The dead letter as it is stored: with a truncated body and reason, and valid Unicode."""
    body = _valid(letter.body).encode()[:MAX_DEAD_LETTER_BODY].decode("utf-8", "ignore")
    reason = _valid(letter.reason[:LONGEST_REASON])
    return replace(letter, id=_valid(_short(letter.id)), queue=_valid(_short(letter.queue)), body=body, reason=reason)


def _short(name: str) -> str:
    """A name, with a digest in place of the end of one that is too long: two long names stay two."""
    return name if len(name) <= LONGEST_ID else f"{name[: LONGEST_ID - 65]}~{digest(name)}"


def _valid(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
