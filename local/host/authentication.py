"""App Service Authentication for the local host: it identifies users and clients, and sends their identity to the app.

It behaves as in Azure with `unauthenticatedClientAction: AllowAnonymous`: a request without a session reaches the app
without a principal, and identity headers from clients are removed. Where Azure redirects users to Microsoft Entra, a
local page offers the identities in a file, and posts the selection to the URL to which Entra posts its ID token. There
is no password: use it only on a host that listens on this computer.

A client without a browser sends `Authorization: Bearer` with a token. In Azure it is a Microsoft Entra token for the
app; here it is a user's token from a private file. A request with an unknown token is answered with 401, whatever
`unauthenticatedClientAction` is, and never reaches the app.

URLs, headers and the cookie follow Microsoft Learn, "Customize sign-in and sign-out in Azure App Service
authentication", "Work with user identities in Azure App Service authentication" and "Authentication and authorization
in Azure App Service and Azure Functions".
"""

import html
import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from urllib.parse import urlencode

from aiohttp import web
from multidict import CIMultiDict

from local.host.people import PROVIDER, Person
from local.host.sessions import COOKIE, Sessions
from local.host.tokens import Tokens

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOGIN = f"/.auth/login/{PROVIDER}"
CALLBACK = f"{LOGIN}/callback"
_PREFIX = "/.auth"
_LOGIN_DONE, _LOGOUT_DONE = "/.auth/login/done", "/.auth/logout/complete"
_LOGIN_TARGET, _LOGOUT_TARGET = "post_login_redirect_uri", "post_logout_redirect_uri"
# One slash, because two start a host name. Browsers treat a backslash as a slash, and ignore tabs and line breaks.
_LOCAL_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_IDENTITY_HEADERS = re.compile(r"x-ms-(client-principal|token-).*", re.IGNORECASE)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem;color-scheme:light dark}"
    "button{display:block;width:100%;margin:.5rem 0;padding:.7rem;font:inherit;text-align:left;cursor:pointer}"
    "small{display:block;opacity:.75}"
)


class Authentication:
    """Middleware that handles sign-in. It must run before all other request handling."""

    def __init__(
        self,
        people: Iterable[Person],
        sessions: Sessions | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        tokens: Tokens | None = None,
    ) -> None:
        self._people = {person.id: person for person in people}
        self._tokens = tokens or Tokens()
        self._sessions = sessions or Sessions()
        self._now = now

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Handle requests under /.auth. Pass on all others with the identity of the user or client."""
        path = request.path.rstrip("/").lower()
        if path == _PREFIX or path.startswith(f"{_PREFIX}/"):
            return await self._handle_endpoint(request, path)
        token = _bearer_token(request)
        person = self._signed_in(request) if token is None else self._people.get(self._tokens.holder(token) or "")
        if token is not None and person is None:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return await handler(request.clone(headers=_request_headers(request, person)))

    async def _handle_endpoint(self, request: web.Request, path: str) -> web.Response:
        """The endpoints under /.auth, which never reach the app."""
        match (request.method, path):
            case ("GET", "/.auth/login/aad"):
                return self._sign_in_form(request)
            case ("POST", "/.auth/login/aad/callback"):
                return await self._sign_in(request)
            case ("GET", "/.auth/logout"):
                return self._sign_out(request)
            case ("GET", "/.auth/me"):
                return self._me(request)
            case ("GET", "/.auth/login/done"):
                return _page("You are signed in", "<p>Go back to the app.</p>")
            case ("GET", "/.auth/logout/complete"):
                return _page("You are signed out", f'<p><a href="{LOGIN}">Sign in</a></p>')
        return web.Response(status=404)

    def _sign_in_form(self, request: web.Request) -> web.Response:
        target = request.query.get(_LOGIN_TARGET, _LOGIN_DONE)
        if not is_local_path(target):
            return _refused(_LOGIN_TARGET)
        action = html.escape(f"{CALLBACK}?{urlencode({_LOGIN_TARGET: target})}")
        buttons = "".join(
            f'<button name="person" value="{html.escape(each.id)}">{html.escape(each.name)}'
            f"<small>{html.escape(each.account)}</small></button>"
            for each in self._people.values()
        )
        text = "<p>The local host replaces Microsoft Entra. Select a user.</p>"
        return _page("Sign in", f'{text}<form method="post" action="{action}">{buttons}</form>')

    async def _sign_in(self, request: web.Request) -> web.Response:
        target = request.query.get(_LOGIN_TARGET, _LOGIN_DONE)
        if not is_local_path(target):
            return _refused(_LOGIN_TARGET)
        person = self._people.get(str((await request.post()).get("person", "")))
        if person is None:
            return _page("Unknown user", f'<p><a href="{LOGIN}">Sign in</a></p>', status=401)
        answer = _redirect(target)
        answer.set_cookie(
            COOKIE,
            self._sessions.issue(person.id, self._now()),
            max_age=int(self._sessions.lifetime.total_seconds()),
            path="/",
            httponly=True,
            samesite="Lax",
        )
        return answer

    def _sign_out(self, request: web.Request) -> web.Response:
        target = request.query.get(_LOGOUT_TARGET, _LOGOUT_DONE)
        if not is_local_path(target):
            return _refused(_LOGOUT_TARGET)
        answer = _redirect(target)
        answer.del_cookie(COOKIE, path="/", httponly=True, samesite="Lax")
        return answer

    def _me(self, request: web.Request) -> web.Response:
        """The signed-in user, in the format of Azure with the token store turned on."""
        person = self._signed_in(request)
        if person is None:
            return web.Response(status=401)
        found = {"provider_name": PROVIDER, "user_id": person.account, "user_claims": person.claims()}
        return web.json_response([found], headers={"Cache-Control": "no-store"})

    def _signed_in(self, request: web.Request) -> Person | None:
        holder = self._sessions.holder(request.cookies.get(COOKIE, ""), self._now())
        return self._people.get(holder) if holder else None


def is_local_path(target: str) -> bool:
    """Whether a redirect to this target stays on this host: a path of printable characters without a host name."""
    return _LOCAL_PATH.fullmatch(target) is not None


def _bearer_token(request: web.Request) -> str | None:
    """The token of the Authorization header, or None for a request without one. The scheme has any casing."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _request_headers(request: web.Request, person: Person | None) -> CIMultiDict[str]:
    """The request's headers without identity headers from the client, and with those of the signed-in user."""
    headers = CIMultiDict(
        (name, value) for name, value in request.headers.items() if not _IDENTITY_HEADERS.fullmatch(name)
    )
    headers.update(person.headers() if person else {})
    return headers


def _redirect(target: str) -> web.Response:
    return web.Response(status=302, headers={"Location": target, "Cache-Control": "no-store"})


def _refused(name: str) -> web.Response:
    return _page(
        "Invalid redirect", f"<p>{name} must be a path on this host, such as /api/pages/releases.</p>", status=400
    )


def _page(title: str, body: str, *, status: int = 200) -> web.Response:
    text = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><h1>{title}</h1>{body}</body></html>"
    )
    return web.Response(status=status, text=text, content_type="text/html", headers=_HEADERS)
