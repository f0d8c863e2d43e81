"""Retention: which versions no rule keeps, as a report. Nothing is deleted.

Kept are, per definition: every version that ``latest`` may resolve to somewhere; the newest that are visible, as
rollback targets; everything younger than the policy's age, of unknown age, or not in a settled state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.facts import ProvisioningState, VersionFacts
from shared.domain.image import VersionId, VersionNumber
from shared.domain.latest import latest_in
from shared.domain.policy import RetentionRules


@dataclass(frozen=True, slots=True)
class Retention:
    """One version, whether it is kept, and why."""

    version: VersionFacts
    kept: bool
    reason: str


def judge_retention(versions: Sequence[VersionFacts], rules: RetentionRules, now: datetime) -> tuple[Retention, ...]:
    """Every version with its reason, newest number first."""
    ordered = sorted(versions, key=lambda each: each.id.number, reverse=True)
    regions = {region for each in ordered for region in each.regions}
    latest = {latest_in(ordered, region) for region in regions}
    visible = [each for each in ordered if any(each.visible_in(region) for region in each.regions)]
    targets = {each.id for each in visible[: rules.keep]}
    return tuple(_judged(each, latest, targets, rules, now) for each in ordered)


def _judged(
    each: VersionFacts, latest: set[VersionNumber | None], targets: set[VersionId], rules: RetentionRules, now: datetime
) -> Retention:
    if each.provisioning_state not in {ProvisioningState.SUCCEEDED, ProvisioningState.FAILED}:
        return Retention(each, kept=True, reason=f"its state is {each.provisioning_state}")
    if each.id.number in latest:
        return Retention(each, kept=True, reason="latest resolves to it")
    if each.id in targets:
        return Retention(each, kept=True, reason=f"one of the newest {rules.keep} visible versions")
    if each.published_at is None:
        return Retention(each, kept=True, reason="its age is unknown")
    age = now - each.published_at
    if age < rules.min_age:
        return Retention(each, kept=True, reason=f"{age.days} days old, younger than {rules.min_age.days}")
    return Retention(each, kept=False, reason=f"{age.days} days old, and no rule keeps it")
