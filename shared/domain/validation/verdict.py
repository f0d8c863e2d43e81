"""Validation of a version's metadata, by the rules of ``validation.rules``.

Rules:

* Only a version that is still being made is waited for, and not for ever. Failed, canceled, deleting are rejects, and
  so is a state that isn't known: none of them gets better by waiting.
* An error rejects the version; a warning does not. All findings are reported, not only the first.
* The policy can set the severity of a rule, and waive a rule for a time. Neither holds for a rule that a law needs. A
  waived finding stays visible, with its owner; an expired waiver has no effect, and the finding says so.
* VM sizes of test machines that cannot boot the image are an error of the policy. The release waits: nothing is
  published, and it continues when the policy names other sizes.
* A missing fact is never taken for the one that was hoped for. Where the platform simply doesn't say (the size of
  a disk, a source that was deleted after the build), that is a warning; where the policy asks for it, an error.

This module does not know what a scan or a boot test says, and does not wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.boot_test.preflight import NO_SIZE
from shared.domain.facts import ProvisioningState, VersionFacts
from shared.domain.image import VersionNumber
from shared.domain.moment import CLOCK_SKEW
from shared.domain.policy import DefinitionPolicy, ValidationRules, VisibleBeforeProof
from shared.domain.validation.facts import ValidationFacts
from shared.domain.validation.findings import FindingSeverity, ValidationFinding, error, warning
from shared.domain.validation.metadata import metadata_findings, platform_findings
from shared.domain.validation.numbers import number_findings
from shared.domain.validation.origin import origin_findings
from shared.domain.validation.policy import NumberOrder
from shared.domain.validation.rings import ring_findings
from shared.domain.validation.rules import RULES, Rule, RuleSeverity


class ValidationOutcome(StrEnum):
    """PASS and REJECT end the gate; WAIT checks again later."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    REJECT = "reject"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class ValidationVerdict:
    """The outcome and everything that was found, errors first."""

    outcome: ValidationOutcome
    findings: tuple[ValidationFinding, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """The findings for people, errors first."""
        return tuple(finding.text for finding in self.findings)


def validate(
    facts: ValidationFacts, policy: DefinitionPolicy, *, now: datetime, waiting_since: datetime | None = None
) -> ValidationVerdict:
    """Validate a version's metadata. ``waiting_since`` is when it was first seen unfinished, and limits the wait."""
    version = facts.version
    if version is None:
        return _verdict([error("version-gone", "the version no longer exists: it was deleted before validation")])
    if version.provisioning_state.in_progress:
        return _unfinished(version, policy.validation, now, waiting_since)
    if version.provisioning_state is not ProvisioningState.SUCCEEDED:
        return _verdict([error("version-state", _bad_state(version.provisioning_state))])
    found = (
        *platform_findings(facts, policy.validation, now),
        *origin_findings(facts, policy.validation),
        *ring_findings(facts, policy),
        *metadata_findings(facts, policy.validation),
        *number_findings(facts, policy.validation),
    )
    return _verdict(_by_policy(found, policy.validation, version.id.number, now))


def applied_rules(rules: ValidationRules) -> Mapping[str, RuleSeverity]:
    """The severity of every rule under a policy. A rule whose key the policy does not have is off."""
    return {rule.id: _severity(rule, rules) for rule in RULES.values()}


def _severity(rule: Rule, rules: ValidationRules) -> RuleSeverity:
    given = {
        "validation.requiredTags": rules.required_tags,
        "validation.sources": rules.sources,
        "validation.builders": rules.builders,
        "validation.numbers": rules.numbers,
        "validation.endOfLife": rules.end_of_life,
        "validation.owner": rules.owner,
    }
    if rule.needs and not given[rule.needs]:
        return RuleSeverity.OFF
    if not rule.locked and rule.id in rules.severities:
        return rules.severities[rule.id]
    ascending = rules.numbers is not None and rules.numbers.order is NumberOrder.ASCENDING
    rejects = {
        "visible-before-proof": rules.visible_before_proof is VisibleBeforeProof.REJECT,
        "number-order": ascending,
    }
    return RuleSeverity.ERROR if rejects.get(rule.id) else rule.severity


def _by_policy(
    findings: Iterable[ValidationFinding], rules: ValidationRules, number: VersionNumber, now: datetime
) -> list[ValidationFinding]:
    """The findings with the severities and waivers of the policy."""
    applied = applied_rules(rules)
    known = [each for each in findings if applied[each.code] is not RuleSeverity.OFF]
    return [_waived(_with_severity(each, rules), rules, number, now) for each in known]


def _with_severity(finding: ValidationFinding, rules: ValidationRules) -> ValidationFinding:
    given = None if RULES[finding.code].locked else rules.severities.get(finding.code)
    if given is None:
        return finding
    return replace(finding, severity=FindingSeverity.ERROR if given is RuleSeverity.ERROR else FindingSeverity.WARNING)


def _waived(
    finding: ValidationFinding, rules: ValidationRules, number: VersionNumber, now: datetime
) -> ValidationFinding:
    if RULES[finding.code].locked:
        return finding
    waivers = [each for each in rules.waivers if each.covers(finding.code, number)]
    valid = next((each for each in waivers if now <= each.expires), None)
    if valid is not None:
        told = f"waived by {valid.owner} until {valid.expires:%Y-%m-%d} ({valid.reason}): {finding.text}"
        return replace(finding, severity=FindingSeverity.WAIVED, text=told)
    if waivers:
        last = max(waivers, key=lambda each: each.expires)
        told = f"{finding.text} (the waiver of {last.owner} expired on {last.expires:%Y-%m-%d})"
        return replace(finding, text=told)
    return finding


def _verdict(findings: Iterable[ValidationFinding]) -> ValidationVerdict:
    order = tuple(FindingSeverity)
    found = sorted(findings, key=lambda each: order.index(each.severity))
    errors = [each for each in found if each.severity is FindingSeverity.ERROR]
    outcome = ValidationOutcome.REJECT if errors else ValidationOutcome.PASS
    if errors and all(each.code == NO_SIZE for each in errors):
        outcome = ValidationOutcome.WAIT
    return ValidationVerdict(outcome, tuple(found))


def _unfinished(
    version: VersionFacts, rules: ValidationRules, now: datetime, waiting_since: datetime | None
) -> ValidationVerdict:
    state = version.provisioning_state
    waited = now - waiting_since if waiting_since is not None else timedelta(0)
    if waited > rules.ready_within + CLOCK_SKEW:
        hours, allowed = (span.total_seconds() / 3600 for span in (waited, rules.ready_within))
        told = f"the version has been {state} for {hours:.1f} hours; {allowed:.1f} are allowed. Check its replication"
        return _verdict([error("not-ready-in-time", told)])
    return ValidationVerdict(
        ValidationOutcome.WAIT,
        (warning("version-state", f"the version is {state}: its gallery has not finished creating it"),),
    )


def _bad_state(state: ProvisioningState) -> str:
    match state:
        case ProvisioningState.FAILED:
            return "the gallery could not create the version. Its number is in use: delete it, or build another number"
        case ProvisioningState.DELETING:
            return "the version is being deleted"
        case ProvisioningState.CANCELED:
            return "the creation of the version was canceled"
        case _:
            return f"the version's state ({state}) is unknown, so it does not count as a success"
