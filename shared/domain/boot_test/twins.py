"""Twins: machines of one version whose identities are compared, which is the proof of generalization.

Every machine of a release is a twin of every other: the smoke test's, and those of all rings and regions. Tests run
side by side, so that the comparison belongs to the write of a verdict: of two tests that end at the same time, the
second sees the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from shared.domain.boot_test.identities import Shared, shared
from shared.domain.outcomes import Decided
from shared.domain.policy import BootRules, Twins
from shared.domain.release import Answer, Gate, GateRecord, Release


def compared(release: Release, decided: Decided, place: str, rules: BootRules) -> Decided:
    """The verdict of a boot test after the comparison with all other machines of the release.

    ``place`` names the ring and region of the machine. Verdicts of other gates, and rejections, stay as they are.
    """
    if decided.gate is not Gate.BOOT_TEST or decided.answer is not Answer.PASS or rules.twins is Twins.IGNORED:
        return decided
    reasons = tuple(_reasons(release, decided, place))
    return replace(decided, answer=Answer.REJECT, reasons=reasons) if reasons else decided


def _reasons(release: Release, decided: Decided, place: str) -> Iterator[str]:
    machine = decided.machine
    told: set[str] = set()
    for record in release.gates:
        other = record.machine
        if machine is None or other is None or other.vm == machine.vm or record.incarnation != release.incarnation:
            continue
        found = [each for each in shared(machine.identities, other.identities) if each.name not in told]
        told |= {each.name for each in found}
        yield from texts(found, f"{machine.vm} ({place})", f"{other.vm} ({place_of(record)})")


def texts(found: Iterable[Shared], one: str, other: str) -> Iterator[str]:
    """Why an image is rejected whose machines share identities: a text for each, with the items that are shared."""
    for identity, group in groupby(found, key=lambda each: each.identity):
        items = ", ".join(each.item for each in group if each.item)
        yield f"{identity.words}{f' ({items})' if items else ''} is the same on {one} and {other}: {identity.remedy}"


def place_of(record: GateRecord) -> str:
    """The ring and region of a verdict, for people."""
    return place_in(record.ring, record.region)


def place_in(ring: str | None, region: str | None) -> str:
    """A ring and region, for people."""
    return "smoke test" if ring is None else f"{ring}/{region}"
