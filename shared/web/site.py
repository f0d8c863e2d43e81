"""Maps page names to pages."""

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
    # Imported when the first page is requested: a process that only handles messages never needs them.
    from shared.web import evidence_page, release_page, releases_page, scan_page

    return dict(zip(PAGES, (releases_page.show, release_page.show, scan_page.show, evidence_page.show), strict=True))


async def page(name: str, query: Mapping[str, str], world: World, *, now: datetime) -> Page:
    """Render the page with this name. An unknown name or an invalid query gives an error page."""
    show = _handlers().get(name)
    if show is None:
        return error_page(404, f"This page does not exist. Available pages: {', '.join(PAGES)}.")
    try:
        return await show(QueryParameters(query), world, now)
    except PageError as error:
        return error_page(error.status, str(error))
    except CodecError as error:
        log.exception("page %s cannot be rendered", name)
        return error_page(500, f"The stored data cannot be read: {error}")


def error_page(status: int, text: str, *, sign_in: str = "") -> Page:
    """Render an error page. ``sign_in`` is a relative URL for signing in, or empty."""
    return render("error", status, heading=HTTPStatus(status).phrase, text=text, sign_in=sign_in)
