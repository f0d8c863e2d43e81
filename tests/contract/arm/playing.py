"""All recorded sessions played once, with what was compared, what was passed over and what differs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.contract.arm.comparison import Difference, compare, general, leaves
from tests.contract.arm.recordings import Exchange, Session, sessions
from tests.contract.arm.replay import Player, Replayed


@dataclass(frozen=True, slots=True)
class Played:
    """One session's result; ``passed`` are exchanges without a counterpart, each with what it was about."""

    session: Session
    replayed: tuple[Replayed, ...]
    passed: tuple[tuple[Exchange, str], ...]


@cache
def play_all(recordings: Path) -> tuple[Played, ...]:
    """Every session that says anything to ARM; once in a process."""
    found = []
    for session in sessions(recordings):
        if session.exchanges:
            player = Player(session)
            replayed = tuple(player.play())
            found.append(Played(session, replayed, tuple(player.passed)))
    return tuple(found)


def seen_paths(played: tuple[Played, ...]) -> dict[tuple[str, str], frozenset[str]]:
    """By operation and api-version, every member that any recorded answer of it has."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in played:
        for each in one.replayed:
            if each.exchange.status < 400:
                found[each.operation, each.exchange.api_version] |= {
                    general(path) for path, _ in leaves(each.exchange.answer)
                }
    return {key: frozenset(paths) for key, paths in found.items()}


def differences(played: tuple[Played, ...]) -> list[tuple[str, Difference]]:
    """Session and difference, for every answer that is not the recorded one."""
    seen = seen_paths(played)
    return [
        (one.session.name, found)
        for one in played
        for each in one.replayed
        for found in compare(
            each.operation,
            each.exchange,
            each.reply,
            seen.get((each.operation, each.exchange.api_version), frozenset()),
        )
    ]
