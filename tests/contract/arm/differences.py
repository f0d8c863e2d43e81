"""The one list of what the simulator is known to do otherwise than Azure, and how its entries are matched."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.contract.arm.comparison import Difference

FILE: Final = Path(__file__).resolve().parents[3] / "local" / "arm" / "known-differences.json"


@cache
def known() -> dict[str, Any]:
    """The file: ``validator`` and ``recordings`` are checked by tests, ``guesses`` are for people."""
    return json.loads(FILE.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Entry:
    """A listed difference. ``operation``, ``aspect`` and ``where`` are texts or lists; ``*`` stands for any part.

    ``session``, where given, limits the entry to recordings whose name contains it.
    """

    operation: re.Pattern[str]
    aspect: re.Pattern[str]
    where: re.Pattern[str]
    session: str
    reason: str
    text: str

    def covers(self, session: str, found: Difference) -> bool:
        return (
            self.session in session
            and self.operation.fullmatch(found.operation) is not None
            and self.aspect.fullmatch(found.aspect) is not None
            and self.where.fullmatch(found.where) is not None
        )


def entries() -> list[Entry]:
    """What the file lists of the recordings."""
    return [
        Entry(
            _pattern(one["operation"]),
            _pattern(one["aspect"]),
            _pattern(one["where"]),
            one.get("session", ""),
            one["reason"],
            json.dumps({key: value for key, value in one.items() if key != "reason"}),
        )
        for one in known()["recordings"]
    ]


def _pattern(given: str | list[str]) -> re.Pattern[str]:
    several = [given] if isinstance(given, str) else given
    return re.compile("|".join(".*".join(re.escape(part) for part in one.split("*")) for one in several), re.DOTALL)
