"""The app of the second host: the product's, with the clock that its triggers read set ahead."""

from __future__ import annotations

from pathlib import Path

from local.stack.options import PROJECT_ROOT

_WRONG_CLOCK = """from datetime import UTC, datetime, timedelta

from shared.triggers import runtime

runtime.utc_now = lambda: datetime.now(UTC) + timedelta(seconds={seconds!r})
"""


def skewed_app(directory: Path, seconds: float) -> Path:
    """The product's app whose clock is ahead by so many real seconds (behind, when negative). Returns its folder.

    Everything below the triggers is given the time, so ``utc_now`` is the only clock of the app that counts.
    """
    directory.mkdir(parents=True, exist_ok=True)
    source = (PROJECT_ROOT / "function_app.py").read_text(encoding="utf-8")
    (directory / "function_app.py").write_text(_WRONG_CLOCK.format(seconds=seconds) + source, encoding="utf-8")
    for name in ("host.json", "shared"):
        if not (directory / name).exists():
            (directory / name).symlink_to(PROJECT_ROOT / name)
    return directory
