"""Client for the app's HTTP API, with limits on time and size.

It does not follow redirects, so that the key and the token are sent only to the app.
"""

from __future__ import annotations

import http.client
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import IO, Any, Final
from urllib.parse import quote

import msgspec

from shared.cli.access_token import access_token
from shared.cli.exit_codes import ActionRefused, ConnectionLost, ReleaseNotFound, RequestFailed
from shared.cli.target import KEY, SCOPE, TOKEN, URL, Target
from shared.domain.limits import CHUNK_BYTES

_READ_TIMEOUT: Final = 15.0
"""Seconds without data. An app that is scaled to zero needs several seconds for its first response."""
LOOK_TIMEOUT: Final = 200.0
"""Seconds. The app reads many lists before it answers; Azure ends a request after 230."""
_TOTAL_TIMEOUT: Final = 60.0
_MAX_RESPONSE_BYTES: Final = 64 * 1024 * 1024
_ACTIONS: Final = "/api/releases/actions"
_WHOAMI: Final = "/api/whoami"
_NEEDS_IDENTITY: Final = frozenset({_ACTIONS, _WHOAMI})


class _ErrorDetail(msgspec.Struct):
    code: str = ""
    message: str = ""


class _ErrorResponse(msgspec.Struct):
    error: _ErrorDetail


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Client:
    """Sends requests to one app.

    Every method raises RequestFailed; methods that name a release also raise ReleaseNotFound. A request to read
    releases has the function key; one that needs to know who calls also has the user's token.
    """

    target: Target
    read_timeout: float = _READ_TIMEOUT

    def overview(self) -> bytes:
        """Return the response body with all releases."""
        return self._request("GET", "/api/releases")

    def release(self, version: str) -> bytes:
        """Return the response body with the details of one release, by its full resource id."""
        return self._request("GET", f"/api/releases?version={quote(version, safe='')}")

    def latest(self, definition: str) -> bytes:
        """Return the response body with what each kind of consumer gets as the latest version of a definition."""
        return self._request("GET", f"/api/latest?definition={quote(definition, safe='')}")

    def failover(self, definition: str) -> bytes:
        """Return the response body with what a failover to a definition's standing twins needs."""
        return self._request("GET", f"/api/failover?definition={quote(definition, safe='')}")

    def validation(self, version: str) -> bytes:
        """Return the response body with the verdict on a version's metadata, by its full resource id."""
        return self._request("GET", f"/api/validation?version={quote(version, safe='')}")

    def in_use(self, version: str) -> bytes:
        """Return the response body with the users of a version, by its full resource id."""
        return self._request("GET", f"/api/in-use?version={quote(version, safe='')}", timeout=LOOK_TIMEOUT)

    def whoami(self) -> bytes:
        """Return the response body with the identity and roles of the user whose token is sent."""
        return self._request("GET", _WHOAMI, headers=self._identity())

    def look(self, plan: Mapping[str, Any]) -> bytes:
        """Return the plan of an action, with the users of the version. Raises ActionRefused."""
        return replace(self, read_timeout=LOOK_TIMEOUT).act(plan)

    def act(self, action: Mapping[str, Any]) -> bytes:
        """Take an action, or return its plan (``dryRun``). Raises ActionRefused.

        If the connection is lost, the request is sent once more, with the same idempotency key: the action is taken
        once.
        """
        headers = {
            "content-type": "application/json",
            "idempotency-key": secrets.token_urlsafe(24),
            **self._identity(),
        }
        body = msgspec.json.encode(action)
        try:
            return self._request("POST", _ACTIONS, headers=headers, body=body)
        except ConnectionLost:
            pass
        try:
            return self._request("POST", _ACTIONS, headers=headers, body=body)
        except ConnectionLost as error:
            raise ConnectionLost(
                f"{error}\nThe app may have received the request. Run `ringmaster explain` to see whether it took the "
                "action."
            ) from error

    def _identity(self) -> dict[str, str]:
        token = access_token(self.target)
        return {"authorization": f"Bearer {token}"} if token else {}

    def _request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> bytes:
        address = f"{self.target.url}{path}"
        request = urllib.request.Request(  # noqa: S310 - the target allows http and https alone
            address, method=method, headers={**self._headers(), **(headers or {})}, data=body
        )
        try:
            with self._opener().open(request, timeout=timeout or self.read_timeout) as response:
                return self._body(response)
        except urllib.error.HTTPError as error:
            with error:
                raise self._http_error(error, path) from error
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            raise self._connection_error(error) from error

    def _headers(self) -> dict[str, str]:
        # The key is sent in a header, because URLs are logged by proxies and hosts.
        return {"accept": "application/json", **({"x-functions-key": self.target.key} if self.target.key else {})}

    def _opener(self) -> urllib.request.OpenerDirector:
        no_proxy = [urllib.request.ProxyHandler({})] if self.target.is_local else []
        return urllib.request.build_opener(_NoRedirect, *no_proxy)

    def _body(self, response: IO[bytes]) -> bytes:
        end = time.monotonic() + _TOTAL_TIMEOUT
        pieces: list[bytes] = []
        size = 0
        while piece := response.read(CHUNK_BYTES):
            pieces.append(piece)
            size += len(piece)
            if size > _MAX_RESPONSE_BYTES:
                raise RequestFailed(
                    f"{self.target.url} sent more than {_MAX_RESPONSE_BYTES} bytes, which is not a valid response."
                )
            if time.monotonic() > end:
                raise RequestFailed(
                    f"{self.target.url} did not complete its response within {_TOTAL_TIMEOUT:.0f} s. Try again."
                )
        return b"".join(pieces)

    def _http_error(self, error: urllib.error.HTTPError, path: str) -> Exception:
        problem = _problem(self._body(error))
        where = self.target.url
        if error.code == 401 and path in _NEEDS_IDENTITY and (problem.code or self.target.sends_token):
            return self._not_signed_in(problem)
        if error.code in {400, 403, 409} and problem.code and path in _NEEDS_IDENTITY:
            return ActionRefused(problem.message)
        if error.code in {401, 403}:
            state = f"the {KEY} from {self.target.found_in}" if self.target.key else f"a request without {KEY}"
            return RequestFailed(
                f"{where} rejected {state} ({error.code}). Set {KEY} to a function key or host key of the app "
                "(`az functionapp keys list`)."
            )
        if error.code == 404 and problem.code:
            return ReleaseNotFound(problem.message)
        if error.code == 404:
            return RequestFailed(
                f"{where} has no {path.partition('?')[0]} (404). Check that {URL} is the URL of a Ringmaster app that "
                "is running."
            )
        if 300 <= error.code < 400:
            return RequestFailed(
                f"{where} redirects to {error.headers.get('location')!r}. Set {URL} to the URL of the app itself."
            )
        said = problem.message or "no reason given; see the app's log."
        return RequestFailed(f"{where} returned {error.code}: {said}")

    def _not_signed_in(self, problem: _ErrorDetail) -> RequestFailed:
        named = TOKEN if self.target.token else SCOPE
        sent = f"the token of {named} from {self.target.found_in}"
        state = sent if self.target.sends_token else f"a request without {TOKEN}"
        said = f": {problem.message}" if problem.message else ""
        return RequestFailed(
            f"{self.target.url} rejected {state} (401){said}.\nSet {TOKEN} to a Microsoft Entra token for the app, or "
            f"{SCOPE} to api://<application id>/.default and run `az login`. The local stack's tokens are in "
            ".local/tokens.json."
        )

    def _connection_error(self, error: Exception) -> ConnectionLost:
        reason = getattr(error, "reason", None) or error
        remedy = (
            "If the local stack is not running, start it with `make up`."
            if self.target.is_local
            else f"Check {URL}, your network, and that the function app is running."
        )
        text = "the request timed out" if isinstance(reason, TimeoutError) else str(reason) or type(reason).__name__
        return ConnectionLost(f"{self.target.url} (from {self.target.found_in}) cannot be reached: {text}.\n{remedy}")


def _problem(body: bytes) -> _ErrorDetail:
    try:
        return msgspec.json.decode(body, type=_ErrorResponse).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _ErrorDetail()
