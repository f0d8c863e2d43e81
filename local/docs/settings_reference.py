"""``docs/settings.md``: every application setting, its default and what it means."""

from __future__ import annotations

from shared.settings import SETTINGS

_HEAD = """# Settings

Application settings of the function app, as environment variables. Every fault is reported at once when the app starts.
This page is generated from `shared/settings/environment.py` by `python -m local.docs`.

| setting | default | meaning |
|---|---|---|
"""


def page() -> str:
    """The page."""
    return _HEAD + "".join(_row(setting.name, setting.default, setting.meaning) for setting in SETTINGS)


def _row(name: str, default: str | None, meaning: str) -> str:
    shown = "" if not default else f"`{default}`"
    return f"| `{name}` | {shown} | {meaning} |\n"
