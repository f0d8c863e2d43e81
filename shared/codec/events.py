"""Events from outside: facts worth a look, or ``Ignored`` with the reason. Nothing that arrives here can raise.

Shapes, from the documentation of Azure subscriptions as an Event Grid source (event-schema-subscriptions): the Event
Grid schema has ``eventType``/``eventTime``, CloudEvents 1.0 has ``type``/``time``; ``data`` is the same. Ids come in
any casing. ``data.claims`` says who wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeGuard

import msgspec

from shared.codec.plain import is_object
from shared.domain.image import InvalidId, VersionId
from shared.domain.limits import MAX_BLOB_NAME
from shared.domain.messages import VersionWritten
from shared.domain.report_reference import InvalidReference, ReportReference, check_digest, host_of, shown
from shared.domain.scan_formats import is_format_name

WRITE_SUCCEEDED: Final = "microsoft.resources.resourcewritesuccess"
VERSION_WRITE: Final = "microsoft.compute/galleries/images/versions/write"
SCAN_FINISHED: Final = "ringmaster.scanfinished"
_OBJECT_ID_CLAIM: Final = "http://schemas.microsoft.com/identity/claims/objectidentifier"
_LONGEST_ID: Final = 512
_LARGEST_DATA: Final = 1024 * 1024
"""Event Grid carries at most 1 MB."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that asks nothing of us; ``reason`` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class ScanReported:
    """A scanner says that it finished a version: ``report`` is the report itself, ``report_blob`` names it in the
    store, or ``reference`` says where it is to be fetched from.
    """

    version: VersionId
    format: str
    event_id: str
    at: datetime
    report: bytes | None = None
    report_blob: str | None = None
    reference: ReportReference | None = None


class _Scan(msgspec.Struct):
    """``data`` of a scan event, on the wire."""

    image: str | None = None
    format: str | None = None
    report: dict[str, Any] | list[Any] | None = None
    reportBlob: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_BLOB_NAME)] | None = None  # noqa: N815
    reportUrl: str | None = None  # noqa: N815
    sha256: str | None = None


class _Unusable(Exception):
    """Carries the reason from where it is found to where it is answered."""


def decode_event_grid(event: Mapping[str, Any]) -> VersionWritten | Ignored:
    """Read an event in the Event Grid schema."""
    return _answered(event, "eventType", "eventTime")


def decode_cloud_event(event: Mapping[str, Any]) -> VersionWritten | Ignored:
    """Read a CloudEvent 1.0."""
    return _answered(event, "type", "time")


def decode_scan_event(event: Mapping[str, Any]) -> ScanReported | Ignored:
    """Read a CloudEvent of type ``Ringmaster.ScanFinished``.

    ``data`` is {image, format} and one of report, reportBlob, or reportUrl with sha256.
    """
    try:
        return _scan_reported(event)
    except _Unusable as unusable:
        return Ignored(str(unusable))


def _answered(event: Mapping[str, Any], type_field: str, time_field: str) -> VersionWritten | Ignored:
    try:
        return _version_written(event, type_field, time_field)
    except _Unusable as unusable:
        return Ignored(str(unusable))


def _version_written(event: object, type_field: str, time_field: str) -> VersionWritten:
    if not is_object(event):
        raise _Unusable(f"the event is {_shown(event)}, not an object")
    kind = event.get(type_field)
    if not isinstance(kind, str) or kind.lower() != WRITE_SUCCEEDED:
        raise _Unusable(f"its {type_field} is {_shown(kind)}, not Microsoft.Resources.ResourceWriteSuccess")
    data = _data(event)
    operation = data.get("operationName")
    if operation is not None and (not isinstance(operation, str) or operation.lower() != VERSION_WRITE):
        raise _Unusable(f"the operation is {_shown(operation)}, not the write of a gallery image version")
    version = _written_version(data.get("resourceUri"), event.get("subject"))
    return VersionWritten(version, _event_id(event), _time(event, time_field), _writer(data))


def _scan_reported(event: object) -> ScanReported:
    if not is_object(event):
        raise _Unusable(f"the event is {_shown(event)}, not an object")
    kind = event.get("type")
    if not isinstance(kind, str) or kind.lower() != SCAN_FINISHED:
        raise _Unusable(f"its type is {_shown(kind)}, not Ringmaster.ScanFinished")
    try:
        data = msgspec.convert(_data(event), _Scan)
    except msgspec.ValidationError as error:
        raise _Unusable(f"its data does not describe a scan: {str(error).replace('`$', '`data')}") from error
    if data.format is None or not is_format_name(data.format.lower()):
        raise _Unusable(f"data.format is {_shown(data.format)}, not the name of a report format such as trivy")
    if data.image is None:
        raise _Unusable("data.image is missing: set it to the resource id of the image version")
    reported = ScanReported(_parsed(data.image), data.format.lower(), _event_id(event), _time(event, "time"))
    return _with_report(reported, data)


def _with_report(reported: ScanReported, data: _Scan) -> ScanReported:
    if sum(each is not None for each in (data.report, data.reportBlob, data.reportUrl)) != 1:
        raise _Unusable(
            "data must have exactly one of report (the report itself), reportBlob (its name in the report store) "
            "and reportUrl (its URL, with its sha256)"
        )
    if data.report is not None:
        return replace(reported, report=_inline(data.report))
    if data.reportUrl is not None:
        return replace(reported, reference=_referred(data.reportUrl, data.sha256))
    if not _is_text(data.reportBlob, MAX_BLOB_NAME):
        raise _Unusable(f"data.reportBlob is {_shown(data.reportBlob)}, not the name of a blob")
    return replace(reported, report_blob=data.reportBlob)


def _referred(url: str, digest: str | None) -> ReportReference:
    if digest is None:
        raise _Unusable("data.reportUrl requires data.sha256, the digest of the report")
    try:
        host_of(url)
        check_digest(digest.lower())
    except InvalidReference as error:
        raise _Unusable(str(error)) from error
    return ReportReference(url, digest.lower())


def _inline(report: dict[str, Any] | list[Any]) -> bytes:
    try:
        return msgspec.json.encode(report)
    except (TypeError, ValueError, RecursionError) as error:
        raise _Unusable(f"data.report cannot be written as JSON: {str(error)[:200]}") from error


def _data(event: Mapping[Any, Any]) -> Mapping[Any, Any]:
    data = event.get("data")
    if isinstance(data, str) and len(data) <= _LARGEST_DATA:
        # Some senders of CloudEvents encode data twice.
        try:
            data = msgspec.json.decode(data)
        except (ValueError, RecursionError) as error:
            raise _Unusable("its data is text that is not JSON") from error
    if not is_object(data):
        raise _Unusable(f"its data is {_shown(data)}, not an object")
    return data


def _written_version(*candidates: object) -> VersionId:
    """The first of several places that names a version. The subject alone was wrong in observed events."""
    faults: list[str] = []
    for text in candidates:
        if isinstance(text, str):
            try:
                return VersionId.parse(text)
            except InvalidId as error:
                faults.append(str(error))
    raise _Unusable(faults[0] if faults else "neither data.resourceUri nor subject names a resource")


def _parsed(text: str) -> VersionId:
    try:
        return VersionId.parse(text)
    except InvalidId as error:
        raise _Unusable(str(error)) from error


def _event_id(event: Mapping[Any, Any]) -> str:
    value = event.get("id")
    if not _is_text(value, _LONGEST_ID):
        raise _Unusable(f"its id is {_shown(value)}, not a string of 1 to {_LONGEST_ID} printable characters")
    return value


def _time(event: Mapping[Any, Any], field: str) -> datetime:
    value = event.get(field)
    try:
        at = datetime.fromisoformat(value if isinstance(value, str) else "")
        # Event Grid gives the time in UTC, with or without saying so.
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _Unusable(f"its {field} is {_shown(value)}, not a time in ISO 8601") from error


def _writer(data: Mapping[Any, Any]) -> str | None:
    claims = data.get("claims")
    return next(_claimed(claims), None) if is_object(claims) else None


def _claimed(claims: Mapping[Any, Any]) -> Iterator[str]:
    for name in ("appid", _OBJECT_ID_CLAIM, "oid"):
        value = claims.get(name)
        if _is_text(value, _LONGEST_ID):
            yield value.lower()


def _is_text(value: object, longest: int) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()


def _shown(value: object) -> str:
    if isinstance(value, str) and "://" in value:
        return repr(shown(value))  # an address in the wrong place; its query may be a permission
    if isinstance(value, str):
        return repr(value if len(value) <= 120 else value[:120] + "…")
    return "missing" if value is None else f"of type {type(value).__name__}"
