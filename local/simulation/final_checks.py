"""How a run has ended, held against what everybody did: what no single step can show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from local.simulation.cloud import House
from local.simulation.fault_injection import Weather
from local.simulation.invariants import Laws, peek
from local.simulation.scanners import Scanners
from local.simulation.scenario import Build, Scenario
from shared.domain.facts import VersionFacts
from shared.domain.image import DefinitionId, VersionId
from shared.domain.policy import DayAfter, Policy
from shared.domain.release import Release, State
from shared.stages.revoke import places


@dataclass(frozen=True, slots=True)
class Ending:
    """Everything that happened; ``breaks`` is told of every law that was broken, with its number."""

    house: House
    laws: Laws
    scenario: Scenario
    weather: Weather
    scanners: Scanners
    policy: Policy
    """As it was in the end."""
    builds: Mapping[VersionId, Build]
    disturbed: Set[VersionId]
    """Versions whose numbers were used again, that were deleted or hidden: what became of them is people's doing."""
    breaks: Callable[[int, str], None]

    def judge(self, rows: Iterable[Release]) -> None:
        """Judge every row, and everything that is visible."""
        for disk in self.laws.planted - set(self.house.machines.everything()):
            self.breaks(7, f"{disk} is not ours and is gone")
        for definition in {each for policy in self.laws.policies.values() for each in places(policy)}:
            for facts in peek(self.house.galleries.versions(definition)):
                self._judge_visible(facts)
        for row in rows:
            self._judge_row(row)

    def _judge_visible(self, facts: VersionFacts) -> None:
        source, bearer = self.laws.source_of(facts.id), self.laws.bearer_of(facts)
        truth = self.laws.truths.get((source, bearer or ""))
        where = [region for region in facts.regions if facts.visible_in(region)]
        if where and (truth is None or not truth.boots or not truth.clean_scan):
            self.breaks(2, f"{facts.id.short} is visible in {', '.join(where)} and is bad: {truth}")

    def _judge_row(self, row: Release) -> None:
        build = self.builds.get(row.version)
        truth = self.laws.truths.get((row.version, row.incarnation or ""))
        if build is None or truth is None or row.version in self.disturbed:
            return
        if row.state is State.REVOKED:
            self._judge_revoked(row)
            return
        if row.state is State.RELEASED:
            self._judge_last_scan(row)
        for place, region in self._shown_unrecorded(row):
            self.breaks(3, f"{place.short} is visible in {region}, and the ledger knows of no publication there")
        if row.version in self.scanners.failing or not (truth.boots and truth.clean_scan):
            return
        if build.by_reference and self.weather.counts["message lost"]:
            return  # only the queue knew where the report lies
        if row.state is State.REJECTED and self.scenario.lasting(row.version):
            self.breaks(1, f"{row.version.short} is good and was rejected: {row.reasons}")
        if row.state is State.SUPERSEDED and not self._overtaken(row):
            self.breaks(3, f"{row.version.short} is superseded by nothing: {row.history[-1].text}")

    def _judge_last_scan(self, row: Release) -> None:
        """A scan of what is published that fails is acted on, unless the queue lost what told of it."""
        policy = self.policy.covering(row.version)
        if policy is None or policy.digest != row.policy_digest:
            return
        rules = policy.scan
        made, words = self.scanners.last.get(row.version, (None, "clean"))
        heard = not self.weather.counts["message lost"] and not self.builds[row.version].by_reference
        if heard and words != "clean" and rules.day_after is DayAfter.REVOKE and rules.revoke_to_empty:
            self.breaks(1, f"{row.version.short} failed the scan of {made} and is released")

    def _judge_revoked(self, row: Release) -> None:
        # What only an earlier policy named may not be written to; the verdict leaves it to people.
        policy = self.policy.covering(row.version)
        for definition in places(policy) if policy else ():
            facts = peek(self.house.galleries.version(definition.version(row.version.number)))
            for region in facts.regions if facts else ():
                if facts and facts.visible_in(region):
                    self.breaks(2, f"{facts.id.short} is revoked and visible in {region}")

    def _shown_unrecorded(self, row: Release) -> Iterator[tuple[VersionId, str]]:
        """Where a version is visible although its row says nothing of that."""
        policy = self.laws.policies[row.policy_digest]
        if sum(each.source == policy.source for each in self.laws.policies.values()) > 1:
            return  # a former policy's rings had other regions, and the row names rings only
        recorded: set[tuple[DefinitionId, str]] = set()
        for publication in row.published:
            definition = policy.ring(publication.ring).definition
            recorded.update((definition, region) for region in publication.regions)
        for definition in {policy.source, *(ring.definition for ring in policy.rings)}:
            facts = peek(self.house.galleries.version(definition.version(row.version.number)))
            for region in facts.regions if facts else ():
                if facts and facts.visible_in(region) and (definition, region) not in recorded:
                    yield facts.id, region

    def _overtaken(self, row: Release) -> bool:
        """Whether anything could have superseded a version: a higher number, or a policy that forgot it."""
        definition, number = row.version.definition, row.version.number
        if definition not in self.policy.definitions:
            return True
        return any(each.definition == definition and each.number > number for each in self.builds)
