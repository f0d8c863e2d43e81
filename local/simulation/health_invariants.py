"""What the health of published rings has against a publication, from the verdicts in rows and what really ran.

A verdict *pass* that no person gave must come from a fleet that is large and healthy enough. A person settles a failed
health with an action on the release.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from local.simulation.calendar_invariants import SKEW
from local.simulation.calls import Call, Invocation
from local.simulation.check_context import CheckContext
from local.simulation.laws import Law
from local.simulation.observations import publication_in
from shared.domain.actions import Action
from shared.domain.health import FleetFacts
from shared.domain.health_rules import OnUnknown
from shared.domain.image import VersionId
from shared.domain.policy import DefinitionPolicy, Ring
from shared.domain.release import Answer, Gate, GateRecord, Release

SETTLES: Final = frozenset({Action.RESUME, Action.RETRY, Action.RESTORE})


@dataclass(frozen=True, slots=True)
class _Verdict:
    answer: Answer
    at: datetime


class HealthInvariants:
    """Follows the verdicts on the health of rings."""

    def __init__(self, context: CheckContext) -> None:
        """Begin without verdicts."""
        self._context = context
        self._fleets: dict[int, FleetFacts] = {}
        """What an invocation was really told, by its number."""
        self._verdicts: dict[tuple[VersionId, str | None, str], _Verdict] = {}
        self._failed: dict[tuple[VersionId, str | None, str], datetime] = {}
        """When the health of a ring failed last. Only a person settles that; a later verdict does not."""

    def fleet_read(self, call: Call, found: FleetFacts) -> None:
        """A function read a fleet."""
        self._fleets[call.invocation.number] = found

    def row_written(self, invocation: Invocation, row: Release) -> None:
        """A row was written, perhaps with a verdict."""
        for record in row.gates:
            if record.gate is not Gate.HEALTH or record.ring is None:
                continue
            place = (row.version, record.incarnation, record.ring)
            if self._verdicts.get(place) != _Verdict(record.answer, record.at):
                self._verdicts[place] = _Verdict(record.answer, record.at)
                if record.answer is Answer.REJECT:
                    self._failed[place] = record.at
                self._check_verdict(invocation, row, record)

    def unmet(self, row: Release, policy: DefinitionPolicy, ring: Ring) -> Iterator[str]:
        """What the health of rings has against the publication of a ring."""
        settled = [each.at for each in row.actions if each.action in SETTLES]
        for (version, incarnation, name), failed_at in self._failed.items():
            is_own = (version, incarnation) == (row.version, row.incarnation)
            if is_own and not any(at > failed_at - SKEW for at in settled):
                yield f"somebody who decides on the failed health of {name}"
        names = [each.name for each in policy.rings]
        index = names.index(ring.name)
        before = policy.rings[index - 1] if index else None
        if before is not None and before.health is not None:
            accepted = {Answer.PASS}
            if before.health.on_unknown is OnUnknown.PROCEED:
                accepted.add(Answer.UNKNOWN)
            last = self._verdicts.get((row.version, row.incarnation, before.name))
            publication = publication_in(row, before.name)
            is_current = last is not None and publication is not None and last.at >= publication.at - SKEW
            if last is None or last.answer not in accepted or not is_current:
                yield f"a verdict on the health of {before.name}"

    def is_failed(self, row: Release, ring: str) -> bool:
        """Whether the health of a ring failed for this image."""
        last = self._verdicts.get((row.version, row.incarnation, ring))
        return last is not None and last.answer is Answer.REJECT

    def _check_verdict(self, invocation: Invocation, row: Release, record: GateRecord) -> None:
        evidence = self._context.proof.evidence(record.evidence)
        if record.answer is not Answer.PASS or evidence is None or evidence.document["by"] != "ringmaster":
            return
        rules = next(
            (
                ring.health
                for ring in self._context.truth.policies[record.policy_digest].rings
                if ring.name == record.ring
            ),
            None,
        )
        found = self._fleets.get(invocation.number)
        if rules is None or rules.scale_sets is None or found is None:
            return
        counted = found.instances
        judged = counted.good + counted.bad
        if judged < rules.minimum or counted.bad > rules.scale_sets.unhealthy.most * judged:
            text = f"the health of {record.ring} passed for {row.version.short} with {counted.good} good and "
            self._context.broken(Law.PROOF, f"{text}{counted.bad} bad instances", invocation)
