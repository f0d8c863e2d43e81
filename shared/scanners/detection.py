"""Which format a body is of, when nobody says.

One pass over the body at most, keeping nothing of it: JSON by the keys of its outermost object (or of the first object
of a list), XML by its root, CSV by the names of its columns. What is recognised as something else is called by its
name.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from shared.scanners import nessus, qualys, tables
from shared.scanners.jsons import Wire, broken, decode, present
from shared.scanners.markup import elements, root_of
from shared.scanners.report import Refusal, RefusalReason, shown

_NOTHING: Final = msgspec.Raw(b"")


class _Keys(Wire):
    """Keys that tell formats apart. A value is a piece of the body, not a copy."""

    schema_version: msgspec.Raw = msgspec.field(name="SchemaVersion", default=_NOTHING)
    cluster: msgspec.Raw = msgspec.field(name="ClusterName", default=_NOTHING)
    matches: msgspec.Raw = _NOTHING
    descriptor: msgspec.Raw = _NOTHING
    runs: msgspec.Raw = _NOTHING
    bom_format: msgspec.Raw = msgspec.field(name="bomFormat", default=_NOTHING)
    spec_version: msgspec.Raw = msgspec.field(name="specVersion", default=_NOTHING)
    schema: Any = None
    findings: msgspec.Raw = _NOTHING
    value: msgspec.Raw = _NOTHING
    data: msgspec.Raw = _NOTHING
    spdx: msgspec.Raw = msgspec.field(name="spdxVersion", default=_NOTHING)
    context: msgspec.Raw = msgspec.field(name="@context", default=_NOTHING)
    document: msgspec.Raw = _NOTHING
    kind: Any = None
    type: Any = None


class _First(Wire):
    """Keys of the first object of a list."""

    target: msgspec.Raw = msgspec.field(name="Target", default=_NOTHING)
    type: Any = None
    properties: msgspec.Raw = _NOTHING
    cve_id: msgspec.Raw = msgspec.field(name="cveId", default=_NOTHING)
    machine_id: msgspec.Raw = msgspec.field(name="machineId", default=_NOTHING)
    finding_arn: msgspec.Raw = msgspec.field(name="findingArn", default=_NOTHING)
    aws_schema: msgspec.Raw = msgspec.field(name="SchemaVersion", default=_NOTHING)


_OBJECTS: Final = msgspec.json.Decoder(_Keys)
_LISTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_FIRSTS: Final = msgspec.json.Decoder(_First)
_ROOTS: Final = {"bom": "cyclonedx", nessus.ROOT: nessus.FORMAT} | dict.fromkeys(qualys.ROOTS, "qualys")


def detect(body: bytes) -> str:
    """The format's name in the registry. Raises Refusal when the body is broken or of no format that is read."""
    begin = body[:256].lstrip()[:1]
    if not begin:
        begin = body.lstrip()[:1]
    if begin == b"{":
        return _of_object(decode(_OBJECTS, body, "a report"))
    if begin == b"[":
        return _of_list(decode(_LISTS, body, "a report"))
    if begin == b"<":
        return _of_xml(body)
    return _of_table(body)


def _of_object(keys: _Keys) -> str:
    told = {
        "ringmaster": isinstance(keys.schema, str) and keys.schema.startswith("ringmaster."),
        "cyclonedx": present(keys.bom_format),
        "sarif": present(keys.runs),
        "trivy": present(keys.schema_version) or present(keys.cluster),
        "grype": present(keys.matches) and present(keys.descriptor),
        "inspector": present(keys.findings) and _of_inspector(keys.findings),
    }
    found = next((name for name, yes in told.items() if yes), None)
    rows = keys.value if present(keys.value) else keys.data
    if found is None and present(rows):
        found = _of_rows(rows)
    if found is None and _names_sub_assessment(keys.type):
        found = "defender"
    if found is None:
        raise _unknown(_other_object(keys))
    return found


def _of_inspector(findings: msgspec.Raw) -> bool:
    first = _first_of(findings)
    return first is None or present(first.finding_arn)


def _of_rows(rows: msgspec.Raw) -> str | None:
    """Rows under ``value`` or ``data``; an empty list is Defender's answer for a machine that it doesn't assess."""
    first = _first_of(rows)
    if first is None or present(first.properties) or (present(first.cve_id) and present(first.machine_id)):
        return "defender"
    return None


def _of_list(rows: list[msgspec.Raw]) -> str:
    first = _first_of(rows)
    if first is None:
        raise _unknown("an empty list")
    if present(first.target):
        return "trivy"  # the legacy form, which its reader refuses with the reason
    if _names_sub_assessment(first.type) or (present(first.cve_id) and present(first.machine_id)):
        return "defender"
    if present(first.aws_schema):
        raise _unknown("findings of AWS Security Hub (ASFF)")
    raise _unknown("a list")


def _first_of(rows: msgspec.Raw | list[msgspec.Raw]) -> _First | None:
    """The keys of the first row; None when there are no rows, or no rows of objects."""
    try:
        listed = rows if isinstance(rows, list) else _LISTS.decode(rows)
        return _FIRSTS.decode(listed[0]) if listed else None
    except msgspec.ValidationError:
        return _First()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise broken(b"", error) from error


def _names_sub_assessment(kind: object) -> bool:
    return isinstance(kind, str) and kind.casefold().startswith("microsoft.security/assessments")


def _other_object(keys: _Keys) -> str:
    named = {
        "an SPDX document": present(keys.spdx),
        "a VEX document, which says nothing of what was scanned": present(keys.context),
        "a CSAF document": present(keys.document),
        "a Kubernetes object, such as the Trivy operator's": isinstance(keys.kind, str),
        "matches of another scanner than Grype": present(keys.matches),
    }
    return next((name for name, yes in named.items() if yes), "an object of a kind that is not known")


def _of_xml(body: bytes) -> str:
    root = root_of(body)
    if root is None:
        for _ in elements(body, frozenset(), "a report"):
            pass
        raise Refusal(RefusalReason.NOT_XML, "not XML: there is no element in it")
    if root.name not in _ROOTS:
        raise _unknown(f"XML whose root is {shown(root.name)}")
    return _ROOTS[root.name]


def _of_table(body: bytes) -> str:
    names = tables.header(body, nessus.COLUMNS | qualys.COLUMNS)
    if names is None and body.strip() in {b"null", b"true", b"false"}:
        raise _unknown("JSON, but neither an object nor a list")
    if names is None:
        raise _unknown("neither JSON, nor XML, nor CSV of Tenable or Qualys")
    return qualys.FORMAT if qualys.COLUMNS.intersection(names) else nessus.FORMAT


def _unknown(what: str) -> Refusal:
    return Refusal(RefusalReason.UNKNOWN_FORMAT, f"no format is recognised: this is {what}")
