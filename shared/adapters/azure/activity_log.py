"""The Activity Log through ``azure-mgmt-monitor``.

``$filter`` takes few patterns: times, and one of resource, group, provider or correlation id ("Activity Logs - List" in
Azure's REST API reference). Reads at most ``MOST_PAGES`` pages; a version with more records than that is written by a
loop, and its creation is not looked for any further.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from shared.adapters.azure.arm_errors import translate_arm_errors
from shared.domain.activity import ActivityRecord
from shared.domain.image import VersionId
from shared.ports import Unavailable

if TYPE_CHECKING:
    from shared.adapters.azure.arm import Arm

MOST_PAGES: Final = 10
_SELECT: Final = "caller,claims,correlationId,eventTimestamp,operationName,resourceId,status"
_OBJECT_ID: Final = "http://schemas.microsoft.com/identity/claims/objectidentifier"
_LONGEST: Final = 200
"""Characters of a value that are kept: everything in a record is somebody else's text."""


class AzureActivityLog:
    """``ActivityLog`` on Azure."""

    def __init__(self, arm: Arm) -> None:
        """``arm`` makes a client for each subscription."""
        self._arm = arm

    async def writes(self, version: VersionId, *, since: datetime, until: datetime) -> Sequence[ActivityRecord]:
        operations: Any = self._arm.monitor(version.definition.gallery.subscription).activity_logs
        what = f"read the Activity Log of {version.short}"
        where = (
            f"eventTimestamp ge '{_time(since)}' and eventTimestamp le '{_time(until)}' and resourceUri eq '{version}'"
        )
        found: list[ActivityRecord] = []
        seen = set[str]()
        with translate_arm_errors(what):
            pages = operations.list(filter=where, select=_SELECT).by_page()
            for _ in range(MOST_PAGES):
                page = await _next(pages, what)
                if page is None:
                    return found
                found += [record async for event in page if (record := read_record(event)) is not None]
                if pages.continuation_token:
                    self._arm.check_next(str(pages.continuation_token), seen, what)
        raise Unavailable(f"{what}: more than {MOST_PAGES} pages")


def read_record(event: Any) -> ActivityRecord | None:
    """Convert one event; None for one without an operation or a time."""
    at, operation = event.event_timestamp, _value(event.operation_name)
    if not isinstance(at, datetime) or not operation:
        return None
    claims: Mapping[str, object] = event.claims if isinstance(event.claims, Mapping) else {}
    return ActivityRecord(
        operation=operation,
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        caller=_text(event.caller),
        application=_text(claims.get("appid")),
        object_id=_text(claims.get(_OBJECT_ID)),
        correlation=_text(event.correlation_id),
        status=_value(event.status),
    )


async def _next(pages: Any, what: str) -> Any | None:
    try:
        return await anext(pages, None)
    except (AttributeError, TypeError) as error:
        # The SDK assumes that a page is an object with a list (azure-mgmt-monitor 7).
        raise Unavailable(f"{what}: ARM returned an invalid list") from error


def _value(name: Any) -> str:
    return _text(getattr(name, "value", None))


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
