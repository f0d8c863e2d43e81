"""What is new and what is resolved in a version, compared with a published one.

Two findings are the same when they share an id or alias and a package. Numbers in package names are ignored, since
distributions put versions there (``linux-image-5.15.0-100-generic``, ``libssl1.1``) and an update would make all
findings of the package new.
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
    """What a version is compared with: the findings of a version that is already published.

    ``version`` is the name that people see. ``scanned_at`` is None when no report of that version can be read any more;
    its findings are then unknown, and every finding counts as new.
    """

    version: str
    findings: tuple[Finding, ...] = ()
    scanned_at: datetime | None = None
    is_same_version: bool = False
    """The baseline is the judged version itself, as it was when it passed. Set when it is scanned again later."""

    def __str__(self) -> str:
        if self.is_same_version:
            return "this version when it passed"
        if self.scanned_at is None:
            return f"{self.version} (published, but no scan of it is stored, so every finding counts as new)"
        return f"{self.version} (published, scanned on {self.scanned_at:%Y-%m-%d})"


@dataclass(frozen=True, slots=True)
class Delta:
    """``new`` are findings that the baseline does not have, ``resolved`` findings that only the baseline has."""

    new: tuple[Finding, ...]
    resolved: tuple[Finding, ...]


def compare(found: Iterable[Finding], baseline: Baseline) -> Delta:
    """Compare findings with those of the baseline."""
    found = tuple(found)
    before, after = _FindingIndex(baseline.findings), _FindingIndex(found)
    return Delta(
        new=tuple(finding for finding in found if finding not in before),
        resolved=tuple(finding for finding in baseline.findings if finding not in after),
    )


def is_improvement(new: Collection[Finding], resolved: int, baseline: Baseline) -> bool:
    """Whether no finding is new and at least one is resolved. A version compared with itself needs no resolved one."""
    return baseline.scanned_at is not None and not new and (baseline.is_same_version or resolved > 0)


class _FindingIndex:
    """Findings by id or alias and package: the package types under which each was found."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._types: dict[tuple[str, str], tuple[str, ...]] = {}
        types = self._types
        for finding in findings:
            type_, package = _package(finding)
            for name in (finding.id, *finding.aliases):
                key = (name.casefold(), package)
                known = types.get(key, ())
                if type_ not in known:
                    types[key] = (*known, type_)

    def __contains__(self, finding: Finding) -> bool:
        type_, package = _package(finding)
        for name in (finding.id, *finding.aliases):
            types = self._types.get((name.casefold(), package))
            if types and (type_ in types or not type_ or "" in types):
                return True
        return False


def _package(finding: Finding) -> tuple[str, str]:
    type_, name = package_key(finding)
    return type_, _without_numbers(name)


@lru_cache(maxsize=65_536)
def _without_numbers(name: str) -> str:
    return _NUMBERS.sub("#", name)
