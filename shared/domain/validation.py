"""Judgement of a version's metadata, before anything is spent on it: facts in, verdict out.

Rules:

* Only a version that is still being made is waited for, and not for ever. Failed, canceled, deleting are rejects, and
  so is a state that isn't known: none of them gets better by waiting.
* An error rejects; a warning is told and lets pass. All findings are reported, not only the first.
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

from shared.domain.facts import (
    DefinitionFacts,
    GalleryFacts,
    ProvisioningState,
    SourceFacts,
    SourceKind,
    VersionFacts,
)
from shared.domain.image import DefinitionId, VersionNumber
from shared.domain.moment import CLOCK_SKEW
from shared.domain.policy import DefinitionPolicy, ValidationRules, VisibleBeforeProof

_SECURITY_FOR_V2: Final = {
    "trustedlaunch",
    "trustedlaunchsupported",
    "confidentialvm",
    "confidentialvmsupported",
    "trustedlaunchandconfidentialvmsupported",
}
"""Values of the feature SecurityType that need a generation 2 image."""


class ValidationOutcome(StrEnum):
    """Pass and reject end the gate; wait asks again later."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    REJECT = "reject"
    WAIT = "wait"


class FindingSeverity(StrEnum):
    """An error rejects the version; a warning is for people to read."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class ValidationFinding:
    """Something that isn't as it should be. ``code`` is for programs, ``text`` says what and what to do."""

    code: str
    severity: FindingSeverity
    text: str


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
    """Everything that validation looks at. None stands for what isn't there."""

    version: VersionFacts | None
    definition: DefinitionFacts | None
    gallery: GalleryFacts | None
    source: SourceFacts | None = None
    ring_definitions: Mapping[DefinitionId, DefinitionFacts | None] = field(
        default_factory=dict[DefinitionId, DefinitionFacts | None]
    )
    """For rings in other galleries: the image definition that the version will be copied to."""
    published: frozenset[str] = frozenset()
    """Regions in which Ringmaster has published the version itself, under a former policy."""
    newest_published: VersionNumber | None = None
    """The highest number that ``latest`` resolves to in any ring's region now, this version left out."""


def validate(
    facts: ValidationFacts, policy: DefinitionPolicy, *, now: datetime, waiting_since: datetime | None = None
) -> ValidationVerdict:
    """Judge a version's metadata. ``waiting_since`` is when it was first seen unfinished: it bounds the wait."""
    version = facts.version
    if version is None:
        return _verdict([_error("version-gone", "the version isn't there any more: it was deleted before validation")])
    if version.provisioning_state.in_progress:
        return _unfinished(version, policy.validation, now, waiting_since)
    if version.provisioning_state is not ProvisioningState.SUCCEEDED:
        return _verdict([_error("version-state", _bad_state(version.provisioning_state))])
    return _verdict(
        [
            *_surroundings(facts),
            *_platform_says(version),
            *_lifetime(facts, now),
            *_generalization(facts),
            *_features(facts.definition),
            *_ring_definitions(facts, policy),
            *_reach(version, policy),
            *_tags(version, policy.validation),
            *_disks(version, policy.validation),
            *_visibility(facts, policy.validation),
            *_number(version, facts.newest_published),
        ]
    )


def _error(code: str, text: str) -> ValidationFinding:
    return ValidationFinding(code, FindingSeverity.ERROR, text)


def _warning(code: str, text: str) -> ValidationFinding:
    return ValidationFinding(code, FindingSeverity.WARNING, text)


def _verdict(findings: list[ValidationFinding]) -> ValidationVerdict:
    errors = [finding for finding in findings if finding.severity is FindingSeverity.ERROR]
    warnings = [finding for finding in findings if finding.severity is FindingSeverity.WARNING]
    outcome = ValidationOutcome.REJECT if errors else ValidationOutcome.PASS
    return ValidationVerdict(outcome, (*errors, *warnings))


def _unfinished(
    version: VersionFacts, rules: ValidationRules, now: datetime, waiting_since: datetime | None
) -> ValidationVerdict:
    state = version.provisioning_state
    waited = now - waiting_since if waiting_since is not None else timedelta(0)
    if waited > rules.ready_within + CLOCK_SKEW:
        hours, allowed = (span.total_seconds() / 3600 for span in (waited, rules.ready_within))
        told = f"the version has been {state} for {hours:.1f} hours; {allowed:.1f} are allowed. Look at its replication"
        return _verdict([_error("not-ready-in-time", told)])
    return ValidationVerdict(
        ValidationOutcome.WAIT, (_warning("version-state", f"the version is {state}: its gallery is still at it"),)
    )


def _bad_state(state: ProvisioningState) -> str:
    match state:
        case ProvisioningState.FAILED:
            return "the gallery failed to make the version. Its number is taken: delete it, or build another number"
        case ProvisioningState.DELETING:
            return "the version is being deleted"
        case ProvisioningState.CANCELED:
            return "the making of the version was canceled"
        case _:
            return f"the version's state ({state}) isn't one that is known, so it can't be taken for a success"


def _surroundings(facts: ValidationFacts) -> Iterator[ValidationFinding]:
    for what, found in (("definition", facts.definition), ("gallery", facts.gallery)):
        if found is None:
            yield _error(f"{what}-gone", f"the version's {what} can't be found, or may not be read")
        elif found.provisioning_state is not ProvisioningState.SUCCEEDED and not found.provisioning_state.in_progress:
            yield _error(f"{what}-state", f"the version's {what} is {found.provisioning_state}")


def _platform_says(version: VersionFacts) -> Iterator[ValidationFinding]:
    if version.reported_for_policy_violation:
        details = "; ".join(version.policy_violations) or "no details given"
        yield _error("policy-violation", f"Azure reports the version for a policy violation: {details}")
    for executed in version.validations:
        status = executed.status.casefold()
        if status in {"failed", "failure"}:
            yield _error("platform-validation", f"Azure's own validation for {executed.type} failed")
        elif status not in {"succeeded", "success"}:
            yield _warning("platform-validation", f"Azure's own validation for {executed.type} says {executed.status}")
    if (version.replication_mode or "").casefold() == "shallow":
        yield _warning("shallow", "the version is a shallow replica, meant for tests: it needs its source to live")


def _lifetime(facts: ValidationFacts, now: datetime) -> Iterator[ValidationFinding]:
    assert facts.version is not None
    dates = [("version", facts.version.end_of_life)]
    if facts.definition is not None:
        dates.append(("definition", facts.definition.end_of_life))
    for what, date in dates:
        if date is not None and date <= now:
            yield _error("end-of-life", f"the {what} reached its end of life on {date:%Y-%m-%d}")


def _differs(first: str | None, second: str | None) -> bool:
    """Whether both are known and not the same."""
    return first is not None and second is not None and first.casefold() != second.casefold()


def _generalization(facts: ValidationFacts) -> Iterator[ValidationFinding]:
    definition, source = facts.definition, facts.source
    if definition is None or source is None:
        return
    if source.kind is SourceKind.GONE:
        yield _warning(
            "source-gone", f"what the version was made from isn't there any more to compare with: {source.id}"
        )
        return
    if _differs(definition.os_state, source.os_state):
        yield _error(
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
        if _differs(declared, found):
            yield _error(
                code, f"the definition's {what} is {declared}, but the {source.kind} it was made from is {found}"
            )


def _features(definition: DefinitionFacts | None) -> Iterator[ValidationFinding]:
    if definition is None:
        return
    security = next((value for name, value in definition.features.items() if name.casefold() == "securitytype"), "")
    if security.casefold() in _SECURITY_FOR_V2 and _differs(definition.hyper_v_generation, "V2"):
        generation = definition.hyper_v_generation
        yield _error("security-type", f"the definition asks for {security}, which generation {generation} can't have")
    if (definition.architecture or "").casefold() == "arm64" and _differs(definition.hyper_v_generation, "V2"):
        yield _error("architecture", "the definition is Arm64, which only generation 2 can be")


def _ring_definitions(facts: ValidationFacts, policy: DefinitionPolicy) -> Iterator[ValidationFinding]:
    for ring in policy.rings:
        if ring.definition == policy.source:
            continue
        target = facts.ring_definitions.get(ring.definition)
        if target is None:
            yield _error(
                "ring-definition-gone",
                f"the ring {ring.name!r} copies to {ring.definition}, which can't be found or read. Create it with the "
                "same OS type, state, generation and architecture",
            )
        elif facts.definition is not None:
            yield from _same_kind(ring.name, facts.definition, target)


def _reach(version: VersionFacts, policy: DefinitionPolicy) -> Iterator[ValidationFinding]:
    """Rings that the version cannot get to, told before the first one is published."""
    shallow = (version.replication_mode or "").casefold() == "shallow"
    encrypted = any("encryption" in target.kept for target in version.targets)
    for ring in policy.rings:
        elsewhere = [region for region in ring.region_names if region not in version.regions]
        copied = ring.definition != policy.source
        if shallow and (copied or elsewhere):
            yield _error(
                "shallow-elsewhere",
                "the version is a shallow replica, which Azure neither copies nor replicates, and the ring "
                f"{ring.name!r} needs it elsewhere: build it with replication mode Full",
            )
        if encrypted and copied:
            yield _error(
                "encrypted-copy",
                "the version is encrypted with a customer-managed key, and Azure copies no such version to the gallery "
                f"of the ring {ring.name!r}: build it without, or build it in that gallery",
            )
        elif encrypted and elsewhere:
            yield _error(
                "encryption-set-missing",
                f"the version is encrypted with a customer-managed key, and names no disk encryption set for "
                f"{', '.join(elsewhere)} of the ring {ring.name!r}: let the build name these regions with their sets",
            )


_COMPARED_FEATURES: Final = (
    "SecurityType",
    "DiskControllerTypes",
    "IsHibernateSupported",
    "IsAcceleratedNetworkSupported",
)
"""Features of an image definition that decide which machines can be made of a version."""


def _same_kind(ring: str, definition: DefinitionFacts, target: DefinitionFacts) -> Iterator[ValidationFinding]:
    comparisons = (
        ("OS type", definition.os_type, target.os_type),
        ("OS state", definition.os_state, target.os_state),
        ("generation", definition.hyper_v_generation or "V1", target.hyper_v_generation or "V1"),
        ("architecture", definition.architecture or "x64", target.architecture or "x64"),
        ("purchase plan", str(definition.plan or "none"), str(target.plan or "none")),
        *((name, definition.features.get(name), target.features.get(name)) for name in _COMPARED_FEATURES),
    )
    for what, here, there in comparisons:
        if _differs(here, there):
            yield _error(
                "ring-definition-differs",
                f"the {what} is {here}, but {there} in the definition that the ring {ring!r} copies to. It can't be "
                "changed there: make another definition",
            )
    if target.provisioning_state in {ProvisioningState.FAILED, ProvisioningState.DELETING}:
        yield _error("ring-definition-state", f"the definition of the ring {ring!r} is {target.provisioning_state}")


def _tags(version: VersionFacts, rules: ValidationRules) -> Iterator[ValidationFinding]:
    tags = {name.casefold(): value for name, value in version.tags.items()}
    for name, pattern in rules.required_tags.items():
        value = tags.get(name.casefold())
        if value is None:
            yield _error("tag-missing", f"the tag {name!r} is missing")
        elif pattern is not None and not pattern.fullmatch(value):
            yield _error("tag-value", f"the tag {name!r} is {value!r}, which does not match {pattern.pattern}")


def _disks(version: VersionFacts, rules: ValidationRules) -> Iterator[ValidationFinding]:
    size = version.os_disk_gb
    if size is None:
        yield _warning("disk-size-unknown", "the gallery doesn't say how large the OS disk is")
    elif not rules.min_disk_gb <= size <= rules.max_disk_gb:
        yield _error("disk-size", f"the OS disk has {size} GiB; {rules.min_disk_gb} to {rules.max_disk_gb} are allowed")
    for position, data in enumerate(version.data_disks_gb):
        if data is not None and data > rules.max_disk_gb:
            yield _error("disk-size", f"data disk {position} has {data} GiB; {rules.max_disk_gb} are allowed")


def _visibility(facts: ValidationFacts, rules: ValidationRules) -> Iterator[ValidationFinding]:
    version = facts.version
    assert version is not None
    visible = [region for region in version.regions if version.visible_in(region) and region not in facts.published]
    if not visible:
        return
    say = _error if rules.visible_before_proof is VisibleBeforeProof.REJECT else _warning
    yield say(
        "visible-before-proof",
        f"latest may resolve to this version already, before any proof, in {', '.join(visible)}. "
        "Let the builder set excludeFromLatest",
    )


def _number(version: VersionFacts, newest: VersionNumber | None) -> Iterator[ValidationFinding]:
    if newest is not None and version.id.number < newest:
        yield _warning("number-order", f"{newest} is published already, so latest would never resolve to this number")
