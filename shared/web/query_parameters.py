"""Query-string parameters, page URLs and pagination. A page URL never contains a key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

from shared.domain.image import InvalidId, VersionId

_DIGITS: Final = re.compile("[0-9]{1,9}")


class PageError(Exception):
    """A page that cannot be shown, with an HTTP status. The message is shown to the user."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class QueryParameters:
    """The parameters of a page URL.

    An invalid value raises PageError (400) with a message that says what is allowed.
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        """Wrap the decoded query string."""
        self._given = given

    def version(self) -> VersionId:
        """The image version from the parameter ``version``, which is a resource id."""
        try:
            return VersionId.parse(self._given.get("version", ""))
        except InvalidId as error:
            raise PageError(400, f"version: {error}") from error

    def text(self, name: str) -> str:
        """The value of a parameter; empty when it is absent."""
        return self._given.get(name, "")

    def number(self, name: str, *, least: int = 0) -> int | None:
        """A whole number of at least ``least``. None when the parameter is absent."""
        text = self._given.get(name, "")
        if not text:
            return None
        if not _DIGITS.fullmatch(text) or int(text) < least:
            raise PageError(400, f"{name} is {text[:80]!r}, but must be a whole number of at least {least}")
        return int(text)

    def page(self, name: str) -> int:
        """A page number, counted from 1. The default is 1."""
        return self.number(name, least=1) or 1

    def one_of[E: StrEnum](self, name: str, kind: type[E]) -> E | None:
        """A value of an enumeration. None when the parameter is absent."""
        text = self._given.get(name, "")
        try:
            return kind(text) if text else None
        except ValueError as error:
            words = ", ".join(kind)
            raise PageError(400, f"{name} is {text[:80]!r}, but must be one of: {words}") from error

    def only(self, name: str) -> bool:
        """Whether the parameter has the value ``only``."""
        text = self._given.get(name, "")
        if text not in {"", "only"}:
            raise PageError(400, f"{name} is {text[:80]!r}, but must be 'only' or empty")
        return text == "only"


def page_url(page: str, /, **parameters: object) -> str:
    """The URL of a page, relative to the other pages. Parameters without a value are left out."""
    given = {name: str(value) for name, value in parameters.items() if value is not None and value != ""}
    return f"{page}?{urlencode(given)}" if given else page


class Pagination:
    """Which part of a long list is on the page, and which pages to link to."""

    def __init__(self, total: int, page: int, size: int) -> None:
        """Page ``page`` of ``total`` items with ``size`` items each.

        A number beyond the last page selects the last page.
        """
        self.total, self.size = total, size
        self.pages = max(1, -(-total // size))
        self.page = min(page, self.pages)

    @property
    def start(self) -> int:
        """Index of the first item on this page."""
        return (self.page - 1) * self.size

    @property
    def end(self) -> int:
        """Index after the last item on this page."""
        return min(self.start + self.size, self.total)

    @property
    def near(self) -> tuple[int, ...]:
        """The page numbers to link to: the first, the last, and those near the current one."""
        wanted = {1, self.pages, *range(self.page - 2, self.page + 3)}
        return tuple(sorted(each for each in wanted if 1 <= each <= self.pages))
