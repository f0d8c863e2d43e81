"""Detection of a report's format from its body.

JSON is detected from the keys of the outermost object, or of the first object of a list; XML from the root element;
CSV from the column names. This takes at most one pass over the body and keeps nothing of it. A body that is recognized
as something other than a report is refused by its name.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from shared.domain.scan_formats import (
    CYCLONEDX,
    DEFENDER,
    GRYPE,
    INSPECTOR,
    NESSUS,
    QUALYS,
    RINGMASTER,
    SARIF,
    TRIVY,
)
from shared.scanners import csv_body, defender_rows, nessus, qualys
from shared.scanners.json_body import WireStruct, decode, invalid_json, is_present
from shared.scanners.report_refusal import Refusal, RefusalReason, quoted, unknown_format
from shared.scanners.xml_body import iterate_elements, read_root

_ABSENT: Final = msgspec.Raw(b"")


class _ObjectKeys(WireStruct):
    """Keys that distinguish the formats. A value is a slice of the body, not a copy."""

    schema_version: msgspec.Raw = msgspec.field(name="SchemaVersion", default=_ABSENT)
    product_arn: msgspec.Raw = msgspec.field(name="ProductArn", default=_ABSENT)
    cluster: msgspec.Raw = msgspec.field(name="ClusterName", default=_ABSENT)
    matches: msgspec.Raw = _ABSENT
    descriptor: msgspec.Raw = _ABSENT
    runs: msgspec.Raw = _ABSENT
    bom_format: msgspec.Raw = msgspec.field(name="bomFormat", default=_ABSENT)
    spec_version: msgspec.Raw = msgspec.field(name="specVersion", default=_ABSENT)
    schema: Any = None
    findings: msgspec.Raw = _ABSENT
    hub_findings: msgspec.Raw = msgspec.field(name="Findings", default=_ABSENT)
    results: msgspec.Raw = msgspec.field(name="Results", default=_ABSENT)
    value: msgspec.Raw = _ABSENT
    data: msgspec.Raw = _ABSENT
    spdx: msgspec.Raw = msgspec.field(name="spdxVersion", default=_ABSENT)
    context: msgspec.Raw = msgspec.field(name="@context", default=_ABSENT)
    document: msgspec.Raw = _ABSENT
    kind: Any = None
    type: Any = None


class _FirstRow(WireStruct):
    """Keys of the first object in a list of rows."""

    target: msgspec.Raw = msgspec.field(name="Target", default=_ABSENT)
    type: Any = None
    properties: msgspec.Raw = _ABSENT
    cve_id: msgspec.Raw = msgspec.field(name="cveId", default=_ABSENT)
    machine_id: msgspec.Raw = msgspec.field(name="machineId", default=_ABSENT)
    device_id: msgspec.Raw = msgspec.field(name="deviceId", default=_ABSENT)
    hunted_cve_id: msgspec.Raw = msgspec.field(name="CveId", default=_ABSENT)
    hunted_device_id: msgspec.Raw = msgspec.field(name="DeviceId", default=_ABSENT)
    finding_arn: msgspec.Raw = msgspec.field(name="findingArn", default=_ABSENT)
    product_arn: msgspec.Raw = msgspec.field(name="ProductArn", default=_ABSENT)

    @property
    def is_endpoint_row(self) -> bool:
        """Whether this is a row of Defender for Endpoint: by machine, by device, or of Advanced Hunting."""
        by_machine = is_present(self.cve_id) and (is_present(self.machine_id) or is_present(self.device_id))
        return by_machine or (is_present(self.hunted_cve_id) and is_present(self.hunted_device_id))


class _ReportKeys(WireStruct):
    """Keys by which an object is a complete report, also as the entry of a list."""

    schema_version: msgspec.Raw = msgspec.field(name="SchemaVersion", default=_ABSENT)
    product_arn: msgspec.Raw = msgspec.field(name="ProductArn", default=_ABSENT)
    bom_format: msgspec.Raw = msgspec.field(name="bomFormat", default=_ABSENT)
    runs: msgspec.Raw = _ABSENT
    matches: msgspec.Raw = _ABSENT
    descriptor: msgspec.Raw = _ABSENT
    schema: Any = None


_RESPONSE_KEYS: Final = {
    INSPECTOR: frozenset({"findings", "Findings", "nextToken", "NextToken"}),
    DEFENDER: frozenset(
        {"value", "data", "Results", "Schema", "Stats", "nextLink", "@odata.context", "@odata.nextLink", "@odata.count",
         "count", "totalRecords", "total_records", "facets", "resultTruncated", "result_truncated", "$skipToken",
         "skip_token"}
    ),
}  # fmt: skip
"""Keys next to the rows in responses of the services that write these formats."""
_OBJECT_KEYS: Final = msgspec.json.Decoder(_ObjectKeys)
_REPORT_KEYS: Final = msgspec.json.Decoder(_ReportKeys)
_NAMES: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LISTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_FIRST_ROWS: Final = msgspec.json.Decoder(_FirstRow)
_ROOTS: Final = {"bom": CYCLONEDX, nessus.ROOT: NESSUS} | dict.fromkeys(qualys.ROOTS, QUALYS)


def detect(body: bytes) -> str:
    """The name of the body's format. Raises Refusal when the body is broken, or in none of the known formats."""
    begin = _first_character(body)
    if begin == b"{":
        try:
            return _format_of_object(decode(_OBJECT_KEYS, body, "a report"), body)
        except Refusal as refusal:
            return _format_of_lines(body, refusal)
    if begin == b"[":
        return _format_of_list(decode(_LISTS, body, "a report"))
    if begin == b"<":
        return _format_of_xml(body)
    return _format_of_table(body)


def unwrap_single_report(body: bytes) -> bytes:
    """The report in a list of exactly one report, as ``jq --slurp`` writes it; any other body unchanged.

    Raises Refusal for a list of several reports, since a release needs to know which one is meant.
    """
    if _first_character(body) != b"[":
        return body
    try:
        listed = _LISTS.decode(body)
        of_reports = bool(listed) and _is_report(_REPORT_KEYS.decode(listed[0]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body  # not a list of objects, or broken: the reader refuses it with the reason
    if of_reports and len(listed) > 1:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"the body is a list of {len(listed)} reports. Send a single report")
    return bytes(listed[0]) if of_reports else body


def _first_character(body: bytes) -> bytes:
    return body[:256].lstrip()[:1] or body.lstrip()[:1]


def _is_report(keys: _ReportKeys) -> bool:
    return (
        (is_present(keys.schema_version) and not is_present(keys.product_arn))
        or is_present(keys.bom_format)
        or is_present(keys.runs)
        or (is_present(keys.matches) and is_present(keys.descriptor))
        or (isinstance(keys.schema, str) and keys.schema.startswith("ringmaster."))
    )


def _format_of_object(keys: _ObjectKeys, body: bytes) -> str:
    matches = {
        RINGMASTER: isinstance(keys.schema, str) and keys.schema.startswith("ringmaster."),
        CYCLONEDX: is_present(keys.bom_format),
        SARIF: is_present(keys.runs),
        TRIVY: (is_present(keys.schema_version) and not is_present(keys.product_arn)) or is_present(keys.cluster),
        GRYPE: is_present(keys.matches) and is_present(keys.descriptor),
        INSPECTOR: is_present(keys.product_arn),
    }
    found = next((name for name, yes in matches.items() if yes), None)
    for name, rows in (
        (INSPECTOR, keys.findings),
        (INSPECTOR, keys.hub_findings),
        (DEFENDER, keys.value),
        (DEFENDER, keys.data),
        (DEFENDER, keys.results),
    ):
        if found is None and is_present(rows) and _are_rows_of(name, rows, body):
            found = name
    if found is None and (_is_assessment_type(keys.type) or decode(_FIRST_ROWS, body, "a report").is_endpoint_row):
        found = DEFENDER
    if found is None:
        raise unknown_format(_describe_object(keys, body))
    return found


def _are_rows_of(name: str, rows: msgspec.Raw, body: bytes) -> bool:
    """Whether rows are of a format. An empty list is, when the object has no other keys than the format's responses."""
    first = _first_row(rows)
    if first is None:
        return set(decode(_NAMES, body, "a report")) <= _RESPONSE_KEYS[name]
    if name == INSPECTOR:
        return is_present(first.finding_arn) or is_present(first.product_arn)
    return is_present(first.properties) or first.is_endpoint_row


def _format_of_lines(body: bytes, refusal: Refusal) -> str:
    """The format of a body with one JSON object per line, as Defender for Endpoint exports to files.

    Raises ``refusal``, with which decoding the body as one document failed, when it is not that.
    """
    line = body[: body.find(b"\n") + 1]
    try:
        if line.strip() and _FIRST_ROWS.decode(line).is_endpoint_row:
            return DEFENDER
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    raise refusal


def _format_of_list(rows: list[msgspec.Raw]) -> str:
    first = _first_row(rows)
    if first is None:
        raise unknown_format("an empty list")
    if is_present(first.target):
        return TRIVY  # the schema before 0.20, which the reader refuses with the reason
    if _is_assessment_type(first.type) or first.is_endpoint_row:
        return DEFENDER
    if is_present(first.product_arn):
        return INSPECTOR
    raise unknown_format("a list")


def _first_row(rows: msgspec.Raw | list[msgspec.Raw]) -> _FirstRow | None:
    """The keys of the first row, or None for an empty list. A row that is not an object has none of the keys."""
    try:
        listed = rows if isinstance(rows, list) else _LISTS.decode(rows)
        return _FIRST_ROWS.decode(listed[0]) if listed else None
    except msgspec.ValidationError:
        return _FirstRow()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid_json(b"", error) from error


def _is_assessment_type(kind: object) -> bool:
    return isinstance(kind, str) and kind.casefold().startswith("microsoft.security/assessments")


def _describe_object(keys: _ObjectKeys, body: bytes) -> str:
    named = {
        "an SPDX document": is_present(keys.spdx),
        "a VEX document, which does not say what was scanned": is_present(keys.context),
        "a CSAF document": is_present(keys.document),
        "a Kubernetes object, for example of the Trivy Operator": isinstance(keys.kind, str),
        "an object with matches, but without the descriptor of a complete Grype report": is_present(keys.matches),
    }
    found = next((name for name, yes in named.items() if yes), None)
    if found is not None:
        return found
    first = ", ".join(quoted(key) for key in list(decode(_NAMES, body, "a report"))[:5])
    return f"an object of an unknown kind, with the keys {first}" if first else "an empty object"


def _format_of_xml(body: bytes) -> str:
    root = read_root(body)
    if root is None:
        for _ in iterate_elements(body, frozenset(), "a report"):
            pass
        raise Refusal(RefusalReason.NOT_XML, "not XML: the document has no element")
    if root.name not in _ROOTS:
        raise unknown_format(f"an XML document with the root {quoted(root.name)}")
    return _ROOTS[root.name]


def _format_of_table(body: bytes) -> str:
    names = csv_body.read_header(body, nessus.COLUMNS | qualys.COLUMNS | defender_rows.COLUMNS)
    if names is None and body.strip() in {b"null", b"true", b"false"}:
        raise unknown_format("JSON, but neither an object nor a list")
    if names is None:
        raise unknown_format("neither JSON, nor XML, nor a CSV export of Tenable, Qualys or Microsoft Defender")
    if qualys.COLUMNS.intersection(names):
        return QUALYS
    if nessus.COLUMNS.intersection(names):
        return NESSUS
    if {"id", "properties"} <= set(names) or "cveid" in names:
        return DEFENDER
    raise unknown_format("CSV, but not an export of Tenable, Qualys or Microsoft Defender")
