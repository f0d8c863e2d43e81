"""Regular expressions of the policy, compiled by RE2: it takes time linear in the text, whatever the expression.

Python's own engine backtracks: ``(a+)+$`` on thirty letters and one digit runs for minutes. RE2 therefore knows no
backreferences and no look-around. Its syntax: https://github.com/google/re2/wiki/Syntax.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

_MEMORY: Final = 1024 * 1024
"""Bytes for one expression. ``(?:.?){1000}`` sixteen times over takes more, and a second for each line of a console."""
_HINTS: Final = (
    (re.compile(r"\\[1-9]$|\(\?P$"), "Backreferences are not supported: repeat the expression"),
    (re.compile(r"\(\?<?[=!]$"), "Lookahead and lookbehind are not supported"),
    (re.compile(r"\\Z$"), r"The end of the text is \z"),
)
"""What the end of RE2's message tells of an expression that is right elsewhere."""


@dataclass(frozen=True, slots=True)
class LinearPattern:
    """A compiled expression; ``shared.domain.policy.Pattern`` says what may be asked of it."""

    pattern: str
    _compiled: Any = field(repr=False, compare=False)

    def search(self, text: str, /) -> bool:
        """Whether it matches somewhere in the text. What is no Unicode in it counts as question marks."""
        return self._compiled.search(text.encode(errors="replace")) is not None

    def fullmatch(self, text: str, /) -> bool:
        """Whether it matches the whole text."""
        return self._compiled.fullmatch(text.encode(errors="replace")) is not None


def compiled(pattern: str) -> LinearPattern:
    """Compile an expression. Raises ValueError, which says what RE2 does not take."""
    import re2  # native code, which a policy without expressions does without

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return LinearPattern(pattern, re2.compile(pattern.encode(), options))
    except UnicodeEncodeError as error:
        raise ValueError("it contains an unpaired surrogate") from error
    except re2.error as error:
        (told,) = error.args
        text = told.decode(errors="replace")
        hint = next((f". {hint}" for sign, hint in _HINTS if sign.search(text)), "")
        raise ValueError(f"RE2 reports: {text}{hint}") from error
