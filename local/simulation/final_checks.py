"""The laws at the end of a run: what no single call can show, such as a good version that was rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Final

from local.simulation.cloud import Cloud, run_now
from local.simulation.consumers import Consumers
from local.simulation.ground_truth import GroundTruth
from local.simulation.laws import Law
from local.simulation.observations import definitions_written, publication_time, ring_named, visible_regions
from local.simulation.scanners import CLEAN, Scanners
from local.simulation.scenario import Build, Scenario
from shared.domain.actions import Action
from shared.domain.facts import VersionFacts
from shared.domain.image import DefinitionId, VersionId
from shared.domain.policy import ApprovalDeadline, DefinitionPolicy, FailedRescanAction, Policy, VisibleBeforeProof
from shared.domain.release import Gate, Release, State
from shared.domain.usage import Looked

ENDS_OR_BEGINS: Final = frozenset({Action.REJECT, Action.REVOKE, Action.RESTORE, Action.RETRY})
"""Actions after which it is up to people how a release ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalChecks:
    """Everything that happened in a run. ``broken`` is told of every violation."""

    cloud: Cloud
    truth: GroundTruth
    scenario: Scenario
    scanners: Scanners
    policy: Policy
    """As it is at the end."""
    builds: Mapping[VersionId, Build]
    consumers: Consumers
    disturbed: Set[VersionId]
    """Versions that users deleted, or whose numbers were used again: how they end is up to users."""
    rows: Mapping[VersionId, Release]
    """Every row of the ledger."""
    has_lost_messages: bool
    """Whether a queue lost a message. Only a message knows the address of a report that is sent by reference."""
    broken: Callable[[Law, str], None]

    def run(self) -> None:
        """Check every row, everything that is visible and the resources of others."""
        for resource in self.truth.foreign_resources - set(self.cloud.machines.everything()):
            self.broken(Law.NOTHING_LEFT, f"{resource} is not the app's and is gone")
        definitions = {each for policy in self.truth.policies.values() for each in definitions_written(policy)}
        for definition in sorted(definitions):
            for facts in run_now(self.cloud.galleries.versions(definition)):
                self._check_visible(facts)
        for row in self.rows.values():
            self._check_rejected(row)
            self._check_users(row)
            self._check_row(row)

    def _check_visible(self, facts: VersionFacts) -> None:
        image, regions = self.truth.image_of(facts), self._forbidden_regions(facts)
        if regions and (image is None or not image.is_good):
            text = f"{facts.id.short} is visible in {', '.join(regions)} and is bad: {image}"
            self.broken(Law.NOTHING_BAD_VISIBLE, text)

    def _check_rejected(self, row: Release) -> None:
        """Where the policy says ``hide``, a rejected version is visible nowhere, however good it is."""
        source = run_now(self.cloud.galleries.version(row.version))
        is_there = source is not None and publication_time(source) == row.incarnation
        if row.state is not State.REJECTED or not is_there or self._rule(row.version) is not VisibleBeforeProof.HIDE:
            return
        policy = self.policy.definitions[row.version.definition]
        for definition in definitions_written(policy):
            facts = run_now(self.cloud.galleries.version(definition.version(row.version.number)))
            if facts is None or self.truth.original_of(facts) != row.incarnation:
                continue
            if regions := self._forbidden_regions(facts):
                text = f"{facts.id.short} is rejected and visible in {', '.join(regions)}"
                self.broken(Law.NOTHING_BAD_VISIBLE, text)

    def _check_users(self, row: Release) -> None:
        """A list of users names everybody who uses the version, or says that it is incomplete."""
        record = next((each for each in reversed(row.gates) if each.gate is Gate.IN_USE), None)
        if record is None:
            return
        facts = self.cloud.evidence.documents()[record.evidence]["facts"]
        if not facts["complete"]:
            return
        looked = {each["subscription"] for each in facts["looked"] if each["looked"] == Looked.LISTED.value}
        subscriptions = tuple(sorted(looked))
        if unread := looked & self.cloud.usage.unreadable:
            self.broken(Law.IN_USE, f"{row.version.short}: the look is complete, and {unread} cannot be read")
        named = {each["id"] for each in facts["users"]}
        if missing := sorted(self.consumers.visible_users(row.version, subscriptions) - named):
            self.broken(Law.IN_USE, f"{row.version.short}: the look is complete, and leaves out {missing[0]}")

    def _rule(self, version: VersionId) -> VisibleBeforeProof | None:
        """What the policy says of a version that is visible without proof."""
        policy = self._policy_of(version)
        return None if policy is None else policy.validation.visible_before_proof

    def _is_left_visible(self, version: VersionId) -> bool:
        """Whether a version is visible because its builder left it so, and the policy does not say to hide it."""
        build = self.builds.get(version)
        return build is not None and build.is_visible and self._rule(version) is not VisibleBeforeProof.HIDE

    def _forbidden_regions(self, facts: VersionFacts) -> list[str]:
        """Regions in which a version is visible that may be visible nowhere, and the policy does not let it stay."""
        if self._is_left_visible(facts.id):
            return []
        return [region for region in visible_regions(facts) if not self._would_be_empty(facts.id, region)]

    def _would_be_empty(self, version: VersionId, region: str) -> bool:
        """Whether no other version is visible in a region where Ringmaster published this one, and one has to be."""
        row = self.rows.get(self.truth.source_of(version))
        policy = self._policy_of(self.truth.source_of(version))
        if row is None or (policy is not None and policy.scan.revoke_to_empty):
            return False
        others = [each for each in run_now(self.cloud.galleries.versions(version.definition)) if each.id != version]
        is_published = any(region in publication.regions for publication in row.published)
        return is_published and not any(region in visible_regions(each) for each in others)

    def _check_row(self, row: Release) -> None:
        build, image = self.builds.get(row.version), self.truth.images.get((row.version, row.incarnation or ""))
        if build is None or image is None or row.version in self.disturbed:
            return
        if row.state is State.REVOKED:
            self._check_revoked(row)
            return
        if row.state is State.RELEASED:
            self._check_last_scan(row)
        for place, region in () if self._is_left_visible(row.version) else self._visible_unrecorded(row):
            text = f"{place.short} is visible in {region}, and the ledger has no publication there"
            self.broken(Law.LATEST, text)
        if image.is_good and row.version not in self.scanners.not_clean and not self._is_up_to_people(row):
            self._check_good(row, build)

    def _check_good(self, row: Release, build: Build) -> None:
        if build.by_reference and self.has_lost_messages:
            return
        rule = self.truth.policies[row.policy_digest].validation.visible_before_proof
        if build.is_visible and rule is VisibleBeforeProof.REJECT:
            return
        if row.state is State.REJECTED and self.scenario.replicates_everywhere(row.version):
            self.broken(Law.NOTHING_LOST, f"{row.version.short} is good and was rejected: {row.reasons}")
        if row.state is State.SUPERSEDED and not self._can_be_superseded(row.version):
            self.broken(Law.LATEST, f"{row.version.short} is superseded by nothing: {row.history[-1].text}")

    def _is_up_to_people(self, row: Release) -> bool:
        """Whether people decided how the release ends, or the policy did because they gave no approval in time."""
        rings = self.truth.policies[row.policy_digest].rings
        has_deadline = any(each.approval and each.approval.at_deadline is ApprovalDeadline.REJECT for each in rings)
        return has_deadline or any(each.action in ENDS_OR_BEGINS for each in row.actions)

    def _check_last_scan(self, row: Release) -> None:
        """A published version whose last scan fails is revoked where the policy says so, unless the report was lost."""
        policy = self._policy_of(row.version)
        if policy is None or policy.digest != row.policy_digest:
            return
        made, content = self.scanners.last_accepted.get(row.version, (None, CLEAN))
        is_known = not self.has_lost_messages and not self.builds[row.version].by_reference
        must_go = policy.scan.on_failed_rescan is FailedRescanAction.REVOKE and policy.scan.revoke_to_empty
        if is_known and must_go and content != CLEAN:
            text = f"{row.version.short} failed the scan of {made} and is released"
            self.broken(Law.NOTHING_BAD_VISIBLE, text)

    def _check_revoked(self, row: Release) -> None:
        # A gallery that only an earlier policy named may not be written to: the verdict leaves it to operators.
        policy = self._policy_of(row.version)
        for definition in definitions_written(policy) if policy else ():
            facts = run_now(self.cloud.galleries.version(definition.version(row.version.number)))
            for region in visible_regions(facts):
                text = f"{facts.id.short} is revoked and visible in {region}"
                self.broken(Law.NOTHING_BAD_VISIBLE, text)

    def _visible_unrecorded(self, row: Release) -> Iterator[tuple[VersionId, str]]:
        """Where a version is visible although its row has no publication there."""
        policy = self.truth.policies[row.policy_digest]
        if sum(each.source == policy.source for each in self.truth.policies.values()) > 1:
            return  # a former policy's rings had other regions, and the row names rings only
        recorded: set[tuple[DefinitionId, str]] = set()
        for publication in row.published:
            definition = ring_named(policy, publication.ring).definition
            recorded.update((definition, region) for region in publication.regions)
        for definition in definitions_written(policy):
            target = definition.version(row.version.number)
            for region in visible_regions(run_now(self.cloud.galleries.version(target))):
                if (definition, region) not in recorded:
                    yield target, region

    def _can_be_superseded(self, version: VersionId) -> bool:
        """Whether anything can have superseded a version: a higher number, or a policy that covers it no more."""
        definition, number = version.definition, version.number
        if definition not in self.policy.definitions:
            return True
        return any(each.definition == definition and each.number > number for each in self.builds)

    def _policy_of(self, version: VersionId) -> DefinitionPolicy | None:
        return self.policy.definitions.get(version.definition)
