"""Validation of a version's metadata.

Rules:

* Only a version that is still being made is waited for, and not for ever. Failed, canceled, deleting are rejects, and
  so is a state that isn't known: none of them gets better by waiting.
* An error rejects the version; a warning does not. All findings are reported, not only the first.
* VM sizes of test machines that cannot boot the image are an error of the policy. The release waits: nothing is
  published, and it continues when the policy names other sizes.
* A missing fact is never taken for the one that was hoped for. Where the platform simply doesn't say (the size of
  a disk, a source that was deleted after the build), that is a warning; where the policy asks for it, an error.
* "Generalized" is a declaration. It can be compared with what the source declares, and that is done here; whether the
  disk lives up to it shows only at boot.

This module does not know what a scan or a boot test says, and does not wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.domain.boot_preflight import NO_SIZE, preflight, without_twin
from shared.domain.facts import (
    DefinitionFacts,
    GalleryFacts,
    ProvisioningState,
    SourceFacts,
    SourceKind,
    VersionFacts,
)
from shared.domain.image import DefinitionId, VersionNumber
from shared.domain.machine_sizes import Sizes
from shared.domain.moment import CLOCK_SKEW
from shared.domain.policy import DefinitionPolicy, ValidationRules, VisibleBeforeProof
from shared.domain.ring_definitions import compare_definitions, differs
from shared.domain.validation_findings import FindingSeverity, ValidationFinding, error, warning

_SECURITY_FOR_V2: Final = {
    "trustedlaunch",
    "trustedlaunchsupported",
    "confidentialvm",
    "confidentialvmsupported",
    "trustedlaunchandconfidentialvmsupported",
}
"""Values of the feature SecurityType that need a generation 2 image."""


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


@dataclass(frozen=True, slots=True)
class ValidationFacts:
    """The facts for validation. None means that the object does not exist."""

    version: VersionFacts | None
    definition: DefinitionFacts | None
    gallery: GalleryFacts | None
    source: SourceFacts | None = None
    ring_definitions: Mapping[DefinitionId, DefinitionFacts | None] = field(
        default_factory=dict[DefinitionId, DefinitionFacts | None]
    )
    """For rings in other galleries: the image definition that the version will be copied to."""
    sizes: Mapping[str, Sizes] = field(default_factory=dict[str, Sizes])
    """By region, the sizes of machines that Azure offers there."""
    sizes_unread: str | None = None
    """Why the sizes could not be read; None when they were."""
    published: frozenset[str] = frozenset()
    """Regions in which Ringmaster has published the version itself, under a former policy."""
    newest_published: VersionNumber | None = None
    """The highest number that ``latest`` resolves to in any ring's region now, this version left out."""


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
    return _verdict(
        [
            *_surroundings(facts),
            *_platform_findings(version),
            *_lifetime(facts, now),
            *_generalization(facts),
            *_features(facts.definition),
            *_ring_definitions(facts, policy),
            *_unreachable_rings(version, policy),
            *_confidential_reach(version, facts.definition, policy),
            *_machines(version, facts, policy),
            *_tags(version, policy.validation),
            *_disks(version, policy.validation),
            *_visibility(facts, policy.validation),
            *_number(version, facts.newest_published),
        ]
    )


def _verdict(findings: list[ValidationFinding]) -> ValidationVerdict:
    errors = [finding for finding in findings if finding.severity is FindingSeverity.ERROR]
    warnings = [finding for finding in findings if finding.severity is FindingSeverity.WARNING]
    outcome = ValidationOutcome.REJECT if errors else ValidationOutcome.PASS
    if errors and all(finding.code == NO_SIZE for finding in errors):
        outcome = ValidationOutcome.WAIT
    return ValidationVerdict(outcome, (*errors, *warnings))


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


def _surroundings(facts: ValidationFacts) -> Iterator[ValidationFinding]:
    for what, found in (("definition", facts.definition), ("gallery", facts.gallery)):
        if found is None:
            yield error(f"{what}-gone", f"the version's {what} does not exist, or the app may not read it")
        elif found.provisioning_state is not ProvisioningState.SUCCEEDED and not found.provisioning_state.in_progress:
            yield error(f"{what}-state", f"the version's {what} is {found.provisioning_state}")


def _platform_findings(version: VersionFacts) -> Iterator[ValidationFinding]:
    if version.reported_for_policy_violation:
        details = "; ".join(version.policy_violations) or "no details given"
        yield error("policy-violation", f"Azure reports the version for a policy violation: {details}")
    for executed in version.validations:
        status = executed.status.casefold()
        if status in {"failed", "failure"}:
            yield error("platform-validation", f"Azure's own validation for {executed.type} failed")
        elif status not in {"succeeded", "success"}:
            yield warning(
                "platform-validation", f"Azure's own validation for {executed.type} has the status {executed.status}"
            )
    if (version.replication_mode or "").casefold() == "shallow":
        yield warning(
            "shallow",
            "the version is a shallow replica, which is intended for tests: it stops working when its source "
            "is deleted",
        )


def _lifetime(facts: ValidationFacts, now: datetime) -> Iterator[ValidationFinding]:
    assert facts.version is not None
    dates = [("version", facts.version.end_of_life)]
    if facts.definition is not None:
        dates.append(("definition", facts.definition.end_of_life))
    for what, date in dates:
        if date is not None and date <= now:
            yield error("end-of-life", f"the {what} reached its end of life on {date:%Y-%m-%d}")


def _generalization(facts: ValidationFacts) -> Iterator[ValidationFinding]:
    definition, source = facts.definition, facts.source
    if definition is None or source is None:
        return
    if source.kind is SourceKind.GONE:
        yield warning(
            "source-gone", f"the source of the version no longer exists, so it cannot be compared: {source.id}"
        )
        return
    if differs(definition.os_state, source.os_state):
        yield error(
            "os-state",
            f"the definition is declared {definition.os_state}, but the version was made from a {source.os_state} "
            f"{source.kind}. Generalize the source (waagent -deprovision, or sysprep) and build again",
        )
    comparisons = (
        ("os-type", "OS type", definition.os_type, source.os_type),
        ("generation", "generation", definition.hyper_v_generation, source.hyper_v_generation),
        ("architecture", "architecture", definition.architecture, source.architecture),
    )
    for code, what, declared, found in comparisons:
        if differs(declared, found):
            yield error(
                code, f"the definition's {what} is {declared}, but the {source.kind} it was made from is {found}"
            )


def _features(definition: DefinitionFacts | None) -> Iterator[ValidationFinding]:
    if definition is None:
        return
    security = definition.feature("SecurityType") or ""
    if security.casefold() in _SECURITY_FOR_V2 and differs(definition.hyper_v_generation, "V2"):
        generation = definition.hyper_v_generation
        yield error(
            "security-type", f"the definition requires {security}, which generation {generation} does not support"
        )
    if (definition.architecture or "").casefold() == "arm64" and differs(definition.hyper_v_generation, "V2"):
        yield error("architecture", "the definition is Arm64, which requires generation 2")


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


def _tags(version: VersionFacts, rules: ValidationRules) -> Iterator[ValidationFinding]:
    tags = {name.casefold(): value for name, value in version.tags.items()}
    for name, pattern in rules.required_tags.items():
        value = tags.get(name.casefold())
        if value is None:
            yield error("tag-missing", f"the tag {name!r} is missing")
        elif pattern is not None and not pattern.fullmatch(value):
            yield error("tag-value", f"the tag {name!r} is {value!r}, which does not match {pattern.pattern}")


def _disks(version: VersionFacts, rules: ValidationRules) -> Iterator[ValidationFinding]:
    size = version.os_disk_gb
    if size is None:
        yield warning("disk-size-unknown", "the gallery does not report the size of the OS disk")
    elif not rules.min_disk_gb <= size <= rules.max_disk_gb:
        yield error("disk-size", f"the OS disk has {size} GiB; {rules.min_disk_gb} to {rules.max_disk_gb} are allowed")
    for position, data in enumerate(version.data_disks_gb):
        if data is not None and data > rules.max_disk_gb:
            yield error("disk-size", f"data disk {position} has {data} GiB; {rules.max_disk_gb} are allowed")


def _visibility(facts: ValidationFacts, rules: ValidationRules) -> Iterator[ValidationFinding]:
    version = facts.version
    assert version is not None
    visible = [region for region in version.regions if version.visible_in(region) and region not in facts.published]
    if not visible:
        return
    say = error if rules.visible_before_proof is VisibleBeforeProof.REJECT else warning
    yield say(
        "visible-before-proof",
        f"latest may already resolve to this version, before any gate has passed, in {', '.join(visible)}. "
        "Let the builder set excludeFromLatest",
    )


def _number(version: VersionFacts, newest: VersionNumber | None) -> Iterator[ValidationFinding]:
    if newest is not None and version.id.number < newest:
        yield warning("number-order", f"{newest} is already published, so latest would never resolve to this number")
