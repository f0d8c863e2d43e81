"""The pages for browsers, and for clients that send the function key in a header.

Authorization is configured when the app is indexed. A key is never accepted in a URL, because URLs are logged:

* No readers are configured (default): the Functions host requires the function key. The host also accepts a key in the
  URL; the app rejects such a request and asks for the header.
* Readers are configured: App Service Authentication identifies the user, and the app checks the user against the list.
  The host requires no key, because a browser could send it only in the URL.
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
"""The sign-in endpoint of App Service Authentication for Microsoft Entra. Source: Microsoft Learn, "Customize sign-in
and sign-out in Azure App Service authentication".
"""


class Page(Protocol):
    """A rendered page: HTML, and the headers that must be sent with it."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def body(self) -> str:
        """The HTML document."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """HTTP headers, in lowercase."""
        ...


class Site(Protocol):
    """Renders pages. Implemented by ``shared.web.site``, which this layer does not import."""

    def page(self, name: str, query: Mapping[str, str], world: World, *, now: datetime) -> Awaitable[Page]:
        """Render the page with this name."""
        ...

    def error_page(self, status: int, text: str, *, sign_in: str = "") -> Page:
        """Render an error page."""
        ...


def blueprint(runtime: Runtime, site: Site) -> func.Blueprint:
    """The trigger of all pages."""
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
    """Return the requested page, or an error page when the caller may not read it."""
    refused = access_error(req, runtime.settings, site)
    if refused is not None:
        return refused
    try:
        world = await runtime.world()
        return await site.page(req.route_params.get("name", ""), dict(req.params), world, now=now)
    except PolicyFaults as faults:
        return site.error_page(503, f"Releases are paused until a valid policy is deployed: {faults}")
    except PassingFault as fault:
        log.warning("temporarily unavailable: %s", fault)
        return site.error_page(503, f"A service is temporarily unavailable. Try again later: {fault}")


def access_error(req: func.HttpRequest, settings: Settings, site: Site) -> Page | None:
    """Return an error page when the request is not authorized, or None.

    Without readers, the host has checked the key.
    """
    if any(name.lower() == "code" for name in req.params):
        text = "URLs are recorded in logs. Rotate this key, and send the new key in the header x-functions-key."
        return site.error_page(400, text)
    if not settings.readers:
        return None
    if PRINCIPAL not in req.headers:
        return site.error_page(401, "Sign in to view these pages.", sign_in=_sign_in(req))
    try:
        principal = decode_principal(req.headers[PRINCIPAL])
    except Malformed as error:
        log.warning("page request denied: %s", error)
        return site.error_page(401, "Your identity cannot be read. Sign in again.", sign_in=_sign_in(req))
    if settings.readers.isdisjoint({*principal.ids, principal.tenant, *principal.groups}):
        log.warning("page request denied: principal %s is not in RINGMASTER_PAGE_READERS", principal.ids)
        text = (
            "You do not have the reader role for these pages. Ask an administrator to add you, or one of your groups, "
            "to the setting RINGMASTER_PAGE_READERS."
        )
        return site.error_page(403, text)
    return None


def _sign_in(req: func.HttpRequest) -> str:
    """The URL for signing in and returning to this page. It is relative, so it never leads to another host."""
    name = quote(req.route_params.get("name", ""), safe="")
    back = f"/api/pages/{name}?{urlencode(dict(req.params))}" if req.params else f"/api/pages/{name}"
    return f"{SIGN_IN}?{urlencode({'post_login_redirect_uri': back})}"
