"""The way to ARM: one client for each subscription, bounded in time, without any retry or waiting of its own.

* No retry policy: azure-core's sleeps through ``Retry-After`` (a 1200 s header would pin a worker for 20 minutes).
  Faults are told to the caller, who sends the same command again later.
* No redirects and no automatic registration of resource providers: nothing is written that nobody asked for.
* Calls time out: 5 s to connect, 60 s between bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final

from shared.adapters.azure.arm_errors import error_from_response, translate_arm_errors
from shared.adapters.azure.arm_fields import text
from shared.ports import Refused, Unavailable

if TYPE_CHECKING:
    from types import TracebackType

    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.pipeline.transport import AsyncHttpTransport
    from azure.core.rest import AsyncHttpResponse, HttpRequest
    from azure.mgmt.compute.aio import ComputeManagementClient
    from azure.mgmt.core import AsyncARMPipelineClient

PUBLIC_CLOUD: Final = "https://management.azure.com"
CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 60
_MOST_PAGES: Final = 10_000


class PortCredential:
    """A credential whose failure to give a token is ``Unavailable``: it says nothing of the request that needs one."""

    def __init__(self, credential: AsyncTokenCredential) -> None:
        """Wrap any asynchronous token credential of ``azure-identity``."""
        self._credential = credential

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """As the credential's own. Raises Unavailable."""
        from azure.core.exceptions import AzureError

        try:
            return await self._credential.get_token(*scopes, **kwargs)
        except AzureError as error:
            raise Unavailable(f"no token for {', '.join(scopes)} ({type(error).__name__})") from error

    async def close(self) -> None:
        """Nothing: whoever made the credential closes it."""

    async def __aenter__(self) -> PortCredential:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


class Arm:
    """Clients for ARM, made when they are first needed. Belongs to one event loop; close it at the end."""

    def __init__(
        self,
        credential: AsyncTokenCredential,
        *,
        base_url: str = PUBLIC_CLOUD,
        scopes: Sequence[str] | None = None,
        transport: Callable[[], AsyncHttpTransport] | None = None,
    ) -> None:
        """``scopes`` is by default the endpoint's own ``/.default``; ``transport`` makes one for each client."""
        self._credential = PortCredential(credential)
        self._base_url = base_url.rstrip("/")
        self._scopes = tuple(scopes or (f"{self._base_url}/.default",))
        self._transport = transport or _transport
        self._compute: dict[str, ComputeManagementClient] = {}
        self._generic: AsyncARMPipelineClient | None = None
        self._open = AsyncExitStack()

    def compute(self, subscription: str) -> ComputeManagementClient:
        """The compute client of a subscription."""
        client = self._compute.get(subscription)
        if client is None:
            from azure.mgmt.compute.aio import ComputeManagementClient

            client = ComputeManagementClient(
                self._credential,
                subscription,
                base_url=self._base_url,
                credential_scopes=list(self._scopes),
                policies=self._policies(),
                transport=self._transport(),
            )
            self._open.push_async_callback(client.close)
            self._compute[subscription] = client
        return client

    async def get(self, path: str, api_version: str, what: str) -> Mapping[str, Any] | None:
        """GET any resource by its id, for providers that have no client here; None when it isn't there."""
        try:
            return await self._json("GET", f"{self._base_url}{path}", what, {"api-version": api_version})
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    async def delete(self, path: str, api_version: str, what: str) -> None:
        """Ask for the deletion of any resource by its id; one that isn't there is no fault."""
        try:
            await self._json("DELETE", f"{self._base_url}{path}", what, {"api-version": api_version})
        except Refused as refused:
            if refused.status != 404:
                raise

    async def pages(self, path: str, api_version: str, what: str) -> AsyncIterator[Mapping[str, Any]]:
        """Every item of a list, page by page. A list that isn't there is empty."""
        url, query = f"{self._base_url}{path}", {"api-version": api_version}
        seen: set[str] = set()
        while True:
            try:
                page = await self._json("GET", url, what, query)
            except Refused as refused:
                if refused.status == 404:
                    return
                raise
            for item in _items(page, what):
                yield item
            url, query = text(page.get("nextLink")), {}
            if not url:
                return
            self.check_next(url, seen, what)

    def check_next(self, url: str, seen: set[str], what: str) -> None:
        """Raise Unavailable for a next page that isn't ARM's, or was ``seen`` before; the pages would go round."""
        if not url.startswith(f"{self._base_url}/"):
            # The token goes with the request; it is ARM's alone.
            raise Unavailable(f"{what}: the next page is not on {self._base_url}")
        if url in seen:
            raise Unavailable(f"{what}: the next page was read before")
        if len(seen) >= _MOST_PAGES:
            raise Unavailable(f"{what}: more than {_MOST_PAGES} pages")
        seen.add(url)

    async def close(self) -> None:
        """Close every client."""
        await self._open.aclose()
        self._compute.clear()
        self._generic = None

    async def _json(self, method: str, url: str, what: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        from azure.core.rest import HttpRequest

        with translate_arm_errors(what):
            answer = await self._send(HttpRequest(method, url, params=dict(query)))
        body = _body(answer)
        if answer.status_code >= 300:
            error = body.get("error") if isinstance(body, dict) else None
            raise error_from_response(
                answer.status_code, answer.headers, error if isinstance(error, dict) else {}, what
            )
        if method == "GET" and not isinstance(body, dict):
            raise Unavailable(f"{what}: HTTP {answer.status_code} without a JSON object")
        return body if isinstance(body, dict) else {}

    async def _send(self, request: HttpRequest) -> AsyncHttpResponse:
        if self._generic is None:
            from azure.mgmt.core import AsyncARMPipelineClient

            self._generic = AsyncARMPipelineClient(
                self._base_url, policies=self._policies(), transport=self._transport()
            )
            self._open.push_async_callback(self._generic.close)
        return await self._generic.send_request(request)

    def _policies(self) -> list[Any]:
        from azure.core.pipeline import policies
        from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

        return [
            policies.RequestIdPolicy(),
            policies.HeadersPolicy(),
            policies.UserAgentPolicy("ringmaster"),
            policies.ProxyPolicy(),
            policies.ContentDecodePolicy(),
            AsyncARMChallengeAuthenticationPolicy(self._credential, *self._scopes),
            policies.CustomHookPolicy(),
            policies.DistributedTracingPolicy(),
        ]


def _transport() -> AsyncHttpTransport:
    from azure.core.pipeline.transport import AioHttpTransport

    return AioHttpTransport(connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)


def _body(answer: AsyncHttpResponse) -> object:
    try:
        return answer.json()
    except ValueError:
        return None


def _items(page: Mapping[str, Any], what: str) -> Sequence[Mapping[str, Any]]:
    """The items of a page; all of them, since what is left out of a list would count as gone."""
    items = page.get("value", ())
    if not isinstance(items, Sequence) or not all(isinstance(item, Mapping) for item in items):
        raise Unavailable(f"{what}: ARM's list can't be read")
    return items
