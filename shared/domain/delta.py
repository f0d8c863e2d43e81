"""What is new in a version, compared with what is published.

Two findings are the same when they share a name (the id or an alias) and a package. Numbers in a package's name don't
count: distributions put versions there (``linux-image-5.15.0-100-generic``, ``libssl1.1``), so that each update would
make all of its findings look new.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from shared.domain.findings import Finding
from shared.domain.merging import package_key

_NUMBERS: Final = re.compile(r"[0-9]+([.\-_~+:]*[0-9]+)*")


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a version is compared with: the findings of a version that is published already.

    ``version`` is how people are told of it. ``scanned_at`` is None when no report of it can be read any more; its
    findings are then unknown, and whatever is found counts as new.
    """

    version: str
    findings: tuple[Finding, ...] = ()
    scanned_at: datetime | None = None
    itself: bool = False
    """The very version that is judged, as it was when it passed: for the day after."""

    def __str__(self) -> str:
        if self.itself:
            return "this version when it passed"
        if self.scanned_at is None:
            return f"{self.version}, which is published (of which no scan is kept, so all counts as new)"
        return f"{self.version}, which is published (as scanned on {self.scanned_at:%Y-%m-%d})"


@dataclass(frozen=True, slots=True)
class Delta:
    """``new``: findings that the baseline does not have, worst first. ``gone``: the baseline's that are no more."""

    new: tuple[Finding, ...]
    gone: tuple[Finding, ...]


def compare(found: Iterable[Finding], baseline: Baseline) -> Delta:
    """What of the findings is new, and which of the baseline's are not found any more."""
    found = tuple(found)
    before, after = _Places(baseline.findings), _Places(found)
    return Delta(
        new=tuple(finding for finding in found if finding not in before),
        gone=tuple(finding for finding in baseline.findings if finding not in after),
    )


def improves(new: Collection[Finding], gone: int, baseline: Baseline) -> bool:
    """Whether nothing came and something went; for a version compared with itself, whether nothing came."""
    return baseline.scanned_at is not None and not new and (baseline.itself or gone > 0)


class _Places:
    """Findings, by name and package."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._kinds: dict[tuple[str, str], tuple[str, ...]] = {}
        kinds = self._kinds
        for finding in findings:
            kind, package = _package(finding)
            for name in (finding.id, *finding.aliases):
                place = (name.casefold(), package)
                known = kinds.get(place, ())
                if kind not in known:
                    kinds[place] = (*known, kind)

    def __contains__(self, finding: Finding) -> bool:
        kind, package = _package(finding)
        for name in (finding.id, *finding.aliases):
            kinds = self._kinds.get((name.casefold(), package))
            if kinds and (kind in kinds or not kind or "" in kinds):
                return True
        return False


def _package(finding: Finding) -> tuple[str, str]:
    kind, name = package_key(finding)
    return kind, _without_numbers(name)


@lru_cache(maxsize=65_536)
def _without_numbers(name: str) -> str:
    return _NUMBERS.sub("#", name)
