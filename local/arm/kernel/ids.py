"""Resource ids: read in any casing, written in ARM's."""

import re
from dataclasses import dataclass

_SLASHES = re.compile("//+")


@dataclass(frozen=True, slots=True)
class ResourceId:
    """A parsed resource id below a resource group.

    `kind` is the full type, e.g. `Microsoft.Compute/galleries/images`; `names` holds one name per type segment.
    """

    subscription: str
    group: str
    provider: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The full resource type."""
        return "/".join((self.provider, *self.types))

    @property
    def name(self) -> str:
        """The last name."""
        return self.names[-1]

    @property
    def parent(self) -> "ResourceId | None":
        """The resource that this one is nested in, or None at the top."""
        if len(self.names) == 1:
            return None
        return ResourceId(self.subscription, self.group, self.provider, self.types[:-1], self.names[:-1])

    def __str__(self) -> str:
        """The id with ARM's casing of the fixed segments."""
        tail = "/".join(f"{kind}/{name}" for kind, name in zip(self.types, self.names, strict=True))
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/{self.provider}/{tail}"


def plain(path: str) -> str:
    """A path or id with single slashes: ARM takes doubled ones for one."""
    return _SLASHES.sub("/", path)


def parse(text: str) -> ResourceId | None:
    """The id in `text`, or None when it is not the id of a resource in a resource group."""
    parts = plain(text).strip("/").split("/")
    fixed = [part.lower() for part in parts[0:6:2]]
    if len(parts) < 8 or len(parts) % 2 or fixed != ["subscriptions", "resourcegroups", "providers"] or not all(parts):
        return None
    return ResourceId(parts[1], parts[3], parts[5], tuple(parts[6::2]), tuple(parts[7::2]))


def group_id(subscription: str, group: str) -> str:
    """The id of a resource group."""
    return f"/subscriptions/{subscription}/resourceGroups/{group}"


def parent_key(resource_id: str) -> str:
    """The lower-case id of the scope that lists a resource: its parent resource, or its resource group."""
    found = parse(resource_id)
    if found is None:
        return resource_id.lower().rsplit("/", 2)[0]
    parent = found.parent
    return (str(parent) if parent else group_id(found.subscription, found.group)).lower()
