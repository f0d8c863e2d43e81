"""Which format a body is of, when nobody says.

One pass over the body at most, keeping nothing of it: JSON by the keys of its outermost object (or of the first object
of a list), XML by its root, CSV by the names of its columns. What is recognised as something else is called by its
name.
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
from shared.scanners.json_body import WireStruct, broken_json, decode, is_present
from shared.scanners.report_refusal import Refusal, RefusalReason, quoted
from shared.scanners.xml_body import iterate_elements, read_root

_NOTHING: Final = msgspec.Raw(b"")


class _Keys(WireStruct):
    """Keys that tell formats apart. A value is a piece of the body, not a copy."""

    schema_version: msgspec.Raw = msgspec.field(name="SchemaVersion", default=_NOTHING)
    product_arn: msgspec.Raw = msgspec.field(name="ProductArn", default=_NOTHING)
    cluster: msgspec.Raw = msgspec.field(name="ClusterName", default=_NOTHING)
    matches: msgspec.Raw = _NOTHING
    descriptor: msgspec.Raw = _NOTHING
    runs: msgspec.Raw = _NOTHING
    bom_format: msgspec.Raw = msgspec.field(name="bomFormat", default=_NOTHING)
    spec_version: msgspec.Raw = msgspec.field(name="specVersion", default=_NOTHING)
    schema: Any = None
    findings: msgspec.Raw = _NOTHING
    hub_findings: msgspec.Raw = msgspec.field(name="Findings", default=_NOTHING)
    results: msgspec.Raw = msgspec.field(name="Results", default=_NOTHING)
    value: msgspec.Raw = _NOTHING
    data: msgspec.Raw = _NOTHING
    spdx: msgspec.Raw = msgspec.field(name="spdxVersion", default=_NOTHING)
    context: msgspec.Raw = msgspec.field(name="@context", default=_NOTHING)
    document: msgspec.Raw = _NOTHING
    kind: Any = None
    type: Any = None


class _First(WireStruct):
    """Keys of the first object of a list."""

    target: msgspec.Raw = msgspec.field(name="Target", default=_NOTHING)
    type: Any = None
    properties: msgspec.Raw = _NOTHING
    cve_id: msgspec.Raw = msgspec.field(name="cveId", default=_NOTHING)
    machine_id: msgspec.Raw = msgspec.field(name="machineId", default=_NOTHING)
    device_id: msgspec.Raw = msgspec.field(name="deviceId", default=_NOTHING)
    hunted_cve_id: msgspec.Raw = msgspec.field(name="CveId", default=_NOTHING)
    hunted_device_id: msgspec.Raw = msgspec.field(name="DeviceId", default=_NOTHING)
    finding_arn: msgspec.Raw = msgspec.field(name="findingArn", default=_NOTHING)
    product_arn: msgspec.Raw = msgspec.field(name="ProductArn", default=_NOTHING)

    @property
    def of_endpoint(self) -> bool:
        """Of Defender for Endpoint: by machine, by device, or as Advanced Hunting names the same."""
        by_machine = is_present(self.cve_id) and (is_present(self.machine_id) or is_present(self.device_id))
        return by_machine or (is_present(self.hunted_cve_id) and is_present(self.hunted_device_id))


class _Whole(WireStruct):
    """Keys of an object that is a whole report, wherever it stands."""

    schema_version: msgspec.Raw = msgspec.field(name="SchemaVersion", default=_NOTHING)
    product_arn: msgspec.Raw = msgspec.field(name="ProductArn", default=_NOTHING)
    bom_format: msgspec.Raw = msgspec.field(name="bomFormat", default=_NOTHING)
    runs: msgspec.Raw = _NOTHING
    matches: msgspec.Raw = _NOTHING
    descriptor: msgspec.Raw = _NOTHING
    schema: Any = None


_BESIDE: Final = {
    INSPECTOR: frozenset({"findings", "Findings", "nextToken", "NextToken"}),
    DEFENDER: frozenset(
        {"value", "data", "Results", "Schema", "Stats", "nextLink", "@odata.context", "@odata.nextLink", "@odata.count",
         "count", "totalRecords", "total_records", "facets", "resultTruncated", "result_truncated", "$skipToken",
         "skip_token"}
    ),
}  # fmt: skip
"""What stands beside rows in answers of the format's services."""
_OBJECTS: Final = msgspec.json.Decoder(_Keys)
_WHOLES: Final = msgspec.json.Decoder(_Whole)
_NAMES: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LISTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_FIRSTS: Final = msgspec.json.Decoder(_First)
_ROOTS: Final = {"bom": CYCLONEDX, nessus.ROOT: NESSUS} | dict.fromkeys(qualys.ROOTS, QUALYS)


def detect(body: bytes) -> str:
    """The format's name in the registry. Raises Refusal when the body is broken or of no format that is read."""
    begin = _begin(body)
    if begin == b"{":
        try:
            return _of_object(decode(_OBJECTS, body, "a report"), body)
        except Refusal as refusal:
            return _of_lines(body, refusal)
    if begin == b"[":
        return _of_list(decode(_LISTS, body, "a report"))
    if begin == b"<":
        return _of_xml(body)
    return _of_table(body)


def unlisted(body: bytes) -> bytes:
    """The report in a list of that one alone, as ``jq --slurp`` writes it; every other body as it is.

    Raises Refusal for a list of several reports: which of them is meant?
    """
    if _begin(body) != b"[":
        return body
    try:
        listed = _LISTS.decode(body)
        whole = bool(listed) and _is_whole(_WHOLES.decode(listed[0]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body  # of something else, or broken: its reader says so
    if whole and len(listed) > 1:
        told = f"this is a list of {len(listed)} reports, of which each is of something else. Send one"
        raise Refusal(RefusalReason.WRONG_SHAPE, told)
    return bytes(listed[0]) if whole else body


def _begin(body: bytes) -> bytes:
    return body[:256].lstrip()[:1] or body.lstrip()[:1]


def _is_whole(keys: _Whole) -> bool:
    return (
        (is_present(keys.schema_version) and not is_present(keys.product_arn))
        or is_present(keys.bom_format)
        or is_present(keys.runs)
        or (is_present(keys.matches) and is_present(keys.descriptor))
        or (isinstance(keys.schema, str) and keys.schema.startswith("ringmaster."))
    )


def _of_object(keys: _Keys, body: bytes) -> str:
    told = {
        RINGMASTER: isinstance(keys.schema, str) and keys.schema.startswith("ringmaster."),
        CYCLONEDX: is_present(keys.bom_format),
        SARIF: is_present(keys.runs),
        TRIVY: (is_present(keys.schema_version) and not is_present(keys.product_arn)) or is_present(keys.cluster),
        GRYPE: is_present(keys.matches) and is_present(keys.descriptor),
        INSPECTOR: is_present(keys.product_arn),
    }
    found = next((name for name, yes in told.items() if yes), None)
    for name, rows in (
        (INSPECTOR, keys.findings),
        (INSPECTOR, keys.hub_findings),
        (DEFENDER, keys.value),
        (DEFENDER, keys.data),
        (DEFENDER, keys.results),
    ):
        if found is None and is_present(rows) and _is_of(name, rows, body):
            found = name
    if found is None and (_names_sub_assessment(keys.type) or decode(_FIRSTS, body, "a report").of_endpoint):
        found = DEFENDER
    if found is None:
        raise _unknown(_other_object(keys, body))
    return found


def _is_of(name: str, rows: msgspec.Raw, body: bytes) -> bool:
    """Whether rows are the format's. An empty list is, when nothing else stands beside it that the format hasn't."""
    first = _first_of(rows)
    if first is None:
        return set(decode(_NAMES, body, "a report")) <= _BESIDE[name]
    if name == INSPECTOR:
        return is_present(first.finding_arn) or is_present(first.product_arn)
    return is_present(first.properties) or first.of_endpoint


def _of_lines(body: bytes, refusal: Refusal) -> str:
    """Rows that stand one a line, as Defender for Endpoint writes them into files."""
    line = body[: body.find(b"\n") + 1]
    try:
        if line.strip() and _FIRSTS.decode(line).of_endpoint:
            return DEFENDER
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    raise refusal


def _of_list(rows: list[msgspec.Raw]) -> str:
    first = _first_of(rows)
    if first is None:
        raise _unknown("an empty list")
    if is_present(first.target):
        return TRIVY  # the legacy form, which its reader refuses with the reason
    if _names_sub_assessment(first.type) or first.of_endpoint:
        return DEFENDER
    if is_present(first.product_arn):
        return INSPECTOR
    raise _unknown("a list")


def _first_of(rows: msgspec.Raw | list[msgspec.Raw]) -> _First | None:
    """The keys of the first row; None when there are no rows, or no rows of objects."""
    try:
        listed = rows if isinstance(rows, list) else _LISTS.decode(rows)
        return _FIRSTS.decode(listed[0]) if listed else None
    except msgspec.ValidationError:
        return _First()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise broken_json(b"", error) from error


def _names_sub_assessment(kind: object) -> bool:
    return isinstance(kind, str) and kind.casefold().startswith("microsoft.security/assessments")


def _other_object(keys: _Keys, body: bytes) -> str:
    named = {
        "an SPDX document": is_present(keys.spdx),
        "a VEX document, which says nothing of what was scanned": is_present(keys.context),
        "a CSAF document": is_present(keys.document),
        "a Kubernetes object, such as the Trivy operator's": isinstance(keys.kind, str),
        "matches without a descriptor, which a whole report of Grype has": is_present(keys.matches),
    }
    found = next((name for name, yes in named.items() if yes), None)
    if found is not None:
        return found
    first = ", ".join(quoted(key) for key in list(decode(_NAMES, body, "a report"))[:5])
    return f"an object of a kind that is not known, with the keys {first}" if first else "an empty object"


def _of_xml(body: bytes) -> str:
    root = read_root(body)
    if root is None:
        for _ in iterate_elements(body, frozenset(), "a report"):
            pass
        raise Refusal(RefusalReason.NOT_XML, "not XML: there is no element in it")
    if root.name not in _ROOTS:
        raise _unknown(f"XML whose root is {quoted(root.name)}")
    return _ROOTS[root.name]


def _of_table(body: bytes) -> str:
    names = csv_body.read_header(body, nessus.COLUMNS | qualys.COLUMNS | defender_rows.COLUMNS)
    if names is None and body.strip() in {b"null", b"true", b"false"}:
        raise _unknown("JSON, but neither an object nor a list")
    if names is None:
        raise _unknown("neither JSON, nor XML, nor CSV of Tenable, Qualys or Defender")
    if qualys.COLUMNS.intersection(names):
        return QUALYS
    if nessus.COLUMNS.intersection(names):
        return NESSUS
    if {"id", "properties"} <= set(names) or "cveid" in names:
        return DEFENDER
    raise _unknown("CSV, but neither of Tenable, nor of Qualys, nor of Defender")


def _unknown(what: str) -> Refusal:
    return Refusal(RefusalReason.UNKNOWN_FORMAT, f"no format is recognised: this is {what[:300]}")
