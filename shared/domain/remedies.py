"""What would have to change for a rejected version to pass: one line for each package, for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from shared.domain.excepting import UsedException
from shared.domain.findings import Finding
from shared.domain.merging import WORST_FIRST

LINES: Final = 20
"""Packages that are named one by one."""
_IDS: Final = 3
_PARTS: Final = re.compile(r"[0-9]+|[^0-9]+")


def remedies(deciding: Iterable[Finding], expired: Iterable[UsedException]) -> tuple[str, ...]:
    """Upgrades first, then what has no fix, then exceptions to renew. Bounded: the rest is counted."""
    by_package: dict[tuple[str, str], list[Finding]] = {}
    for finding in {id(each): each for each in deciding}.values():
        by_package.setdefault((finding.package, finding.installed), []).append(finding)
    worst = sorted(by_package.items(), key=lambda each: (min(WORST_FIRST[f.severity] for f in each[1]), each[0]))
    upgrades = [line for (package, installed), found in worst for line in _upgrade(package, installed, found)]
    unfixed = [line for (package, installed), found in worst for line in _except(package, installed, found)]
    return (*_bounded(upgrades, "upgrades"), *_bounded(unfixed, "packages without a fix"), *_renewals(expired))


def newest(versions: Iterable[str]) -> str:
    """The highest of some versions of one package, numbers compared as numbers.

    Not the rules of any package manager: good enough for people, who are told "or later".
    """
    return max(versions, key=_natural)


def _upgrade(package: str, installed: str, found: list[Finding]) -> Iterator[str]:
    fixed = [finding for finding in found if finding.fixed]
    if fixed:
        target = newest(finding.fixed or "" for finding in fixed)
        yield f"upgrade {package} {installed}".rstrip() + f" to {target} or later ({_ids(fixed)})"


def _except(package: str, installed: str, found: list[Finding]) -> Iterator[str]:
    unfixed = [finding for finding in found if not finding.fixed]
    if unfixed:
        yield (
            f"no fix is known for {_ids(unfixed)} in {package} {installed}".rstrip()
            + ": remove it, or except it with an owner, a reason and a last day"
        )


def _renewals(expired: Iterable[UsedException]) -> Iterator[str]:
    lines = [
        f"fix {used.exception.id}, or have {used.exception.owner} renew the exception that ended on "
        f"{used.exception.expires:%Y-%m-%d}" + (f" ({used.exception.source})" if used.exception.source else "")
        for used in expired
    ]
    return _bounded(lines, "expired exceptions")


def _bounded(lines: list[str], what: str) -> Iterator[str]:
    yield from lines[:LINES]
    if len(lines) > LINES:
        yield f"and {len(lines) - LINES} more {what}"


def _ids(found: list[Finding]) -> str:
    ids = list(dict.fromkeys(finding.id for finding in found))
    rest = f" and {len(ids) - _IDS} more" if len(ids) > _IDS else ""
    return ", ".join(ids[:_IDS]) + rest


def _natural(version: str) -> list[tuple[int, int, str]]:
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in _PARTS.findall(version)]
