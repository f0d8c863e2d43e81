"""What validation says of a version now, by the present policy. Asks; writes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.domain.facts import ProvisioningState
from shared.domain.image import VersionId
from shared.domain.policy import DefinitionPolicy
from shared.domain.validation.evidence import rules_in_evidence, seen_facts
from shared.domain.validation.facts import ValidationFacts
from shared.domain.validation.verdict import ValidationVerdict, validate
from shared.gallery.incarnation import incarnation_of
from shared.gallery.validation_facts import gather, once_provisioned
from shared.ports import World


async def validation(version: VersionId, world: World, *, now: datetime) -> dict[str, Any] | None:
    """Return the verdict with its findings, facts and rules; None when the policy does not cover the version.

    ``outcome`` is ``pass``, ``reject`` or ``wait``: as the stage would decide now. A row about a former image of the
    same number says nothing of this one.
    """
    policy = world.policy.covering(version)
    if policy is None:
        return None
    found = await world.galleries.version(version)
    stored = await world.ledger.read(version)
    known = stored is not None and found is not None and incarnation_of(found) in {None, stored.release.incarnation}
    release = stored.release if stored is not None and (known or stored.release.incarnation is None) else None
    if found is not None and release is not None:
        found = once_provisioned(found, release)
    if found is None or found.provisioning_state is not ProvisioningState.SUCCEEDED:
        facts = ValidationFacts(found, None, None)
        return _answer(version, facts, validate(facts, policy, now=now), policy)
    facts = await gather(found, policy, world, release=release, now=now)
    return _answer(version, facts, validate(facts, policy, now=now), policy)


def _answer(
    version: VersionId, facts: ValidationFacts, verdict: ValidationVerdict, policy: DefinitionPolicy
) -> dict[str, Any]:
    seen = seen_facts(facts.version, facts, verdict) if facts.version is not None else {}
    findings = [{"rule": each.code, "severity": each.severity.value, "text": each.text} for each in verdict.findings]
    return {
        "version": str(version),
        "name": version.short,
        "outcome": verdict.outcome.value,
        "policyDigest": policy.digest,
        "findings": findings,
        "facts": {name: value for name, value in seen.items() if name != "findings"},
        "rules": rules_in_evidence(policy.validation),
    }
