"""Rules about the rings: their definitions, whether the version can reach them, and the machines of their tests."""

from __future__ import annotations

from collections.abc import Iterator

from shared.domain.boot_test.preflight import preflight, without_twin
from shared.domain.facts import DefinitionFacts, VersionFacts
from shared.domain.policy import DefinitionPolicy
from shared.domain.ring_definitions import compare_definitions
from shared.domain.validation.facts import ValidationFacts
from shared.domain.validation.findings import ValidationFinding, error, warning
from shared.domain.validation.limits import limit_findings, target_findings


def ring_findings(facts: ValidationFacts, policy: DefinitionPolicy) -> Iterator[ValidationFinding]:
    """The findings on everything that the version has to reach."""
    version = facts.version
    assert version is not None
    yield from _ring_definitions(facts, policy)
    yield from _unreachable_rings(version, policy)
    yield from _confidential_reach(version, facts.definition, policy)
    yield from _machines(version, facts, policy)
    yield from target_findings(facts, policy)
    yield from limit_findings(facts, policy)


def _ring_definitions(facts: ValidationFacts, policy: DefinitionPolicy) -> Iterator[ValidationFinding]:
    for ring in policy.rings:
        if ring.definition == policy.source:
            continue
        target = facts.ring_definitions.get(ring.definition)
        if target is None:
            yield error(
                "ring-definition-gone",
                f"the ring {ring.name!r} copies to {ring.definition}, which does not exist or cannot be "
                "read. Create it with the same OS type, state, generation and architecture",
            )
        elif facts.definition is not None:
            yield from compare_definitions(ring.name, facts.definition, target)


def _unreachable_rings(version: VersionFacts, policy: DefinitionPolicy) -> Iterator[ValidationFinding]:
    """Rings that the version cannot be released to, reported before the first one is published."""
    shallow = (version.replication_mode or "").casefold() == "shallow"
    encrypted = any("encryption" in target.kept for target in version.targets)
    for ring in policy.rings:
        elsewhere = [region for region in ring.region_names if region not in version.regions]
        copied = ring.definition != policy.source
        if shallow and (copied or elsewhere):
            yield error(
                "shallow-elsewhere",
                "the version is a shallow replica, which Azure neither copies nor replicates, and the ring "
                f"{ring.name!r} needs it elsewhere: build it with replication mode Full",
            )
        if encrypted and copied:
            yield error(
                "encrypted-copy",
                "the version is encrypted with a customer-managed key, and Azure does not copy such a version to the "
                f"gallery of the ring {ring.name!r}: build it without such a key, or build it in that gallery",
            )
        elif encrypted and elsewhere:
            yield error(
                "encryption-set-missing",
                f"the version is encrypted with a customer-managed key, and has no disk encryption set for "
                f"{', '.join(elsewhere)} of the ring {ring.name!r}: let the build configure these regions "
                "with their disk encryption sets",
            )


def _confidential_reach(
    version: VersionFacts, definition: DefinitionFacts | None, policy: DefinitionPolicy
) -> Iterator[ValidationFinding]:
    """A ConfidentialVM version has a VM guest state, which is bound to its region and subscription.

    Source: "Create a confidential VM from a compute gallery image" on Microsoft Learn.
    """
    if definition is None or (definition.feature("SecurityType") or "").casefold() != "confidentialvm":
        return
    for ring in policy.rings:
        elsewhere = [region for region in ring.region_names if region != version.location]
        moved = ring.definition.gallery.subscription != policy.source.gallery.subscription
        if elsewhere or moved:
            where = "another subscription" if moved else ", ".join(elsewhere)
            yield error(
                "confidential-elsewhere",
                f"the definition's SecurityType is ConfidentialVM. Azure does not replicate such a version to {where}, "
                f"where the ring {ring.name!r} requires it: build it for the SecurityType ConfidentialVMSupported",
            )


def _machines(version: VersionFacts, facts: ValidationFacts, policy: DefinitionPolicy) -> Iterator[ValidationFinding]:
    """Whether the policy's sizes can boot the version in every ring."""
    if facts.sizes_unread is not None:
        yield warning(
            "vm-sizes-unread",
            f"Azure's VM sizes cannot be listed, so boot.vmSize is not checked: {facts.sizes_unread}. Grant the app's "
            "identity Microsoft.Compute/skus/read in the test subscription",
        )
    definitions = {**facts.ring_definitions, policy.source: facts.definition}
    yield from preflight(version, definitions, facts.sizes, policy)
    if facts.definition is not None:
        yield from without_twin(facts.definition, policy)
