"""The rows of Microsoft Defender's answers, however they are wrapped: lists, answers of services, lines, tables.

Facts of the wrapping (Azure Resource Graph REST API and ``az graph query``; its portal's CSV; Defender for Endpoint's
export API and Advanced Hunting):

* Rows stand under ``value`` (REST), ``data`` (Resource Graph), ``Results`` (Advanced Hunting), in a bare list, or one a
  line (Endpoint's export into files).
* Resource Graph's CSV has ``properties`` as JSON in a cell; what asked for ``tostring(properties)`` has it as a string.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from shared.scanners import csv_body
from shared.scanners.defender_endpoint import COLUMNS as DEVICE_COLUMNS
from shared.scanners.defender_endpoint import DeviceRow
from shared.scanners.json_body import WireStruct, decode, is_present
from shared.scanners.report_refusal import Refusal, RefusalReason

NAME: Final = "an answer of Microsoft Defender"
COLUMNS: Final = DEVICE_COLUMNS | {"properties"}
"""Columns of which a table of Defender has one, in lower case."""


class Status(WireStruct, rename="camel"):
    """What became of the check."""

    code: str = ""
    severity: str | None = None
    cause: str | None = None
    description: str | None = None
    status_change_date: str | None = None


class Resource(WireStruct):
    """What was checked."""

    id: str | None = None
    Id: str | None = None


class Metadata(WireStruct, rename="camel"):
    """What a recommendation is; individual ones have their severity here."""

    severity: str | None = None
    recommendation_category: str | None = None


class Cve(WireStruct):
    """A vulnerability by its name alone."""

    title: str | None = None


class Cvss(WireStruct, rename={"vector": "cvssVectorString"}):
    """A score of one CVSS version."""

    base: float | None = None
    vector: str | None = None


class Vulnerability(WireStruct, rename="camel"):
    """Details of the vulnerability, of Defender's own scanner."""

    cve_id: str | None = None
    severity: str | None = None
    published_date: str | None = None
    cvss: dict[str, Cvss | None] | None = None


class System(WireStruct, rename="camel"):
    """The operating system."""

    os_platform: str | None = None
    os_version: str | None = None


class Software(WireStruct, rename="camel"):
    """The package, of Defender's own scanner."""

    package_name: str | None = None
    version: str | None = None
    fixed_version: str | None = None
    fix_status: str | None = None
    language: str | None = None
    os_details: System | None = None


class Additional(WireStruct, rename="camel"):
    """What differs by kind of finding."""

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
    """What an assessment or a sub-assessment says."""

    id: str | None = None
    display_name: str | None = None
    status: Status | None = None
    metadata: Metadata | None = None
    time_generated: str | None = None
    resource_details: Resource | None = None
    additional_data: Additional | None = None


class CloudRow(WireStruct, rename="camel"):
    """A sub-assessment or an assessment."""

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


_LINE: Final = 64 * 1024
"""A row of Endpoint has less than that."""
_ANSWERS: Final = msgspec.json.Decoder(_Answer)
_LISTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ROWS: Final = msgspec.json.Decoder(_Row)
_OBJECTS: Final = msgspec.json.Decoder(dict[str, Any])
_PROPERTIES: Final = msgspec.json.Decoder(Properties)
_STRINGS: Final = msgspec.json.Decoder(str)


def rows(body: bytes) -> tuple[Iterator[CloudRow | DeviceRow], bool]:
    """Every row, and whether the answer is one page of several. Raises Refusal when there are none at all."""
    begin = body.lstrip()[:1]
    if begin not in {b"{", b"["}:
        return _of_table(body), False
    if begin == b"{" and _by_line(body):
        return _of_lines(body), False
    listed, more = _listed(body, begin == b"[")
    if not listed:
        told = "there are no rows in it: Defender answers so also for a machine that it doesn't assess"
        raise Refusal(RefusalReason.NOT_SCANNED, told)
    return (_row(one) for one in listed), more


def _listed(body: bytes, bare: bool) -> tuple[list[msgspec.Raw], bool]:
    if bare:
        return decode(_LISTS, body, NAME), False
    answer = decode(_ANSWERS, body, NAME)
    listed = next((one for one in (answer.value, answer.data, answer.results) if one is not None), None)
    if listed is None and (is_present(answer.properties) or DeviceRow.of(decode(_OBJECTS, body, NAME)).known):
        listed = [msgspec.Raw(body)]
    if listed is None:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {NAME}: a list is expected, or one under value or data")
    more = (answer.next_link, answer.odata_next, answer.skip_token, answer.cli_skip_token)
    return listed, any(more) or str(answer.truncated).casefold() == "true"


def _row(piece: bytes | msgspec.Raw) -> CloudRow | DeviceRow:
    read = decode(_ROWS, piece, NAME)
    if is_present(read.properties) and bytes(read.properties) != b"null":
        return CloudRow(read.id or "", read.type or "", _properties(read.properties))
    return DeviceRow.of(decode(_OBJECTS, piece, NAME))


def _properties(piece: msgspec.Raw) -> Properties:
    if bytes(memoryview(piece)[:1]) == b'"':
        return decode(_PROPERTIES, decode(_STRINGS, piece, NAME).encode(), NAME)
    return decode(_PROPERTIES, piece, NAME)


def _by_line(body: bytes) -> bool:
    """Whether the first line is a whole row, and others follow it."""
    line, more, rest = body[:_LINE].lstrip().partition(b"\n")
    try:
        return bool(more and rest.strip()) and DeviceRow.of(_OBJECTS.decode(line)).known
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _of_lines(body: bytes) -> Iterator[DeviceRow]:
    begin = 0
    while begin < len(body):
        end = body.find(b"\n", begin)
        end = len(body) if end < 0 else end
        if (line := body[begin:end]).strip():
            yield DeviceRow.of(decode(_OBJECTS, line, NAME))
        begin = end + 1


def _of_table(body: bytes) -> Iterator[CloudRow | DeviceRow]:
    for row in csv_body.read_rows(body, COLUMNS, NAME):
        if "properties" in row:
            yield CloudRow(
                row.get("id", ""), row.get("type", ""), decode(_PROPERTIES, row["properties"].encode(), NAME)
            )
        else:
            yield DeviceRow.of(row)


def values(told: Any) -> list[Any]:
    """A list, or one in a string of JSON, as individual recommendations have them; a value alone is a list of it."""
    if isinstance(told, str) and told.strip().startswith("["):
        try:
            told = msgspec.json.decode(told)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Refusal(RefusalReason.WRONG_SHAPE, f"not {NAME}: a list in it is no JSON ({error})") from error
    if isinstance(told, list):
        return told
    return [told] if told not in (None, "") else []
