"""Times and foreign text as a terminal may show them."""

from __future__ import annotations

from rich.text import Text

from shared.domain.wording import distance, moment, printable, span

__all__ = ["distance", "moment", "safe_text", "span", "status_text"]

_STYLES = {
    "released": "green",
    "rejected": "red",
    "superseded": "dim",
    "revoked": "red",
    "pass": "green",
    "reject": "red",
}


def safe_text(text: str, style: str = "") -> Text:
    """Foreign text: neither markup nor control characters in it mean anything (console lines are full of both)."""
    return Text(printable(text), style=style)


def status_text(text: str) -> Text:
    """A state or an answer, in its colour."""
    return safe_text(text, _STYLES.get(text, "yellow"))
