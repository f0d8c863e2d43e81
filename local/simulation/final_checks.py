"""How a run has ended, held against what everybody did: what no single step can show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from local.simulation.cloud import Cloud, run_now
from local.simulation.ground_truth import GroundTruth
from local.simulation.invariants import Invariants
from local.simulation.observations import definitions_written
from local.simulation.scanners import Scanners
from local.simulation.scenario import Build, Scenario
from shared.domain.facts import VersionFacts
from shared.domain.image import DefinitionId, VersionId
from shared.domain.policy import DayAfter, Policy
from shared.domain.release import Release, State


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalChecks:
    """Everything that happened; ``breaks`` is told of every law that was broken, with its number."""

    cloud: Cloud
    invariants: Invariants
    truth: GroundTruth
    scenario: Scenario
    scanners: Scanners
    policy: Policy
    """As it was in the end."""
    builds: Mapping[VersionId, Build]
    disturbed: Set[VersionId]
    """Versions whose numbers were used again, that were deleted or hidden: what became of them is people's doing."""
    has_lost_messages: bool
    on_violation: Callable[[int, str], None]

    def run(self, rows: Iterable[Release]) -> None:
        """Judge every row, and everything that is visible."""
        for disk in self.truth.foreign_resources - set(self.cloud.machines.everything()):
            self.on_violation(7, f"{disk} is not ours and is gone")
        for definition in {each for policy in self.truth.policies.values() for each in definitions_written(policy)}:
            for facts in run_now(self.cloud.galleries.versions(definition)):
                self._judge_visible(facts)
        for row in rows:
            self._judge_row(row)

    def _judge_visible(self, facts: VersionFacts) -> None:
        source, bearer = self.truth.source_of(facts.id), self.invariants.bearer_of(facts)
        truth = self.truth.images.get((source, bearer or ""))
        where = [region for region in facts.regions if facts.visible_in(region)]
        if where and (truth is None or not truth.boots or not truth.has_clean_scan):
            self.on_violation(2, f"{facts.id.short} is visible in {', '.join(where)} and is bad: {truth}")

    def _judge_row(self, row: Release) -> None:
        build = self.builds.get(row.version)
        truth = self.truth.images.get((row.version, row.incarnation or ""))
        if build is None or truth is None or row.version in self.disturbed:
            return
        if row.state is State.REVOKED:
            self._judge_revoked(row)
            return
        if row.state is State.RELEASED:
            self._judge_last_scan(row)
        for place, region in self._shown_unrecorded(row):
            self.on_violation(3, f"{place.short} is visible in {region}, and the ledger knows of no publication there")
        if row.version in self.scanners.not_clean or not (truth.boots and truth.has_clean_scan):
            return
        if build.by_reference and self.has_lost_messages:
            return  # only the queue knew where the report lies
        if row.state is State.REJECTED and self.scenario.replicates_everywhere(row.version):
            self.on_violation(1, f"{row.version.short} is good and was rejected: {row.reasons}")
        if row.state is State.SUPERSEDED and not self._overtaken(row):
            self.on_violation(3, f"{row.version.short} is superseded by nothing: {row.history[-1].text}")

    def _judge_last_scan(self, row: Release) -> None:
        """A scan of what is published that fails is acted on, unless the queue lost what told of it."""
        policy = self.policy.covering(row.version)
        if policy is None or policy.digest != row.policy_digest:
            return
        rules = policy.scan
        made, words = self.scanners.last_accepted.get(row.version, (None, "clean"))
        heard = not self.has_lost_messages and not self.builds[row.version].by_reference
        if heard and words != "clean" and rules.day_after is DayAfter.REVOKE and rules.revoke_to_empty:
            self.on_violation(1, f"{row.version.short} failed the scan of {made} and is released")

    def _judge_revoked(self, row: Release) -> None:
        # What only an earlier policy named may not be written to; the verdict leaves it to people.
        policy = self.policy.covering(row.version)
        for definition in definitions_written(policy) if policy else ():
            facts = run_now(self.cloud.galleries.version(definition.version(row.version.number)))
            for region in facts.regions if facts else ():
                if facts and facts.visible_in(region):
                    self.on_violation(2, f"{facts.id.short} is revoked and visible in {region}")

    def _shown_unrecorded(self, row: Release) -> Iterator[tuple[VersionId, str]]:
        """Where a version is visible although its row says nothing of that."""
        policy = self.truth.policies[row.policy_digest]
        if sum(each.source == policy.source for each in self.truth.policies.values()) > 1:
            return  # a former policy's rings had other regions, and the row names rings only
        recorded: set[tuple[DefinitionId, str]] = set()
        for publication in row.published:
            definition = policy.ring(publication.ring).definition
            recorded.update((definition, region) for region in publication.regions)
        for definition in {policy.source, *(ring.definition for ring in policy.rings)}:
            facts = run_now(self.cloud.galleries.version(definition.version(row.version.number)))
            for region in facts.regions if facts else ():
                if facts and facts.visible_in(region) and (definition, region) not in recorded:
                    yield facts.id, region

    def _overtaken(self, row: Release) -> bool:
        """Whether anything could have superseded a version: a higher number, or a policy that forgot it."""
        definition, number = row.version.definition, row.version.number
        if definition not in self.policy.definitions:
            return True
        return any(each.definition == definition and each.number > number for each in self.builds)
