"""The pages by their names."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import cache
from http import HTTPStatus
from typing import Final

from shared.codec import CodecError
from shared.ports import World
from shared.web.query_parameters import PageError, QueryParameters
from shared.web.templating import Page, render

log = logging.getLogger("ringmaster.web")

type PageHandler = Callable[[QueryParameters, World, datetime], Awaitable[Page]]

PAGES: Final = ("releases", "release", "scan", "evidence")


@cache
def _handlers() -> Mapping[str, PageHandler]:
    # Imported with the first page: a process that only works on messages never needs them.
    from shared.web import evidence_page, release_page, releases_page, scan_page

    return dict(zip(PAGES, (releases_page.show, release_page.show, scan_page.show, evidence_page.show), strict=True))


async def page(name: str, query: Mapping[str, str], world: World, *, now: datetime) -> Page:
    """The page of this name, or one that says why there is none."""
    show = _handlers().get(name)
    if show is None:
        return error_page(404, f"There is no page of this name. There are: {', '.join(PAGES)}.")
    try:
        return await show(QueryParameters(query), world, now)
    except PageError as why:
        return error_page(why.status, str(why))
    except CodecError as error:
        log.exception("the page %s can't be shown", name)
        return error_page(500, f"What is kept can't be read: {error}")


def error_page(status: int, text: str, *, sign_in: str = "") -> Page:
    """A page that says what is wrong. ``sign_in`` is an address of this very host at which people sign in."""
    return render("error", status, heading=HTTPStatus(status).phrase, text=text, sign_in=sign_in)
