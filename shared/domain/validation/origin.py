"""Whether a version was made from an approved source by an approved builder, and what its source says.

Rules:

* An approved source is the id of a resource or of what contains it: a gallery, a resource group, a subscription. Every
  source that the version names must be approved.
* A builder is approved by an application id or an object id. Both the event and the Activity Log are believed when they
  name one that is not approved; one of them is enough to approve.
* A log that cannot be read is a warning, and rejects only where the policy names builders and the event named none.
* "Generalized" is a declaration. It can be compared with what the source declares, and that is done here; whether the
  disk lives up to it shows only at boot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from fnmatch import fnmatchcase

from shared.domain.facts import DefinitionFacts, SourceFacts, SourceKind, VersionFacts
from shared.domain.policy import ValidationRules
from shared.domain.ring_definitions import differs
from shared.domain.validation.facts import ValidationFacts
from shared.domain.validation.findings import ValidationFinding, error, finding, warning


def origin_findings(facts: ValidationFacts, rules: ValidationRules) -> Iterator[ValidationFinding]:
    """The findings on the source and the builder of a version."""
    version = facts.version
    assert version is not None
    yield from _approved_sources(version, rules.sources)
    yield from _approved_builder(facts, rules.builders)
    if facts.source is None:
        return
    if facts.source.kind is SourceKind.GONE:
        gone = "the source of the version no longer exists, so it cannot be compared"
        yield finding("source-gone", f"{gone}: {facts.source.id}")
        return
    if facts.source.unread:
        yield finding(
            "source-unread",
            f"the app may not read the {facts.source.kind} that the version was made from, so it is not compared: "
            f"{facts.source.id}",
        )
        return
    if facts.definition is not None:
        yield from _compared(facts.definition, facts.source)
        yield from _power(facts.definition, facts.source)
    yield from _changed(facts.source, version)
    yield from _reused(facts.source, version, facts.siblings)
    if facts.source.password_login:
        yield finding(
            "source-password",
            "the source VM was provisioned with password authentication. Use an SSH key, and remove the account from "
            "the image (waagent -deprovision+user)",
        )


def source_ids(version: VersionFacts) -> tuple[str, ...]:
    """Everything that a version names as its source."""
    named = (version.source_id, version.source_vm_id, version.source_community_id, *version.disk_source_ids)
    return tuple(dict.fromkeys(each for each in named if each))


def is_within(resource: str, pattern: str) -> bool:
    """Whether an id is that of a pattern, or within it. ``*`` stands for any text within a segment.

    >>> is_within("/subscriptions/a/resourceGroups/rg/providers/Microsoft.Compute/images/x", "/Subscriptions/A")
    True
    >>> is_within("/subscriptions/ab", "/subscriptions/a")
    False
    """
    wanted, given = (text.strip("/").casefold().split("/") for text in (pattern, resource))
    return len(given) >= len(wanted) and all(map(fnmatchcase, given, wanted))


def knows_builder(facts: ValidationFacts) -> bool:
    """Whether the event or the Activity Log says who created the version."""
    return facts.builder is not None or facts.activity.created is not None


def _approved_sources(version: VersionFacts, approved: tuple[str, ...]) -> Iterator[ValidationFinding]:
    if not approved:
        return
    named = source_ids(version)
    if not named:
        yield error("source-not-approved", "the version names no source, so it is not an approved one")
    for each in named:
        if not any(is_within(each, pattern) for pattern in approved):
            yield error(
                "source-not-approved", f"the version was made from {each}, which validation.sources does not name"
            )


def _approved_builder(facts: ValidationFacts, approved: frozenset[str]) -> Iterator[ValidationFinding]:
    activity = facts.activity
    if activity.unread is not None:
        yield finding("activity-log-unread", f"the Activity Log cannot be read: {activity.unread}")
    if not approved:
        return
    logged = activity.created.ids if activity.created is not None else ()
    told = [("the Activity Log", logged)] if logged else []
    if facts.builder and facts.builder.lower() not in logged:  # one that is, is the same caller by another id
        told.append(("the event", (facts.builder.lower(),)))
    if not told:
        why = activity.unread or "it has no record of the version"
        text = f"neither the event nor the Activity Log says who created the version: {why}"
        yield error("builder-unknown", text)
    for where, ids in told:
        if approved.isdisjoint(ids):
            text = f"by {where}, {ids[0]} created the version, which validation.builders does not name"
            yield error("builder-not-approved", text)


def _compared(definition: DefinitionFacts, source: SourceFacts) -> Iterator[ValidationFinding]:
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
            text = f"the definition's {what} is {declared}, but the {source.kind} it was made from is {found}"
            yield error(code, text)


def _power(definition: DefinitionFacts, source: SourceFacts) -> Iterator[ValidationFinding]:
    if source.kind is not SourceKind.VM or source.power == "deallocated":
        return
    if source.power is None:
        yield warning("source-running", "Azure does not say whether the source VM is deallocated")
        return
    # Azure also captures a running machine as a specialized image; its disk is as after a power failure.
    say = warning if definition.os_state.casefold() == "specialized" else error
    yield say(
        "source-running",
        f"the source VM is {source.power}, not deallocated. Deallocate and generalize it before you build",
    )


def _changed(source: SourceFacts, version: VersionFacts) -> Iterator[ValidationFinding]:
    if version.published_at is None:
        return
    needed = {"created": source.created_at, "started, stopped or attached": source.used_at}
    if source.kind is SourceKind.GALLERY_VERSION:
        needed = {"created": source.created_at}
    elif source.kind not in {SourceKind.VM, SourceKind.DISK}:
        return
    unknown = [what for what, at in needed.items() if at is None]
    if unknown:
        yield warning(
            "source-changed",
            f"Azure does not say when the {source.kind} that the version was made from was last {' or '.join(unknown)}",
        )
    for what, at in needed.items():
        if at is not None and at > version.published_at:
            yield warning(
                "source-changed",
                f"the {source.kind} that the version was made from was {what} on {at:%Y-%m-%d %H:%M} UTC, after the "
                f"version was published: {source.id}",
            )


def _reused(
    source: SourceFacts, version: VersionFacts, siblings: Iterable[VersionFacts]
) -> Iterator[ValidationFinding]:
    """Another version of the same machine. One of the same tags is the same build, published twice."""
    if source.kind is not SourceKind.VM:
        return
    name = source.id.casefold()
    for other in siblings:
        same = name in {each.casefold() for each in source_ids(other)}
        if same and other.tags != version.tags and not _made_since(source.created_at, other.published_at):
            yield finding(
                "source-reused",
                f"{other.id.number} was made from the same VM, and has other tags: one of them does not tell what it "
                f"was built from ({source.id})",
            )


def _made_since(created: datetime | None, published: datetime | None) -> bool:
    """Whether the machine is another one under the same name."""
    return created is not None and published is not None and created > published
