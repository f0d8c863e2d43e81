"""Azure Resource Manager (ARM) clients: one for each subscription, with time limits and without retries.

* No retry policy: azure-core sleeps for the duration of ``Retry-After``, which can block a worker for 20 minutes.
  Errors are raised instead, and the engine sends the command again later.
* No redirects, and no automatic registration of resource providers.
* Timeouts: 5 seconds to connect, 60 seconds between bytes.
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
    from azure.mgmt.monitor.aio import MonitorManagementClient

PUBLIC_CLOUD: Final = "https://management.azure.com"
CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 60
_MOST_PAGES: Final = 10_000


class PortCredential:
    """Wraps a credential so that a failure to get a token is ``Unavailable``.

    Such a failure says nothing about the request that needs the token.
    """

    def __init__(self, credential: AsyncTokenCredential) -> None:
        """Wrap an asynchronous token credential of ``azure-identity``."""
        self._credential = credential

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """Get a token. Raises Unavailable."""
        from azure.core.exceptions import AzureError

        try:
            return await self._credential.get_token(*scopes, **kwargs)
        except AzureError as error:
            raise Unavailable(f"no token for {', '.join(scopes)} ({type(error).__name__})") from error

    async def close(self) -> None:
        """Do nothing: the creator of the credential closes it."""

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
    """Clients for ARM, created on first use. An instance belongs to one event loop and must be closed."""

    def __init__(
        self,
        credential: AsyncTokenCredential,
        *,
        base_url: str = PUBLIC_CLOUD,
        scopes: Sequence[str] | None = None,
        transport: Callable[[], AsyncHttpTransport] | None = None,
    ) -> None:
        """``scopes`` defaults to the endpoint's ``/.default``. ``transport`` creates a transport for each client."""
        self._credential = PortCredential(credential)
        self._base_url = base_url.rstrip("/")
        self._scopes = tuple(scopes or (f"{self._base_url}/.default",))
        self._transport = transport or _transport
        self._compute: dict[str, ComputeManagementClient] = {}
        self._monitor: dict[str, MonitorManagementClient] = {}
        self._generic: AsyncARMPipelineClient | None = None
        self._open = AsyncExitStack()

    def compute(self, subscription: str) -> ComputeManagementClient:
        """The compute client of a subscription."""
        if subscription not in self._compute:
            from azure.mgmt.compute.aio import ComputeManagementClient

            self._compute[subscription] = self._client(ComputeManagementClient, subscription)
        return self._compute[subscription]

    def monitor(self, subscription: str) -> MonitorManagementClient:
        """The monitor client of a subscription."""
        if subscription not in self._monitor:
            from azure.mgmt.monitor.aio import MonitorManagementClient

            self._monitor[subscription] = self._client(MonitorManagementClient, subscription)
        return self._monitor[subscription]

    def _client[C: ComputeManagementClient | MonitorManagementClient](self, kind: type[C], subscription: str) -> C:
        client = kind(
            self._credential,
            subscription,
            base_url=self._base_url,
            credential_scopes=list(self._scopes),
            policies=self._policies(),
            transport=self._transport(),
        )
        self._open.push_async_callback(client.close)
        return client

    async def get(self, path: str, api_version: str, what: str) -> Mapping[str, Any] | None:
        """Read any resource by its id, for resource providers without a client here.

        Returns None when it does not exist.
        """
        try:
            return await self._json("GET", f"{self._base_url}{path}", what, {"api-version": api_version})
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    async def delete(self, path: str, api_version: str, what: str) -> None:
        """Start to delete any resource by its id. Does nothing when it does not exist."""
        try:
            await self._json("DELETE", f"{self._base_url}{path}", what, {"api-version": api_version})
        except Refused as refused:
            if refused.status != 404:
                raise

    async def pages(
        self, path: str, api_version: str, what: str, *, where: str | None = None
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Iterate over all items of a list, page by page. A list that does not exist is empty.

        ``where`` is ARM's ``$filter``.
        """
        link: str | None = None
        seen: set[str] = set()
        while True:
            try:
                items, link = await self.page(path, api_version, what, link=link, where=where)
            except Refused as refused:
                if refused.status == 404:
                    return
                raise
            for item in items:
                yield item
            if link is None:
                return
            self.check_next(link, seen, what)

    async def page(
        self, path: str, api_version: str, what: str, *, link: str | None = None, where: str | None = None
    ) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        """One page of a list, and the link to the next one: the first page, or the one that ``link`` names."""
        query = {"api-version": api_version, **({} if where is None else {"$filter": where})}
        if link is not None:
            self.check_next(link, set(), what)
        url = link or f"{self._base_url}{path}"
        page = await self._json("GET", url, what, {} if link else query)
        return _items(page, what), text(page.get("nextLink")) or None

    async def post(self, path: str, api_version: str, body: Mapping[str, Any], what: str) -> Mapping[str, Any]:
        """Ask something that is sent in a body, and read the answer."""
        return await self._json("POST", f"{self._base_url}{path}", what, {"api-version": api_version}, body)

    def check_next(self, url: str, seen: set[str], what: str) -> None:
        """Check the URL of the next page. Raises Unavailable if it is not on the ARM endpoint or was already read."""
        if not url.startswith(f"{self._base_url}/"):
            # The request contains the token, which must be sent only to ARM.
            raise Unavailable(f"{what}: the next page is not on {self._base_url}")
        if url in seen:
            raise Unavailable(f"{what}: the next page was read before")
        if len(seen) >= _MOST_PAGES:
            raise Unavailable(f"{what}: more than {_MOST_PAGES} pages")
        seen.add(url)

    async def close(self) -> None:
        """Close all clients."""
        await self._open.aclose()
        self._compute.clear()
        self._monitor.clear()
        self._generic = None

    async def _json(
        self, method: str, url: str, what: str, query: Mapping[str, str], content: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        from azure.core.rest import HttpRequest

        with translate_arm_errors(what):
            answer = await self._send(HttpRequest(method, url, params=dict(query), json=content))
        body = _body(answer)
        if answer.status_code >= 300:
            error = body.get("error") if isinstance(body, dict) else None
            raise error_from_response(
                answer.status_code, answer.headers, error if isinstance(error, dict) else {}, what
            )
        if method != "DELETE" and not isinstance(body, dict):
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
    """The items of a page. All must be readable: a caller treats a missing item as deleted."""
    items = page.get("value", ())
    if not isinstance(items, Sequence) or not all(isinstance(item, Mapping) for item in items):
        raise Unavailable(f"{what}: ARM returned an invalid list")
    return items
