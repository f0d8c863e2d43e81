"""Resources that refer to images, in memory, as the lists of the providers and Resource Graph show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from shared.domain.usage import KINDS, LISTED, Lookup, Mention, Source, UsagePage
from shared.ports import GraphQuestion, Refused

COMPUTE: Final = "microsoft.compute"


@dataclass(slots=True)
class _Resource:
    id: str
    kind: str
    mentions: list[Mention] = field(default_factory=list[Mention])


class MemoryUsage:
    """``Usage`` in memory."""

    def __init__(self, *, page_size: int = 100) -> None:
        """Create subscriptions without resources. A subscription exists as soon as it is asked for."""
        self.page_size = page_size
        self.unreadable: set[str] = set()
        """Subscriptions that Ringmaster may not read."""
        self.missing_in_graph: set[str] = set()
        """Ids of resources that Resource Graph does not know yet."""
        self.providers: set[str] = {COMPUTE}
        self._resources: dict[str, _Resource] = {}

    def add(self, mention: Mention) -> str:
        """Add a resource, or a further mention of one that is there. Returns its id."""
        known = self._resources.setdefault(mention.resource, _Resource(mention.resource, mention.kind))
        known.mentions.append(mention)
        return mention.resource

    def add_resource(self, resource: str, kind: str) -> str:
        """Add a resource that refers to nothing, such as a gallery."""
        self._resources.setdefault(resource, _Resource(resource, kind))
        return resource

    def remove(self, resource: str) -> None:
        """Somebody deletes a resource."""
        self._resources.pop(resource, None)

    async def registered(self, subscription: str) -> Sequence[str]:
        self._check(subscription)
        return sorted(self.providers)

    async def page(self, lookup: Lookup) -> UsagePage:
        self._check(lookup.subscription)
        within = lookup.parent or f"/subscriptions/{lookup.subscription}"
        found = [each for each in self._of_kind(lookup.kind) if each.id.startswith(f"{within.lower()}/")]
        start = int(lookup.link or 0)
        shown = found[start : start + self.page_size]
        end = start + self.page_size
        kinds = [kind.name for kind in LISTED if kind.parent == lookup.kind]
        return UsagePage(
            tuple(mention for each in shown for mention in each.mentions),
            len(shown),
            tuple(Lookup(lookup.subscription, kind, each.id) for each in shown for kind in kinds),
            replace(lookup, link=str(end)) if end < len(found) else None,
        )

    async def graph_page(self, question: GraphQuestion) -> UsagePage:
        readable = [each for each in question.subscriptions if each not in self.unreadable]
        if not readable:
            raise Refused("AuthorizationFailed", "no subscription can be read", 403)
        wanted = tuple(f"/subscriptions/{each}/" for each in readable)
        nested = question.table == "computeresources"
        found = [
            replace(mention, source=Source.RESOURCE_GRAPH)
            for each in sorted(self._resources.values(), key=lambda each: each.id)
            if each.id.startswith(wanted) and each.id not in self.missing_in_graph and _is_instance(each) is nested
            for mention in each.mentions
            if any(term in mention.target for term in question.terms)
        ]
        start = int(question.link or 0)
        end = start + self.page_size
        following = Lookup("", "", link=str(end)) if end < len(found) else None
        return UsagePage(tuple(found[start:end]), len(found[start:end]), following=following)

    def _of_kind(self, kind: str) -> list[_Resource]:
        return sorted((each for each in self._resources.values() if each.kind == kind), key=lambda each: each.id)

    def _check(self, subscription: str) -> None:
        if subscription in self.unreadable:
            raise Refused("AuthorizationFailed", f"the client may not read subscription {subscription}", 403)


def _is_instance(resource: _Resource) -> bool:
    kind = KINDS.get(resource.kind)
    return kind is not None and kind.parent == "microsoft.compute/virtualmachinescalesets"
