"""Styled text for the terminal."""

from __future__ import annotations

from rich.text import Text

from shared.domain.display import format_duration, format_time, printable, relative_time

__all__ = ["format_duration", "format_time", "relative_time", "safe_text", "status_text"]

_STYLES = {
    "released": "green",
    "rejected": "red",
    "superseded": "dim",
    "revoked": "red",
    "pass": "green",
    "reject": "red",
}


def safe_text(text: str, style: str = "") -> Text:
    """Text from outside. Markup and control characters in it have no effect."""
    return Text(printable(text), style=style)


def status_text(text: str) -> Text:
    """A state or verdict in its color: ``awaiting approval``."""
    return safe_text(text.replace("_", " "), _STYLES.get(text, "yellow"))
