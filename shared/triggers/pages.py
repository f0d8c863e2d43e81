"""The pages that people read in a browser, or fetch with the function key in a header.

Who is let in is decided when the app is indexed, and never by an address, which is logged:

* No readers are named (the default): the host wants the function key. It takes one from an address, too; such a request
  is told to use the header, and shows nothing.
* Readers are named: App Service Authentication says who asks, and whoever is none of them is shown nothing. The host
  wants no key then, which a browser could only put into an address.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import Final, Protocol
from urllib.parse import quote, urlencode

import azure.functions as func

from shared.codec import Malformed
from shared.codec.principals import HEADER as PRINCIPAL
from shared.codec.principals import decode_principal
from shared.policy_file import PolicyFaults
from shared.ports import PassingFault, World
from shared.settings import Settings
from shared.triggers.runtime import Runtime, utc_now

log = logging.getLogger("ringmaster.http")

SIGN_IN: Final = "/.auth/login/aad"
"""Where App Service Authentication signs people in with Microsoft ("Customize sign-in and sign-out")."""


class Page(Protocol):
    """What a site answers: HTML, and the headers that must go with it."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def body(self) -> str:
        """HTML."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers, in lower case."""
        ...


class Site(Protocol):
    """What makes pages: ``shared.web.site``, which this layer does not know."""

    def page(self, name: str, query: Mapping[str, str], world: World, *, now: datetime) -> Awaitable[Page]:
        """The page of a name and query."""
        ...

    def error_page(self, status: int, text: str, *, sign_in: str = "") -> Page:
        """A page that says what is wrong."""
        ...


def blueprint(runtime: Runtime, site: Site) -> func.Blueprint:
    """The one trigger of all pages."""
    pages = func.Blueprint()
    level = func.AuthLevel.ANONYMOUS if runtime.settings.readers else func.AuthLevel.FUNCTION

    @pages.function_name("pages")
    @pages.route(route="pages/{name}", methods=["GET"], auth_level=level)
    async def show(req: func.HttpRequest) -> func.HttpResponse:
        """A page: releases, release, scan or evidence."""
        page = await get_page(req, runtime, site, now=utc_now())
        return func.HttpResponse(
            page.body, status_code=page.status, headers=dict(page.headers), mimetype="text/html", charset="utf-8"
        )

    return pages


async def get_page(req: func.HttpRequest, runtime: Runtime, site: Site, *, now: datetime) -> Page:
    """The page, for whoever may read it."""
    refused = access_error(req, runtime.settings, site)
    if refused is not None:
        return refused
    try:
        world = await runtime.world()
        return await site.page(req.route_params.get("name", ""), dict(req.params), world, now=now)
    except PolicyFaults as faults:
        return site.error_page(503, f"Nothing is judged until the policy can be used: {faults}")
    except PassingFault as fault:
        log.warning("not now: %s", fault)
        return site.error_page(503, f"Try again in a while: {fault}")


def access_error(req: func.HttpRequest, settings: Settings, site: Site) -> Page | None:
    """Why this request is shown nothing, or None. Without readers, the host has seen a key already."""
    if any(name.lower() == "code" for name in req.params):
        text = "A key in an address stands in logs and histories: change it, and send it in the header x-functions-key."
        return site.error_page(400, text)
    if not settings.readers:
        return None
    if PRINCIPAL not in req.headers:
        return site.error_page(401, "These pages are for people who have signed in.", sign_in=_sign_in(req))
    try:
        principal = decode_principal(req.headers[PRINCIPAL])
    except Malformed as error:
        log.warning("page refused: %s", error)
        return site.error_page(401, "Who you are can't be read: sign in again.", sign_in=_sign_in(req))
    if settings.readers.isdisjoint({*principal.ids, principal.tenant, *principal.groups}):
        log.warning("page refused: the principal %s is no reader", principal.ids)
        return site.error_page(403, "You are no reader of these pages: see RINGMASTER_PAGE_READERS.")
    return None


def _sign_in(req: func.HttpRequest) -> str:
    """Where people sign in, to come back here. Relative, so that it leads to no other host."""
    name = quote(req.route_params.get("name", ""), safe="")
    back = f"/api/pages/{name}?{urlencode(dict(req.params))}" if req.params else f"/api/pages/{name}"
    return f"{SIGN_IN}?{urlencode({'post_login_redirect_uri': back})}"
