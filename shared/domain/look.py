"""A look for users: which pages are left to read, and what came of the others.

A look is a value, so that it can go on after a crash at any page. It ends when nothing is left; whatever could not be
read by then is a failed entry of the coverage, and never missing from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from shared.domain.usage import (
    GRAPH,
    KINDS,
    LISTED,
    PROVIDERS,
    Coverage,
    InUseRules,
    Looked,
    Lookup,
    Source,
    UsageKind,
    UsagePage,
    below,
)

GRAPH_TABLES: Final = ("resources", "computeresources")
"""Instances of uniform scale sets are in a table of their own ("Azure Resource Graph table and resource type
reference")."""
EVERYWHERE: Final = "all subscriptions"
_UNREADABLE_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Look:
    """The pages that are left, the next one last; and how each type was looked at."""

    left: tuple[Lookup, ...]
    coverage: tuple[Coverage, ...] = ()

    @property
    def is_finished(self) -> bool:
        return not self.left

    @property
    def next(self) -> Lookup:
        """The page to read next. Raises IndexError when the look is finished."""
        return self.left[-1]


def begin(rules: InUseRules) -> Look:
    """A look in every subscription of the rules."""
    graph = (Lookup(EVERYWHERE, GRAPH, table) for table in GRAPH_TABLES) if rules.resource_graph else ()
    return Look((*graph, *(Lookup(each, PROVIDERS) for each in reversed(rules.subscriptions))))


def with_providers(look: Look, registered: Iterable[str], rules: InUseRules, now: datetime) -> Look:
    """The look after the resource providers of a subscription are known: which of its lists are left."""
    subscription, known = look.next.subscription, set(registered)
    coverage = tuple(_begun(subscription, kind, known, rules, now) for kind in LISTED)
    listed = {each.kind for each in coverage if each.looked is Looked.LISTED}
    lists = [Lookup(subscription, kind.name) for kind in LISTED if kind.name in listed and kind.parent is None]
    return Look((*look.left[:-1], *reversed(lists)), (*look.coverage, *coverage))


def with_page(look: Look, page: UsagePage, rules: InUseRules, now: datetime) -> Look:
    """The look after a page: what is below its resources comes first, then its next page."""
    lookup = look.next
    lists = [each for each in page.below if _waiver(each.kind, rules) is None]
    following = () if page.following is None else (page.following,)
    moved = Look((*look.left[:-1], *following, *reversed(lists)), look.coverage)
    counted = _changed(
        moved,
        lookup,
        (lookup.kind,),
        now,
        lambda each: replace(each, at=now, resources=each.resources + page.resources),
    )
    if not page.unreadable:
        return counted
    named = ", ".join(page.unreadable[:_UNREADABLE_NAMED])
    return _failed(counted, lookup, f"{len(page.unreadable)} could not be read: {named}", now)


def with_failure(look: Look, reason: str, rules: InUseRules, now: datetime) -> Look:
    """The look without the page that cannot be read. What is below its type cannot be known either."""
    lookup = look.next
    moved = Look(look.left[:-1], look.coverage)
    if lookup.kind != PROVIDERS:
        return _failed(moved, lookup, reason, now)
    namespaces = {kind.namespace for kind in LISTED}
    begun = (_begun(lookup.subscription, kind, namespaces, rules, now) for kind in LISTED)
    failed = tuple(
        replace(each, looked=Looked.FAILED, reason=reason) if each.looked is Looked.LISTED else each for each in begun
    )
    return replace(moved, coverage=(*moved.coverage, *failed))


def given_up(look: Look, reason: str, rules: InUseRules, now: datetime) -> Look:
    """The look as finished: whatever is left is marked as failed."""
    while not look.is_finished:
        look = with_failure(look, reason, rules, now)
    return look


def _begun(
    subscription: str, kind: UsageKind, registered: Container[str], rules: InUseRules, now: datetime
) -> Coverage:
    if (waiver := _waiver(kind.name, rules)) is not None:
        return Coverage(subscription, kind.name, Looked.WAIVED, now, reason=waiver)
    if kind.namespace not in registered:
        reason = f"{kind.namespace} is not registered"
        return Coverage(subscription, kind.name, Looked.NOT_REGISTERED, now, reason=reason)
    return Coverage(subscription, kind.name, Looked.LISTED, now)


def _waiver(kind: str, rules: InUseRules) -> str | None:
    """Why a type is not looked at: it is waived, or the type that it is below."""
    name: str | None = kind
    while name is not None:
        if name in rules.waived:
            return f"waived by the policy: {rules.waived[name] or 'no reason given'}"
        known = KINDS.get(name)
        name = known.parent if known else None
    return None


def _failed(look: Look, lookup: Lookup, reason: str, now: datetime) -> Look:
    kinds = (lookup.kind, *below(lookup.kind))
    told = f"{reason} (below {lookup.parent})" if lookup.parent and lookup.kind != GRAPH else reason
    return _changed(look, lookup, kinds, now, lambda each: _as_failed(each, told))


def _as_failed(each: Coverage, reason: str) -> Coverage:
    if each.looked not in {Looked.LISTED, Looked.FAILED}:
        return each
    # The first reason stays: what follows from it is less telling.
    return replace(each, looked=Looked.FAILED, reason=each.reason or reason)


def _changed(
    look: Look, lookup: Lookup, kinds: Collection[str], now: datetime, change: Callable[[Coverage], Coverage]
) -> Look:
    coverage = look.coverage
    if lookup.kind == GRAPH and not any(each.kind == GRAPH for each in coverage):
        coverage = (*coverage, Coverage(EVERYWHERE, GRAPH, Looked.LISTED, now, source=Source.RESOURCE_GRAPH))
    changed = (
        change(each) if each.subscription == lookup.subscription and each.kind in kinds else each for each in coverage
    )
    return Look(look.left, tuple(changed))
