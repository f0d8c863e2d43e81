"""Client for the app's HTTP API, with limits on time and size.

It does not follow redirects, so that the key is sent only to the app.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import IO, Any, Final
from urllib.parse import quote

import msgspec

from shared.cli.exit_codes import ReleaseNotFound, RequestFailed
from shared.cli.target import KEY, URL, Target
from shared.domain.limits import CHUNK_BYTES

_READ_TIMEOUT: Final = 15.0
"""Seconds without data. An app that is scaled to zero needs several seconds for its first response."""
_TOTAL_TIMEOUT: Final = 60.0
_MAX_RESPONSE_BYTES: Final = 64 * 1024 * 1024


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

    Every method raises RequestFailed; methods that name a release also raise ReleaseNotFound.
    """

    target: Target
    read_timeout: float = _READ_TIMEOUT

    def overview(self) -> bytes:
        """Return the response body with all releases."""
        return self._request("GET", "/api/releases")

    def release(self, version: str) -> bytes:
        """Return the response body with the details of one release, by its full resource id."""
        return self._request("GET", f"/api/releases?version={quote(version, safe='')}")

    def resend(self, version: str) -> bytes:
        """Send the stalled commands of a release again."""
        return self._request("POST", f"/api/releases/resend?version={quote(version, safe='')}")

    def _request(self, method: str, path: str) -> bytes:
        address = f"{self.target.url}{path}"
        request = urllib.request.Request(  # noqa: S310 - the target allows http and https alone
            address, method=method, headers=self._headers(), data=b"" if method == "POST" else None
        )
        try:
            with self._opener().open(request, timeout=self.read_timeout) as response:
                return self._body(response)
        except urllib.error.HTTPError as error:
            with error:
                raise self._http_error(error) from error
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

    def _http_error(self, error: urllib.error.HTTPError) -> Exception:
        problem = _problem(self._body(error))
        where = self.target.url
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
                f"{where} has no /api/releases (404). Check that {URL} is the URL of a Ringmaster app that is running."
            )
        if 300 <= error.code < 400:
            return RequestFailed(
                f"{where} redirects to {error.headers.get('location')!r}. Set {URL} to the URL of the app itself."
            )
        said = problem.message or "no reason given; see the app's log."
        return RequestFailed(f"{where} returned {error.code}: {said}")

    def _connection_error(self, error: Exception) -> RequestFailed:
        reason = getattr(error, "reason", None) or error
        remedy = (
            "If the local stack is not running, start it with `make up`."
            if self.target.is_local
            else f"Check {URL}, your network, and that the function app is running."
        )
        text = "the request timed out" if isinstance(reason, TimeoutError) else str(reason) or type(reason).__name__
        return RequestFailed(f"{self.target.url} (from {self.target.found_in}) cannot be reached: {text}.\n{remedy}")


def _problem(body: bytes) -> _ErrorDetail:
    try:
        return msgspec.json.decode(body, type=_ErrorResponse).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _ErrorDetail()
