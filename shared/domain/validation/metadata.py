"""Rules about what a version and its definition say of themselves.

A missing fact is never taken for the one that was hoped for. Where the platform simply doesn't say (the size of a
disk), that is a warning; where the policy asks for it, an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from shared.domain.facts import DefinitionFacts, ProvisioningState, VersionFacts
from shared.domain.identifiers import GUID
from shared.domain.policy import ValidationRules, VisibleBeforeProof
from shared.domain.ring_definitions import differs
from shared.domain.validation.facts import ValidationFacts
from shared.domain.validation.findings import ValidationFinding, error, warning
from shared.domain.validation.policy import OwnerKind

_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s.]{1,63}(?:\.[^@\s.]{1,63}){1,8}")
_GUID: Final = re.compile(GUID)
_SECURITY_FOR_V2: Final = {
    "trustedlaunch",
    "trustedlaunchsupported",
    "confidentialvm",
    "confidentialvmsupported",
    "trustedlaunchandconfidentialvmsupported",
}
"""Values of the feature SecurityType that need a generation 2 image."""


def platform_findings(facts: ValidationFacts, rules: ValidationRules, now: datetime) -> Iterator[ValidationFinding]:
    """The findings on what Azure says of a version, its definition and its gallery."""
    assert facts.version is not None
    yield from _surroundings(facts)
    yield from _platform_findings(facts.version)
    yield from _trusted_launch(facts.version, facts.definition)
    yield from _lifetime(facts, rules, now)
    yield from _features(facts.definition)


def metadata_findings(facts: ValidationFacts, rules: ValidationRules) -> Iterator[ValidationFinding]:
    """The findings on what the builder wrote."""
    assert facts.version is not None
    yield from _tags(facts.version, rules)
    yield from _owner(facts.version, rules)
    yield from _disks(facts.version, rules)
    yield from _visibility(facts, rules)


def _surroundings(facts: ValidationFacts) -> Iterator[ValidationFinding]:
    for what, found, gone, state in (
        ("definition", facts.definition, "definition-gone", "definition-state"),
        ("gallery", facts.gallery, "gallery-gone", "gallery-state"),
    ):
        if found is None:
            yield error(gone, f"the version's {what} does not exist, or the app may not read it")
        elif found.provisioning_state is not ProvisioningState.SUCCEEDED and not found.provisioning_state.in_progress:
            yield error(state, f"the version's {what} is {found.provisioning_state}")


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


def _trusted_launch(version: VersionFacts, definition: DefinitionFacts | None) -> Iterator[ValidationFinding]:
    security = (definition.feature("SecurityType") or "").casefold() if definition is not None else ""
    if security.startswith("trustedlaunch") and all(
        executed.type.casefold() != "trustedlaunch" for executed in version.validations
    ):
        yield warning("trusted-launch-unvalidated", "Azure has not validated the version for Trusted Launch")


def _lifetime(facts: ValidationFacts, rules: ValidationRules, now: datetime) -> Iterator[ValidationFinding]:
    assert facts.version is not None
    dates = [("version", facts.version.end_of_life)]
    if facts.definition is not None:
        dates.append(("definition", facts.definition.end_of_life))
    for what, date in dates:
        if date is not None and date <= now:
            yield error("end-of-life", f"the {what} reached its end of life on {date:%Y-%m-%d}")
    wanted, end = rules.end_of_life, facts.version.end_of_life
    if wanted is None:
        return
    if end is None and wanted.required:
        yield error("end-of-life-missing", "the version has no end of life: let the builder set endOfLifeDate")
    elif end is not None and now < end < now + wanted.at_least:
        yield error(
            "end-of-life-near",
            f"the version reaches its end of life on {end:%Y-%m-%d}, and {wanted.at_least.days} days are required",
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


def _tags(version: VersionFacts, rules: ValidationRules) -> Iterator[ValidationFinding]:
    tags = {name.casefold(): value for name, value in version.tags.items()}
    for name, pattern in rules.required_tags.items():
        value = tags.get(name.casefold())
        if value is None:
            yield error("tag-missing", f"the tag {name!r} is missing")
        elif pattern is not None and not pattern.fullmatch(value):
            yield error("tag-value", f"the tag {name!r} is {value!r}, which does not match {pattern.pattern}")


def _owner(version: VersionFacts, rules: ValidationRules) -> Iterator[ValidationFinding]:
    wanted = rules.owner
    if wanted is None:
        return
    value = next((value for name, value in version.tags.items() if name.casefold() == wanted.tag.casefold()), None)
    patterns = {OwnerKind.EMAIL: _EMAIL, OwnerKind.ENTRA_ID: _GUID}
    if value is None:
        yield error("owner-tag", f"the tag {wanted.tag!r} is missing, so nobody is responsible for the version")
    elif not any(patterns[kind].fullmatch(value.strip()) for kind in wanted.kinds):
        words = {OwnerKind.EMAIL: "an e-mail address", OwnerKind.ENTRA_ID: "an Entra object id"}
        told = " or ".join(words[kind] for kind in wanted.kinds)
        yield error("owner-tag", f"the tag {wanted.tag!r} is {value!r}, which is not {told}")


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
