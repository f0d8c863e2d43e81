"""Who refers to images: the lists of the resource providers, and Azure Resource Graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.domain.usage import Lookup, UsagePage
from shared.ports.port_errors import Refused


@dataclass(frozen=True, slots=True)
class GraphQuestion:
    """Which resources mention one of the ``terms``, parts of ids in lower case, in the text of their properties.

    ``table`` is a table of Resource Graph, ``link`` the skip token of the page before.
    """

    subscriptions: tuple[str, ...]
    terms: tuple[str, ...]
    table: str
    link: str | None = None


class Usage(Protocol):
    """Reads resources that can refer to an image, one page a call, so that a caller can go on at any page.

    No call writes anything. Every method may raise Throttled, Unavailable and Refused.
    """

    async def registered(self, subscription: str) -> Sequence[str]:
        """The namespaces, in lower case, of the resource providers that a subscription has registered.

        Raises Refused when the subscription does not exist or may not be read.
        """
        ...

    async def page(self, lookup: Lookup) -> UsagePage:
        """One page of a provider's own list. A parent that no longer exists has an empty page.

        Raises Refused when Ringmaster may not read the list, or the type does not exist in this cloud.
        """
        ...

    async def graph_page(self, question: GraphQuestion) -> UsagePage:
        """One page of what Resource Graph knows. It leaves out what it may not read, without saying so.

        Raises Refused also when a result was truncated.
        """
        ...


class NoUsage:
    """Knows nothing: every look is incomplete."""

    async def registered(self, subscription: str) -> Sequence[str]:
        raise Refused("NotConfigured", "nothing is configured that lists the users of images")

    async def page(self, lookup: Lookup) -> UsagePage:
        raise Refused("NotConfigured", "nothing is configured that lists the users of images")

    async def graph_page(self, question: GraphQuestion) -> UsagePage:
        raise Refused("NotConfigured", "nothing is configured that lists the users of images")
