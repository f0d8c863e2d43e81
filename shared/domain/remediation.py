"""Remediation steps: what to change so that a rejected version passes, one line for each package."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from shared.domain.findings import Finding, shorten
from shared.domain.merging import SEVERITY_RANK
from shared.domain.scan_exceptions import MatchedException

MAX_STEPS: Final = 20
"""Steps of a kind that are listed; the others are counted."""
_MAX_IDS: Final = 3
_VERSION_PARTS: Final = re.compile(r"[0-9]+|[^0-9]+")


def remediation_steps(deciding: Iterable[Finding], expired: Iterable[MatchedException]) -> tuple[str, ...]:
    """Upgrades first, then packages without a fix, then exceptions to renew; each at most ``MAX_STEPS``."""
    by_package: dict[tuple[str, str], list[Finding]] = {}
    for finding in {id(each): each for each in deciding}.values():
        by_package.setdefault((finding.package, finding.installed), []).append(finding)
    worst = sorted(by_package.items(), key=lambda each: (min(SEVERITY_RANK[f.severity] for f in each[1]), each[0]))
    fixable = [(package, fixed) for package, found in worst if (fixed := [each for each in found if each.fixed])]
    unfixed = [(package, left) for package, found in worst if (left := [each for each in found if not each.fixed])]
    return (
        *_limited(fixable, lambda each: _upgrade_step(*each[0], each[1]), "upgrades"),
        *_limited(unfixed, lambda each: _exception_step(*each[0], each[1]), "packages without a fix"),
        *_limited(list(expired), _renewal_step, "expired exceptions"),
    )


def highest_version(versions: Iterable[str]) -> str:
    """The highest version of a package, with numbers compared as numbers.

    These are not the comparison rules of a package manager. They are close enough for a text that says "or later".
    """
    return max(versions, key=_sort_key)


def _upgrade_step(package: str, installed: str, found: list[Finding]) -> str:
    target = highest_version(finding.fixed or "" for finding in found)
    return f"upgrade {package} {installed}".rstrip() + f" to {target} or later ({_ids(found)})"


def _exception_step(package: str, installed: str, found: list[Finding]) -> str:
    no_fix = f"no fix is known for {_ids(found)} in {package} {installed}".rstrip()
    return f"{no_fix}: remove the package, or add an exception with an owner, a reason and an expiry date"


def _renewal_step(match: MatchedException) -> str:
    exception = match.exception
    source = f" ({exception.source})" if exception.source else ""
    expired = f"{exception.expires:%Y-%m-%d}{source}"
    return f"fix {exception.id}, or ask {exception.owner} to renew the exception that expired on {expired}"


def _limited[T](found: list[T], line: Callable[[T], str], what: str) -> Iterator[str]:
    # Only the listed lines are formatted: there may be ten thousand packages.
    yield from (shorten(line(each)) for each in found[:MAX_STEPS])
    if len(found) > MAX_STEPS:
        yield f"and {len(found) - MAX_STEPS} more {what}"


def _ids(found: list[Finding]) -> str:
    ids = list(dict.fromkeys(finding.id for finding in found))
    rest = f" and {len(ids) - _MAX_IDS} more" if len(ids) > _MAX_IDS else ""
    return ", ".join(ids[:_MAX_IDS]) + rest


def _sort_key(version: str) -> list[tuple[int, int, str]]:
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in _VERSION_PARTS.findall(version)]
