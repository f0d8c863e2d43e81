"""What would have to change for a rejected version to pass: one line for each package, for people."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from shared.domain.findings import Finding, shortened
from shared.domain.merging import WORST_FIRST
from shared.domain.scan_exceptions import UsedException

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
    fixable = [(package, fixed) for package, found in worst if (fixed := [each for each in found if each.fixed])]
    unfixed = [(package, left) for package, found in worst if (left := [each for each in found if not each.fixed])]
    return (
        *_bounded(fixable, lambda each: _upgrade(*each[0], each[1]), "upgrades"),
        *_bounded(unfixed, lambda each: _except(*each[0], each[1]), "packages without a fix"),
        *_bounded(list(expired), _renewal, "expired exceptions"),
    )


def newest(versions: Iterable[str]) -> str:
    """The highest of some versions of one package, numbers compared as numbers.

    Not the rules of any package manager: good enough for people, who are told "or later".
    """
    return max(versions, key=_natural)


def _upgrade(package: str, installed: str, found: list[Finding]) -> str:
    target = newest(finding.fixed or "" for finding in found)
    return f"upgrade {package} {installed}".rstrip() + f" to {target} or later ({_ids(found)})"


def _except(package: str, installed: str, found: list[Finding]) -> str:
    no_fix = f"no fix is known for {_ids(found)} in {package} {installed}".rstrip()
    return f"{no_fix}: remove it, or except it with an owner, a reason and a last day"


def _renewal(used: UsedException) -> str:
    exception = used.exception
    return (
        f"fix {exception.id}, or have {exception.owner} renew the exception that ended on {exception.expires:%Y-%m-%d}"
        + (f" ({exception.source})" if exception.source else "")
    )


def _bounded[T](found: list[T], line: Callable[[T], str], what: str) -> Iterator[str]:
    # Only the lines that are told are made: there may be ten thousand packages.
    yield from (shortened(line(each)) for each in found[:LINES])
    if len(found) > LINES:
        yield f"and {len(found) - LINES} more {what}"


def _ids(found: list[Finding]) -> str:
    ids = list(dict.fromkeys(finding.id for finding in found))
    rest = f" and {len(ids) - _IDS} more" if len(ids) > _IDS else ""
    return ", ".join(ids[:_IDS]) + rest


def _natural(version: str) -> list[tuple[int, int, str]]:
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in _PARTS.findall(version)]
