"""What a page's address asks for, and the addresses of pages. No address ever carries a key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

from shared.domain.image import InvalidId, VersionId

_DIGITS: Final = re.compile("[0-9]{1,9}")


class PageError(Exception):
    """A page that can't be shown: an HTTP status, and words for whoever asked."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class QueryParameters:
    """The parameters of an address. What can't be read raises Unanswerable (400) and says what is expected."""

    def __init__(self, given: Mapping[str, str]) -> None:
        """Read from these."""
        self._given = given

    def version(self) -> VersionId:
        """The image version that ``version`` names by its resource id."""
        try:
            return VersionId.parse(self._given.get("version", ""))
        except InvalidId as error:
            raise PageError(400, f"version: {error}") from error

    def text(self, name: str) -> str:
        """A parameter as it is; empty when it is absent."""
        return self._given.get(name, "")

    def number(self, name: str, *, least: int = 0) -> int | None:
        """A whole number, or None."""
        text = self._given.get(name, "")
        if not text:
            return None
        if not _DIGITS.fullmatch(text) or int(text) < least:
            raise PageError(400, f"{name} is {text[:80]!r}; a whole number from {least} on is expected")
        return int(text)

    def page(self, name: str) -> int:
        """The number of a page, counting from 1."""
        return self.number(name, least=1) or 1

    def one_of[E: StrEnum](self, name: str, kind: type[E]) -> E | None:
        """One of the words of an enumeration, or None."""
        text = self._given.get(name, "")
        try:
            return kind(text) if text else None
        except ValueError as error:
            words = ", ".join(kind)
            raise PageError(400, f"{name} is {text[:80]!r}; one of these is expected: {words}") from error

    def only(self, name: str) -> bool:
        """Whether a parameter says ``only``."""
        text = self._given.get(name, "")
        if text not in {"", "only"}:
            raise PageError(400, f"{name} is {text[:80]!r}; only is expected, or nothing")
        return text == "only"


def page_url(page: str, /, **parameters: object) -> str:
    """The address of a page, relative to any other page. Parameters without a value are left out."""
    given = {name: str(value) for name, value in parameters.items() if value is not None and value != ""}
    return f"{page}?{urlencode(given)}" if given else page


class Pagination:
    """Which part of a long list stands on a page, and where the others are."""

    def __init__(self, total: int, page: int, size: int) -> None:
        """Page ``page`` of ``total`` entries; a number past the last page means the last one."""
        self.total, self.size = total, size
        self.pages = max(1, -(-total // size))
        self.page = min(page, self.pages)

    @property
    def start(self) -> int:
        """Entries before this page."""
        return (self.page - 1) * self.size

    @property
    def end(self) -> int:
        """Entries up to the end of this page."""
        return min(self.start + self.size, self.total)

    @property
    def near(self) -> tuple[int, ...]:
        """The pages to offer: the first, the last and those around this one."""
        wanted = {1, self.pages, *range(self.page - 2, self.page + 3)}
        return tuple(sorted(each for each in wanted if 1 <= each <= self.pages))
