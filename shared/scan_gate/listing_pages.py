"""The list of all findings of a scan verdict, stored with the evidence, and read page by page.

The evidence document of a verdict names the pages of the list, or has the complete list if it is short. The name of a
page contains the digest of its content. So the same findings are stored once, and the content of a page cannot change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import batched
from typing import Any, Final

from shared.codec import Malformed, encode_document
from shared.codec.listings import (
    GroupWire,
    LineWire,
    ListingWire,
    group_page,
    line_page,
    listing_facts,
    read_groups,
    read_lines,
)
from shared.domain.evidence_names import evidence_folder
from shared.domain.findings_list import list_findings
from shared.domain.release import Release
from shared.domain.verdicts import ScanVerdict
from shared.ports import Evidence, World

type Page = str | dict[str, Any]
"""The name of a document, or the document itself."""

LINES_A_PAGE: Final = 1000
GROUPS_A_PAGE: Final = 1000
INLINE: Final = 400
"""Maximum number of lines that the evidence document itself has (about 100 KB). Most images have fewer."""


async def keep(verdict: ScanVerdict, release: Release, world: World) -> dict[str, Any]:
    """Write the list of findings of a verdict. Returns its description for the evidence."""
    whole = list_findings(verdict)
    folder = evidence_folder(release.version, release.incarnation)

    async def pages[T](entries: Sequence[T], page: Callable[[Sequence[T]], dict[str, Any]], size: int) -> list[Page]:
        if len(whole.entries) <= INLINE:
            return [page(entries)]
        return [await _kept(page(some), folder, world) for some in batched(entries, size, strict=False)]

    return listing_facts(
        whole,
        folder=folder,
        lines_a_page=LINES_A_PAGE,
        groups_a_page=GROUPS_A_PAGE,
        line_pages=await pages(whole.entries, line_page, LINES_A_PAGE),
        group_pages=await pages(whole.groups, group_page, GROUPS_A_PAGE),
    )


async def _kept(page: Mapping[str, Any], folder: str, world: World) -> str:
    digest = sha256(encode_document(page)).hexdigest()[:32]
    name = f"findings-{digest}.json"
    await world.evidence.put(f"{folder}/{name}", page)
    return name


async def lines_of(wire: ListingWire, runs: Iterable[tuple[int, int]], evidence: Evidence) -> list[LineWire]:
    """The lines of these runs (start, count), in their order. Reads the pages that hold them. Raises Malformed."""
    pages = _Pages(wire.folder, wire.line_pages, read_lines, evidence)
    return [line for start, count in runs for line in await pages.between(start, count, wire.lines_a_page)]


async def groups_of(wire: ListingWire, start: int, count: int, evidence: Evidence) -> list[GroupWire]:
    """``count`` groups from ``start`` (counting from 0), or as many as there are. Raises Malformed."""
    pages = _Pages(wire.folder, wire.group_pages, read_groups, evidence)
    return await pages.between(start, min(count, wire.groups - start), wire.groups_a_page)


class _Pages[T]:
    """The pages of a listing; of those that were read, the last one is kept."""

    def __init__(
        self,
        folder: str,
        pages: Sequence[Page],
        read: Callable[[Mapping[str, Any]], Sequence[T]],
        evidence: Evidence,
    ) -> None:
        self._folder, self._pages, self._read, self._evidence = folder, pages, read, evidence
        self._last: tuple[int, Sequence[T]] = (-1, ())

    async def between(self, start: int, count: int, a_page: int) -> list[T]:
        found: list[T] = []
        while count > 0:
            number, first = divmod(start, a_page)
            some = (await self._page(number))[first : first + count]
            if not some:
                raise Malformed(f"page {number + 1} of a list of findings has fewer entries than its evidence states")
            found += some
            start, count = start + len(some), count - len(some)
        return found

    async def _page(self, number: int) -> Sequence[T]:
        if self._last[0] != number:
            if number >= len(self._pages):
                raise Malformed(f"a list of findings has no page {number + 1}")
            page = self._pages[number]
            document = page if isinstance(page, dict) else await self._evidence.get(f"{self._folder}/{page}")
            if document is None:
                raise Malformed(f"a page of the list of findings does not exist in the evidence: {page}")
            self._last = (number, self._read(document))
        return self._last[1]
