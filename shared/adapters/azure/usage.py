"""Users of images through ARM's lists and Azure Resource Graph.

Every type is listed in the same way, from one table (``usage_table``), as plain JSON: the compute SDK's models cost
several times the CPU of the JSON that they are made from, and have no list of the other types.

Sources: "Providers - List", and "Resources" of Resource Graph, in Azure's REST API reference; Microsoft Learn, "Work
with large data sets" (``$skipToken`` needs rows with an id and a sort by it; ``resultTruncated`` is a string).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from shared.adapters.azure.arm_fields import parts, text, text_or_none
from shared.adapters.azure.usage_fields import UnreadableReference, graph_mentions, holds, mentions_of
from shared.adapters.azure.usage_table import TABLE
from shared.domain.usage import LISTED, Lookup, Mention, UsagePage
from shared.ports import GraphQuestion, Refused

if TYPE_CHECKING:
    from shared.adapters.azure.arm import Arm

_PROVIDERS_API: Final = "2021-04-01"
_GRAPH_API: Final = "2022-10-01"
_GRAPH_PATH: Final = "/providers/Microsoft.ResourceGraph/resources"
_MOST_ROWS: Final = 1000


class AzureUsage:
    """``Usage`` on Azure."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    async def registered(self, subscription: str) -> Sequence[str]:
        what = f"list the resource providers of {subscription}"
        found: list[str] = []
        link: str | None = None
        seen: set[str] = set()
        while True:
            items, link = await self._arm.page(
                f"/subscriptions/{subscription}/providers", _PROVIDERS_API, what, link=link
            )
            # A provider that is being unregistered may still have resources.
            states = ((text(each.get("namespace")), text(each.get("registrationState"))) for each in items)
            found += [name.lower() for name, state in states if state.lower() != "notregistered"]
            if link is None:
                return found
            self._arm.check_next(link, seen, what)

    async def page(self, lookup: Lookup) -> UsagePage:
        row = TABLE[lookup.kind]
        path = f"{lookup.parent}/{row.segment}"
        if lookup.parent is None:
            path = f"/subscriptions/{lookup.subscription}/providers/{row.segment}"
        what = f"list {path}"
        try:
            items, link = await self._arm.page(path, row.api, what, link=lookup.link)
        except Refused as refused:
            if (
                refused.status == 404
                and lookup.parent is not None
                and "invalidresourcetype" not in refused.code.lower()
            ):
                return UsagePage()
            raise
        mentions: list[Mention] = []
        unreadable: list[str] = []
        for item in items:
            try:
                mentions += mentions_of(item, lookup.kind)
            except UnreadableReference as error:
                unreadable.append(f"{text_or_none(item.get('id')) or text(item.get('name'))} ({error})")
        following = None if link is None else Lookup(lookup.subscription, lookup.kind, lookup.parent, link)
        return UsagePage(tuple(mentions), len(items), _below(lookup, items), following, tuple(unreadable))

    async def graph_page(self, question: GraphQuestion) -> UsagePage:
        options: dict[str, Any] = {"$top": _MOST_ROWS, "resultFormat": "objectArray"}
        if question.link is not None:
            options["$skipToken"] = question.link
        body = {"subscriptions": list(question.subscriptions), "query": graph_query(question), "options": options}
        what = f"ask Resource Graph for {question.table}"
        answer = await self._arm.post(_GRAPH_PATH, _GRAPH_API, body, what)
        token = text_or_none(answer.get("$skipToken"))
        if token is None and text(answer.get("resultTruncated")).lower() == "true":
            raise Refused("ResultTruncated", f"{what}: the result was cut, and no skip token came with it")
        rows = parts(answer, "data")
        mentions = tuple(mention for row in rows for mention in graph_mentions(row, question.terms))
        following = None if token is None else Lookup("", "", link=token)
        return UsagePage(mentions, len(rows), following=following)


def graph_query(question: GraphQuestion) -> str:
    """The query that finds every resource whose properties mention a term, whatever its type."""
    wanted = " or ".join(f"body contains '{_quoted(term)}'" for term in question.terms)
    table = {"resources": "Resources", "computeresources": "ComputeResources"}[question.table]
    return (
        f"{table} | extend body = tolower(tostring(properties)) | where {wanted} "
        "| project id, name, type, location, sku, properties | order by id asc"
    )


def _quoted(term: str) -> str:
    return term.replace("\\", "\\\\").replace("'", "\\'")


def _below(lookup: Lookup, items: Sequence[Mapping[str, Any]]) -> tuple[Lookup, ...]:
    """The lists below the resources of a page."""
    kinds = [each.name for each in LISTED if each.parent == lookup.kind]
    found: list[Lookup] = []
    for item in items:
        identifier = text(item.get("id"))
        for kind in kinds:
            condition = TABLE[kind].when
            if identifier and (condition is None or holds(item, condition)):
                found.append(Lookup(lookup.subscription, kind, identifier))
    return tuple(found)
