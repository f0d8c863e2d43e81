"""Queries on a Log Analytics workspace through ``azure-monitor-query``. No retries: the engine asks again later.

A partial result is no answer: rows are missing, and nobody knows which (Microsoft Learn, "Azure Monitor Log Analytics
API errors": ``PartialError``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from shared.adapters.azure.arm import CONNECT_SECONDS, PortCredential
from shared.adapters.azure.arm_errors import translate_arm_errors
from shared.domain.health import QueryFacts
from shared.ports import Refused

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.pipeline.transport import AsyncHttpTransport
    from azure.monitor.query.aio import LogsQueryClient

PUBLIC_LOGS: Final = "https://api.loganalytics.io"
SERVER_SECONDS: Final = 45
"""``Prefer: wait``. A function has five minutes (host.json)."""
READ_SECONDS: Final = 60
_LONGEST_WHY: Final = 300


class LogQueries:
    """Runs queries. The client is created on first use, and must be closed."""

    def __init__(
        self,
        credential: AsyncTokenCredential,
        *,
        endpoint: str = PUBLIC_LOGS,
        transport: Callable[[], AsyncHttpTransport] | None = None,
    ) -> None:
        """``transport`` creates the transport of the client; it is for tests."""
        self._credential = PortCredential(credential)
        self._endpoint = endpoint
        self._transport = transport or _transport
        self._client: LogsQueryClient | None = None

    async def run(self, workspace: str, kql: str, *, column: str, samples: str | None, period: timedelta) -> QueryFacts:
        """The first row's two columns. Raises Throttled and Unavailable; what Azure refuses is ``incomplete``."""
        from azure.monitor.query import LogsQueryResult

        try:
            with translate_arm_errors(f"query workspace {workspace}"):
                found: Any = await self._opened().query_workspace(
                    workspace, kql, timespan=period, server_timeout=SERVER_SECONDS
                )
        except Refused as refused:
            return QueryFacts(incomplete=f"the query was refused: {refused}"[:_LONGEST_WHY])
        if not isinstance(found, LogsQueryResult):
            why = str(getattr(found, "partial_error", "") or "")
            return QueryFacts(incomplete=f"the result is not complete: {why}"[:_LONGEST_WHY])
        table = found.tables[0] if found.tables else None
        if table is None or not table.rows:
            return QueryFacts()
        return _first(list(table.columns), list(table.rows[0]), column, samples)

    async def close(self) -> None:
        """Close the client."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _opened(self) -> LogsQueryClient:
        if self._client is None:
            from azure.monitor.query.aio import LogsQueryClient

            credential: Any = self._credential
            self._client = LogsQueryClient(
                credential, endpoint=self._endpoint, retry_total=0, transport=self._transport()
            )
        return self._client


def _transport() -> AsyncHttpTransport:
    from azure.core.pipeline.transport import AioHttpTransport

    return AioHttpTransport(connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)


def _first(columns: Sequence[str], row: Sequence[object], column: str, samples: str | None) -> QueryFacts:
    values = dict(zip(columns, row, strict=False))
    missing = [name for name in (column, samples) if name is not None and name not in values]
    if missing:
        return QueryFacts(incomplete=f"the result has no column {missing[0]}")
    return QueryFacts(_number(values[column]), _number(values[samples]) if samples else None)


def _number(value: object) -> float | None:
    """A number; also one as text, as Log Analytics writes ``decimal`` and ``real`` that are not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
