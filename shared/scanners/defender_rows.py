"""Rows of Microsoft Defender: from API responses, lists, lines and tables.

Facts of the responses (Azure Resource Graph REST API and ``az graph query``; CSV of its portal; Defender for Endpoint's
export API and Advanced Hunting):

* Rows are under ``value`` (REST), ``data`` (Resource Graph) or ``Results`` (Advanced Hunting), in a list, or one per
  line (Endpoint's export to files).
* The CSV of Resource Graph has ``properties`` as JSON in a cell. A query with ``tostring(properties)`` returns it as a
  string.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from shared.scanners import csv_body
from shared.scanners.defender_endpoint import COLUMNS as DEVICE_COLUMNS
from shared.scanners.defender_endpoint import DeviceRow
from shared.scanners.json_body import WireStruct, as_list, decode, is_present
from shared.scanners.report_refusal import Refusal, RefusalReason

NAME: Final = "a response of Microsoft Defender"
"""What the body should be, for messages."""
COLUMNS: Final = DEVICE_COLUMNS | {"properties"}
"""Column names, in lowercase, of which a table of Defender has at least one."""


class Status(WireStruct, rename="camel"):
    """The result of the check."""

    code: str = ""
    severity: str | None = None
    cause: str | None = None
    description: str | None = None
    status_change_date: str | None = None


class Resource(WireStruct):
    """The resource that was checked."""

    id: str | None = None
    Id: str | None = None


class Metadata(WireStruct, rename="camel"):
    """What a recommendation is about. Individual recommendations have their severity here."""

    severity: str | None = None
    recommendation_category: str | None = None


class Cve(WireStruct):
    """A vulnerability by its CVE id."""

    title: str | None = None


class Cvss(WireStruct, rename={"vector": "cvssVectorString"}):
    """The score of one CVSS version."""

    base: float | None = None
    vector: str | None = None


class Vulnerability(WireStruct, rename="camel"):
    """Details of a vulnerability, as Defender's own scanner writes them."""

    cve_id: str | None = None
    severity: str | None = None
    published_date: str | None = None
    cvss: dict[str, Cvss | None] | None = None


class OsDetails(WireStruct, rename="camel"):
    """The operating system of a machine."""

    os_platform: str | None = None
    os_version: str | None = None


class Software(WireStruct, rename="camel"):
    """A package, as Defender's own scanner writes it."""

    package_name: str | None = None
    version: str | None = None
    fixed_version: str | None = None
    fix_status: str | None = None
    language: str | None = None
    os_details: OsDetails | None = None


class AdditionalData(WireStruct, rename="camel"):
    """What depends on the kind of finding."""

    assessed_resource_type: str = ""
    cve: list[Cve] | None = None
    cvss: dict[str, Cvss | None] | None = None
    patchable: bool | None = None
    published_time: str | None = None
    vulnerability_details: Vulnerability | None = None
    software_details: Software | None = None
    cvss_v30_score: float | None = msgspec.field(name="cvssV30Score", default=None)
    software_name: str | None = None
    software_version: Any = None
    recommended_version: str | None = None
    individual_cves: Any = msgspec.field(name="CvesDetails", default=None)
    individual_name: str | None = msgspec.field(name="SoftwareName", default=None)
    individual_versions: Any = msgspec.field(name="DetectedSoftwareVersions", default=None)
    individual_fix: Any = msgspec.field(name="FixedVersion", default=None)


class Properties(WireStruct, rename="camel"):
    """The properties of an assessment or a sub-assessment."""

    id: str | None = None
    display_name: str | None = None
    status: Status | None = None
    metadata: Metadata | None = None
    time_generated: str | None = None
    resource_details: Resource | None = None
    additional_data: AdditionalData | None = None


class CloudRow(WireStruct, rename="camel"):
    """An assessment or a sub-assessment of Defender for Cloud."""

    id: str = ""
    type: str = ""
    properties: Properties = msgspec.field(default_factory=Properties)


class _Row(WireStruct):
    id: str | None = None
    type: str | None = None
    properties: msgspec.Raw = msgspec.Raw(b"")


class _Answer(WireStruct):
    value: list[msgspec.Raw] | None = None
    data: list[msgspec.Raw] | None = None
    results: list[msgspec.Raw] | None = msgspec.field(name="Results", default=None)
    properties: msgspec.Raw = msgspec.Raw(b"")
    next_link: Any = msgspec.field(name="nextLink", default=None)
    odata_next: Any = msgspec.field(name="@odata.nextLink", default=None)
    skip_token: Any = msgspec.field(name="$skipToken", default=None)
    cli_skip_token: Any = msgspec.field(name="skip_token", default=None)
    truncated: Any = msgspec.field(name="resultTruncated", default=None)


_MAX_LINE: Final = 64 * 1024
"""Bytes of a row of Defender for Endpoint; real rows have fewer."""
_ANSWERS: Final = msgspec.json.Decoder(_Answer)
_LISTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ROWS: Final = msgspec.json.Decoder(_Row)
_OBJECTS: Final = msgspec.json.Decoder(dict[str, Any])
_PROPERTIES: Final = msgspec.json.Decoder(Properties)
_STRINGS: Final = msgspec.json.Decoder(str)


def read_rows(body: bytes) -> tuple[Iterator[CloudRow | DeviceRow], bool]:
    """Every row of a body, and whether the body is one page of several.

    Raises Refusal when the body is not of Defender, is incomplete, or has no rows.
    """
    begin = body.lstrip()[:1]
    if begin not in {b"{", b"["}:
        return _table_rows(body), False
    if begin == b"{" and _is_line_delimited(body):
        return _line_rows(body), False
    listed, more = _list_of_rows(body, begin == b"[")
    if not listed:
        text = "the response has no rows. Defender also returns no rows for a machine that it does not assess"
        raise Refusal(RefusalReason.NOT_SCANNED, text)
    return (_row(one) for one in listed), more


def _list_of_rows(body: bytes, bare: bool) -> tuple[list[msgspec.Raw], bool]:
    if bare:
        return decode(_LISTS, body, NAME), False
    answer = decode(_ANSWERS, body, NAME)
    listed = next((one for one in (answer.value, answer.data, answer.results) if one is not None), None)
    if listed is None and (
        is_present(answer.properties) or DeviceRow.from_columns(decode(_OBJECTS, body, NAME)).is_device_row
    ):
        listed = [msgspec.Raw(body)]
    if listed is None:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {NAME}: a list of rows is required, or one under value or data")
    more = (answer.next_link, answer.odata_next, answer.skip_token, answer.cli_skip_token)
    return listed, any(more) or str(answer.truncated).casefold() == "true"


def _row(piece: bytes | msgspec.Raw) -> CloudRow | DeviceRow:
    read = decode(_ROWS, piece, NAME)
    if is_present(read.properties) and bytes(read.properties) != b"null":
        return CloudRow(read.id or "", read.type or "", _properties(read.properties))
    return DeviceRow.from_columns(decode(_OBJECTS, piece, NAME))


def _properties(piece: msgspec.Raw) -> Properties:
    if bytes(memoryview(piece)[:1]) == b'"':
        return decode(_PROPERTIES, decode(_STRINGS, piece, NAME).encode(), NAME)
    return decode(_PROPERTIES, piece, NAME)


def _is_line_delimited(body: bytes) -> bool:
    """Whether the first line is a complete row, and more lines follow it."""
    line, more, rest = body[:_MAX_LINE].lstrip().partition(b"\n")
    try:
        return bool(more and rest.strip()) and DeviceRow.from_columns(_OBJECTS.decode(line)).is_device_row
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _line_rows(body: bytes) -> Iterator[DeviceRow]:
    begin = 0
    while begin < len(body):
        end = body.find(b"\n", begin)
        end = len(body) if end < 0 else end
        if (line := body[begin:end]).strip():
            yield DeviceRow.from_columns(decode(_OBJECTS, line, NAME))
        begin = end + 1


def _table_rows(body: bytes) -> Iterator[CloudRow | DeviceRow]:
    for row in csv_body.read_rows(body, COLUMNS, NAME):
        if "properties" in row:
            yield CloudRow(
                row.get("id", ""), row.get("type", ""), decode(_PROPERTIES, row["properties"].encode(), NAME)
            )
        else:
            yield DeviceRow.from_columns(row)


def json_list(value: Any) -> list[Any]:
    """A value as a list: a list, a list as JSON in a string, or a single value; empty for None and an empty string.

    Individual recommendations write lists in each of these forms. Raises Refusal for a broken list in a string.
    """
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Refusal(RefusalReason.WRONG_SHAPE, f"not {NAME}: a list in it is not JSON ({error})") from error
    if isinstance(value, list):
        return as_list(value)
    return [value] if value not in (None, "") else []
