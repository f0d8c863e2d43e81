"""Looks for the users of a version: reads one page after another, and says what came of it.

The caller decides how many pages to read before it goes on elsewhere, and what a transient fault means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from shared.domain.image import GalleryId, VersionId
from shared.domain.in_use import InUse, User, label, trace
from shared.domain.look import Look, with_failure, with_page, with_providers
from shared.domain.orders import MACHINE_PREFIX
from shared.domain.policy import DefinitionPolicy, Policy, TestEnvironment
from shared.domain.release import Release
from shared.domain.usage import GRAPH, MOST_NAMED, PROVIDERS, Coverage, Looked, Lookup, Mention
from shared.gallery.incarnation import copy_mismatch
from shared.gallery.revocation_scope import definitions_of
from shared.ports import GraphQuestion, Refused, World

MOST_PAGES: Final = 20_000
"""Pages that one look reads. An estate of 100 subscriptions with a million machines has fewer."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a look is about: the version and its copies in rings, and under which names their galleries are shared."""

    versions: tuple[VersionId, ...]
    public_names: tuple[tuple[str, GalleryId], ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def terms(self) -> tuple[str, ...]:
        """Parts of ids that name the image definitions, in every spelling but a dev center's."""
        found: dict[str, None] = {}
        for version in self.versions:
            gallery, definition = version.definition.gallery, version.definition.name
            found[f"/galleries/{gallery.name}/images/{definition}"] = None
            found[f"/sharedgalleries/{gallery.subscription}-{gallery.name}/images/{definition}"] = None
            for public, owner in self.public_names:
                if owner == gallery:
                    found[f"/communitygalleries/{public}/images/{definition}"] = None
        return tuple(found)


async def subject_of(version: VersionId, release: Release | None, world: World) -> Subject:
    """The version, its copies in the rings of its policy, and how their galleries are shared."""
    policy = world.policy.covering(version)
    versions = [version] if policy is None else await _copies(version, release, policy, world)
    names: list[tuple[str, GalleryId]] = []
    limits: list[str] = []
    for gallery in dict.fromkeys(each.definition.gallery for each in versions):
        try:
            facts = await world.galleries.gallery(gallery)
        except Refused as refused:
            limits.append(f"gallery {gallery.name} cannot be read, so who else may use it is unknown: {refused}")
            continue
        if facts is None:
            continue
        names += [(name, gallery) for name in facts.sharing.public_names]
        if (limit := facts.sharing.limit(gallery)) is not None:
            limits.append(limit)
    return Subject(tuple(versions), tuple(names), tuple(limits))


async def _copies(
    version: VersionId, release: Release | None, policy: DefinitionPolicy, world: World
) -> list[VersionId]:
    """A copy that is gone still counts, since machines outlive it. One of another image does not."""
    found = [version]
    for definition in definitions_of(policy):
        target = definition.version(version.number)
        if target == version:
            continue
        try:
            facts = await world.galleries.version(target)
        except Refused:
            facts = None
        if facts is None or release is None or release.incarnation is None or copy_mismatch(facts, release) is None:
            found.append(target)
    return found


async def read_next(look: Look, subject: Subject, world: World, *, now: datetime) -> tuple[Look, tuple[Mention, ...]]:
    """Read the next page. Raises PassingFault, and then nothing has changed."""
    rules, lookup = world.policy.looked_at, look.next
    try:
        if lookup.kind == PROVIDERS:
            registered = await world.usage.registered(lookup.subscription)
            return with_providers(look, registered, rules, now), ()
        if lookup.kind == GRAPH:
            question = GraphQuestion(rules.subscriptions, subject.terms, lookup.parent or "", lookup.link)
            page = await world.usage.graph_page(question)
            link = page.following and page.following.link
            following = Lookup(lookup.subscription, GRAPH, lookup.parent, link) if link else None
            page = replace(page, following=following)
        else:
            page = await world.usage.page(lookup)
    except Refused as refused:
        return with_failure(look, str(refused), rules, now), ()
    if page.following is not None and page.following.link == lookup.link:
        return with_failure(look, "the next page is the same as this one", rules, now), page.mentions
    return with_page(look, page, rules, now), page.mentions


def found_users(
    subject: Subject, mentions: Iterable[Mention], coverage: Collection[Coverage], policy: Policy, now: datetime
) -> InUse:
    """Who uses the version. Ringmaster's own test machines, which are deleted with their tests, are left out.

    A subscription that the policy names and the look did not reach is marked.
    """
    others = (each for each in mentions if not _is_test_machine(each.resource, policy.test))
    reached = {each.subscription for each in coverage}
    missed = (each for each in policy.looked_at.subscriptions if each not in reached)
    marked = (Coverage(each, PROVIDERS, Looked.FAILED, now, reason="not looked at") for each in missed)
    return trace(
        subject.versions,
        others,
        (*coverage, *marked),
        public_names=dict(subject.public_names),
        limits=subject.limits,
    )


def _is_test_machine(resource: str, test: TestEnvironment) -> bool:
    group = f"/subscriptions/{test.subscription}/resourcegroups/{test.resource_group}/".lower()
    return resource.startswith(group) and resource.rpartition("/")[2].startswith(MACHINE_PREFIX)


def as_document(found: InUse, policy: Policy) -> dict[str, Any]:
    """Users, descendants and how complete that is, as JSON values."""
    counts: dict[str, int] = {}
    for user in found.users:
        counts[label(user.kind)] = counts.get(label(user.kind), 0) + 1
    users = [_user(each) for each in found.users[:MOST_NAMED]]
    descendants = [
        {
            "id": each.id,
            "kind": label(each.kind),
            "generation": each.generation,
            "parent": each.parent,
            "covered": each.version is not None and policy.covering(each.version) is not None,
            "source": each.source.value,
        }
        for each in found.descendants[:MOST_NAMED]
    ]
    return {
        "complete": found.is_complete,
        "incomplete": list(found.incomplete),
        "waived": list(found.waived),
        "counts": dict(sorted(counts.items())),
        "users": users,
        "usersLeftOut": len(found.users) - len(users),
        "descendants": descendants,
        "descendantsLeftOut": len(found.descendants) - len(descendants),
        "looked": [_coverage(each) for each in found.coverage],
    }


def _user(user: User) -> dict[str, Any]:
    given = {
        "id": user.id,
        "kind": label(user.kind),
        "name": user.name,
        "subscription": user.subscription,
        "location": user.location,
        "refers": user.refers.value,
        "target": user.target,
        "generation": user.generation,
        "via": user.via,
        "instances": user.instances,
        "power": user.power,
        "source": user.source.value,
    }
    return {name: value for name, value in given.items() if value is not None}


def _coverage(each: Coverage) -> dict[str, Any]:
    return {
        "subscription": each.subscription,
        "kind": each.kind,
        "looked": each.looked.value,
        "resources": each.resources,
        "at": each.at.isoformat(),
        "source": each.source.value,
        **({"reason": each.reason} if each.reason else {}),
    }
