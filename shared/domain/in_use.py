"""Who uses an image version: the users of a version and of what was made from it, and how complete that is.

Rules:

* An id names the same image in several spellings: by resource id, by the unique name of a directly shared gallery, by
  the public name of a community gallery, below a dev center. All of them count.
* A reference that may be to the version counts as one. It is never dropped because it is unclear.
* A user is pinned (it names or runs the version), follows ``latest``, or does not tell which version it runs.
* What is made from a version (a disk, a snapshot, a managed image, another version) is a descendant, and so is what is
  made from that, and from machines that run it. A user of a descendant is a user.
* The result is complete only if every list was read to its end, but for what the policy waives by name.

Source: the properties ``imageReference``, ``creationData`` and ``storageProfile.source`` in Azure's REST API reference.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, NamedTuple

from shared.domain.image import GalleryId, InvalidId, VersionId
from shared.domain.usage import KINDS, RESOLVED_ONCE, VERSIONS, Coverage, Looked, Mention, Relation, Source

_IMAGE: Final = re.compile(
    r"(?P<before>.*?)/(?P<place>galleries|sharedgalleries|communitygalleries)/(?P<gallery>[^/]+)"
    r"(?:/images/(?P<definition>[^/]+)(?:/versions?/(?P<number>[^/]+))?|/serviceartifacts/.+)?/?"
)
_DEV_CENTER: Final = re.compile(
    r".*/microsoft\.devcenter/.*/images/(?:[^/]*~)?(?P<definition>[^/~]+)(?:/versions?/(?P<number>[^/]+))?/?"
)
"""An image as a dev center names it; a project writes the gallery before it: ``~gallery~name~image``."""
_SUBSCRIPTION: Final = re.compile(r"/subscriptions/([^/]+)")
_REASONS_TOLD: Final = 3
_UNIQUE_NAME: Final = re.compile(r"([0-9a-f-]{36})-(.+)")


class Reference(StrEnum):
    """How a user refers to a version."""

    PINNED = "pinned"
    """It names the version, or runs it."""
    FOLLOWS = "follows latest"
    """It names the image definition, and takes what is newest when it next creates a machine."""
    UNKNOWN = "version unknown"
    """It names the image definition or its gallery, and not which version it runs."""


class ImageKey(NamedTuple):
    """An image definition, whatever its id's spelling. A gallery's name is unique in its subscription.

    Source: Microsoft Learn, "Create a gallery": the gallery name must be unique within your subscription. ``place`` is
    the subscription, ``community`` with a public name as the gallery, or ``devcenter``, whose gallery has a name of its
    own.
    """

    place: str
    gallery: str
    definition: str


@dataclass(frozen=True, slots=True)
class ImageTarget:
    """What an id of an image names: a definition, or a gallery alone, and a version number or ``latest`` or neither."""

    key: ImageKey
    number: str | None = None

    @property
    def names_version(self) -> bool:
        return self.number not in {None, "latest"}


def image_target(target: str) -> ImageTarget | None:
    """Read an id in lower case; None if it names no image of a gallery."""
    if (own := _DEV_CENTER.fullmatch(target)) is not None:
        return ImageTarget(ImageKey("devcenter", "", own["definition"]), own["number"])
    match = _IMAGE.fullmatch(target)
    if match is None:
        return None
    gallery, definition = match["gallery"], match["definition"] or ""
    subscription = _SUBSCRIPTION.match(match["before"])
    if match["place"] == "communitygalleries":
        key = ImageKey("community", gallery, definition)
    elif match["place"] == "sharedgalleries":
        unique = _UNIQUE_NAME.fullmatch(gallery)
        key = ImageKey(unique[1], unique[2], definition) if unique else ImageKey("", gallery, definition)
    else:
        key = ImageKey(subscription[1] if subscription else "", gallery, definition)
    return ImageTarget(key, match["number"])


@dataclass(frozen=True, slots=True)
class User:
    """A resource that uses the version, or something that was made from it."""

    id: str
    kind: str
    location: str
    refers: Reference
    target: str
    generation: int = 0
    """0 for the version and its copies in rings; else how many copies lie between them."""
    via: str | None = None
    """The descendant that it uses."""
    instances: int | None = None
    power: str | None = None
    source: Source = Source.LIST

    @property
    def name(self) -> str:
        return self.id.rpartition("/")[2]

    @property
    def subscription(self) -> str:
        match = _SUBSCRIPTION.match(self.id)
        return match[1] if match else ""


@dataclass(frozen=True, slots=True)
class Descendant:
    """A disk, snapshot, managed image or version that was made from the version, ``generation`` copies away."""

    id: str
    kind: str
    generation: int
    parent: str
    source: Source = Source.LIST

    @property
    def version(self) -> VersionId | None:
        """The image version that it is; None if it is something else."""
        try:
            return VersionId.parse(self.id) if self.kind == VERSIONS else None
        except InvalidId:
            return None


@dataclass(frozen=True, slots=True)
class InUse:
    """The users and descendants of a version, and how it was looked for them."""

    users: tuple[User, ...]
    descendants: tuple[Descendant, ...]
    coverage: tuple[Coverage, ...]
    limits: tuple[str, ...] = ()
    """What cannot be seen at all, such as users of a shared gallery in other tenants."""

    @property
    def incomplete(self) -> tuple[str, ...]:
        """Why there may be further users; empty if every list was read to its end."""
        failed = [str(each) for each in self.coverage if each.looked is Looked.FAILED and each.source is Source.LIST]
        nothing = (
            () if any(each.source is Source.LIST for each in self.coverage) else ("no subscription was looked at",)
        )
        return (*self.limits, *nothing, *failed)

    @property
    def is_complete(self) -> bool:
        return not self.incomplete

    @property
    def waived(self) -> tuple[str, ...]:
        """Types that the policy waives, which may have users too."""
        return tuple(dict.fromkeys(each.kind for each in self.coverage if each.looked is Looked.WAIVED))

    @property
    def summary(self) -> str:
        """The result in a line."""
        counted = Counter(each.kind for each in self.users)
        kinds = ", ".join(f"{count} {label(kind)}" for kind, count in sorted(counted.items()))
        known = "complete" if self.is_complete else f"incomplete: {_bounded(self.incomplete)}"
        users = f"{len(self.users)} users ({kinds})" if kinds else "no users found"
        return f"{users}, {len(self.descendants)} descendants; the look is {known}"


def _bounded(reasons: tuple[str, ...]) -> str:
    more = len(reasons) - _REASONS_TOLD
    return "; ".join((*reasons[:_REASONS_TOLD], *((f"{more} more",) if more > 0 else ())))


def label(kind: str) -> str:
    """A type of resource for people."""
    known = KINDS.get(kind)
    return known.label if known else kind


@dataclass(frozen=True, slots=True)
class _Index:
    """Mentions by what they name."""

    versions: Mapping[tuple[ImageKey, str], list[Mention]]
    definitions: Mapping[ImageKey, list[Mention]]
    galleries: Mapping[tuple[str, str], list[Mention]]
    others: Mapping[str, list[Mention]]
    power: Mapping[str, str]


@dataclass(slots=True)
class _Trace:
    """The walk from a version to everything that hangs on it."""

    index: _Index
    public_names: Mapping[str, GalleryId]
    users: dict[str, User] = field(default_factory=dict[str, User])
    descendants: dict[str, Descendant] = field(default_factory=dict[str, Descendant])
    seen: set[str] = field(default_factory=set[str])
    left: deque[tuple[str, int, str | None]] = field(default_factory=deque[tuple[str, int, str | None]])
    """Resource id, generation, and the descendant through which it was reached."""

    def run(self, versions: Iterable[VersionId]) -> None:
        """Breadth first, so that each descendant has the least generation."""
        seeds = [str(each) for each in versions]
        self.seen.update(seeds)
        self.left.extend((each, 0, None) for each in seeds)
        while self.left:
            node, generation, via = self.left.popleft()
            for mention, reference in self._naming(node, generation):
                self._reach(mention, reference, node, generation, via)

    def _reach(self, mention: Mention, reference: Reference, node: str, generation: int, via: str | None) -> None:
        if mention.relation is Relation.USES:
            self._use(mention, reference, generation, via)
            deeper, through = generation, via
        else:
            child = Descendant(mention.resource, mention.kind, generation + 1, node, mention.source)
            if mention.resource not in self.seen:
                self.descendants[mention.resource] = child
            deeper, through = generation + 1, mention.resource
        runs_it = reference is not Reference.FOLLOWS
        if runs_it and mention.resource not in self.seen:
            self.seen.add(mention.resource)
            self.left.append((mention.resource, deeper, through))

    def _use(self, mention: Mention, reference: Reference, generation: int, via: str | None) -> None:
        user = User(
            mention.resource,
            mention.kind,
            mention.location,
            reference,
            mention.target,
            generation,
            via,
            mention.instances,
            mention.power or self.index.power.get(mention.resource),
            mention.source,
        )
        before = self.users.get(user.id)
        if before is None or (before.refers is not Reference.PINNED and reference is Reference.PINNED):
            self.users[user.id] = user
        elif before.source is Source.RESOURCE_GRAPH and user.source is Source.LIST:
            self.users[user.id] = replace(before, source=Source.LIST, instances=user.instances)

    def _naming(self, node: str, generation: int) -> Iterator[tuple[Mention, Reference]]:
        """The mentions of a resource."""
        for mention in self.index.others.get(node, ()):
            yield mention, Reference.PINNED
        target = image_target(node)
        if target is None or target.number is None:
            return
        for key in self._spellings(target.key):
            for mention in self.index.versions.get((key, target.number), ()):
                yield mention, Reference.PINNED
            for mention in self.index.definitions.get(key, ()):
                reference = _of_follower(mention, target.number)
                if reference is Reference.PINNED or (reference and generation == 0):
                    yield mention, reference
        if generation == 0:
            for mention in self.index.galleries.get((target.key.place, target.key.gallery), ()):
                yield mention, Reference.UNKNOWN

    def _spellings(self, key: ImageKey) -> Iterator[ImageKey]:
        yield key
        yield ImageKey("devcenter", "", key.definition)
        for public, gallery in self.public_names.items():
            if (gallery.subscription, gallery.name) == (key.place, key.gallery):
                yield ImageKey("community", public, key.definition)


def _of_follower(mention: Mention, number: str) -> Reference | None:
    """How a resource that names a definition refers to one of its versions; None if it runs another one."""
    if mention.exact is not None and _number(mention.exact) == number:
        return Reference.PINNED
    if mention.relation is Relation.MADE_FROM or mention.kind in RESOLVED_ONCE:
        return Reference.UNKNOWN if mention.exact is None else None
    return Reference.FOLLOWS


def _number(exact: str) -> str:
    """``exactVersion`` is a version number; that of an image template is the version's id."""
    return exact.rpartition("/")[2]


def trace(
    versions: Iterable[VersionId],
    mentions: Iterable[Mention],
    coverage: Iterable[Coverage],
    *,
    public_names: Mapping[str, GalleryId] = {},
    limits: Iterable[str] = (),
) -> InUse:
    """The users and descendants of a version, given as itself and its copies in rings.

    ``public_names`` are the names, in lower case, under which galleries are shared with the community.
    """
    walk = _Trace(_indexed(mentions), public_names)
    walk.run(versions)
    return InUse(
        tuple(sorted(walk.users.values(), key=lambda each: (each.generation, each.kind, each.id))),
        tuple(sorted(walk.descendants.values(), key=lambda each: (each.generation, each.kind, each.id))),
        tuple(coverage),
        tuple(limits),
    )


def _indexed(mentions: Iterable[Mention]) -> _Index:
    versions: dict[tuple[ImageKey, str], list[Mention]] = defaultdict(list)
    definitions: dict[ImageKey, list[Mention]] = defaultdict(list)
    galleries: dict[tuple[str, str], list[Mention]] = defaultdict(list)
    others: dict[str, list[Mention]] = defaultdict(list)
    power: dict[str, str] = {}
    for mention in mentions:
        if mention.power:
            power[mention.resource] = mention.power
        target = image_target(mention.target)
        if target is None:
            others[mention.target].append(mention)
        elif target.number is not None and target.names_version:
            versions[target.key, target.number].append(mention)
        elif target.key.definition:
            definitions[target.key].append(mention)
        else:
            galleries[target.key.place, target.key.gallery].append(mention)
    return _Index(versions, definitions, galleries, others, power)
