"""Findings of Amazon Inspector in AWS Security Hub's own format (ASFF).

Accepted are responses of ``aws securityhub get-findings`` (``{"Findings": […]}``), lists and single findings. Facts of
the format (AWS Security Finding Format 2018-10-08; exports of it):

* Security Hub contains findings of many products; ``ProductArn`` ends with the product. Findings of other products are
  skipped, and a document without findings of Inspector is refused. Trivy has a template for this format too: it names
  no operating system, and Trivy's own JSON contains more.
* ``RecordState`` ARCHIVED is a finding that no longer exists, ``Workflow.Status`` SUPPRESSED one that a person
  suppressed. RESOLVED is set by a person and not by Inspector, so such a finding still counts.
* ``Vulnerabilities`` may be empty. The title then names the CVE, and no package is named.
* The operating system is in ``ProductFields``, under a name that ends with ``platform``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from shared.scanners.inspector_rows import Cvss, Details, Epss, InspectorFinding, Package, Resource
from shared.scanners.json_body import NonEmptyName, WireStruct, decode, decode_each
from shared.scanners.report_refusal import quoted, unknown_format
from shared.scanners.values import find_cves, parse_number, severity_for_score, unique

_INSPECTOR: Final = "/aws/inspector"
_NAME: Final = "findings of AWS Security Hub"


class _Label(WireStruct, rename="pascal"):
    label: str | None = None
    normalized: float | None = None


class _Workflow(WireStruct, rename="pascal"):
    status: str | None = None


class _Place(WireStruct, rename="pascal"):
    id: str
    type: str = ""


class _Score(WireStruct, rename="pascal"):
    version: str = ""
    base_score: float | str | None = None
    base_vector: str = ""
    source: str = ""


class _Vulnerable(WireStruct, rename="pascal"):
    name: str = ""
    version: str = ""
    release: str | None = None
    fixed_in_version: str | None = None
    package_manager: str = ""
    file_path: str | None = None


class _Vendor(WireStruct, rename="pascal"):
    name: str = ""
    vendor_severity: str | None = None
    vendor_created_at: str | None = None


class _Vulnerability(WireStruct, rename="pascal"):
    id: NonEmptyName
    vulnerable_packages: list[_Vulnerable] | None = None
    cvss: list[_Score] | None = None
    related_vulnerabilities: list[str] | None = None
    vendor: _Vendor | None = None
    fix_available: str = ""
    epss_score: float | str | None = None


class _Finding(WireStruct, rename="pascal"):
    id: NonEmptyName
    product_arn: str
    title: str = ""
    company_name: str | None = None
    product_name: str | None = None
    severity: _Label | None = None
    record_state: str = ""
    workflow: _Workflow | None = None
    resources: list[_Place] | None = None
    vulnerabilities: list[_Vulnerability] | None = None
    product_fields: dict[str, Any] | None = None
    last_observed_at: str | None = None
    updated_at: str | None = None


class _Answer(WireStruct, rename="pascal"):
    product_arn: msgspec.Raw = msgspec.Raw(b"")
    findings: list[msgspec.Raw] | None = None
    small: list[msgspec.Raw] | None = msgspec.field(name="findings", default=None)
    next_token: str | None = None


class _Arn(WireStruct):
    arn: msgspec.Raw = msgspec.field(name="ProductArn", default=msgspec.Raw(b""))


_ANSWERS: Final = msgspec.json.Decoder(_Answer)
_LISTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ARNS: Final = msgspec.json.Decoder(_Arn)
_FINDINGS: Final = msgspec.json.Decoder(_Finding)


def unwrap_findings(body: bytes) -> tuple[list[msgspec.Raw], bool, bool]:
    """The findings of a body, whether it is one page of several, and whether it is in Security Hub's format.

    Raises Refusal when the body is not JSON or is incomplete.
    """
    if body.lstrip()[:1] == b"[":
        return decode(_LISTS, body, _NAME), False, True
    answer = decode(_ANSWERS, body, _NAME)
    if memoryview(answer.product_arn).nbytes:
        return [msgspec.Raw(body)], False, True
    listed = answer.findings if answer.findings is not None else answer.small
    first = decode(_ARNS, listed[0], _NAME) if listed else _Arn()
    return listed or [], bool(answer.next_token), bool(memoryview(first.arn).nbytes)


def inspector_findings(listed: list[msgspec.Raw]) -> Iterator[InspectorFinding]:
    """The findings of Inspector among those of Security Hub, converted to Inspector's format.

    Raises Refusal after the last finding when there was none of Inspector.
    """
    others: dict[str, None] = {}
    own = 0
    for found in decode_each(_FINDINGS, listed, _NAME):
        if found.product_arn.endswith(_INSPECTOR):
            own += 1
            yield _converted(found)
        elif len(others) < 3:
            others.setdefault(_product_name(found))
    if not own:
        products = ", ".join(map(quoted, others))
        hint = ". Send Trivy's own report (--format json)" if any("aqua" in other for other in others) else ""
        raise unknown_format(f"findings of {products} in AWS Security Hub (ASFF), none of Amazon Inspector{hint}")


def _product_name(found: _Finding) -> str:
    _, _, product = found.product_arn.partition(":product/")
    return "/".join(unique((found.company_name, found.product_name))) or product or "an unnamed product"


def _converted(found: _Finding) -> InspectorFinding:
    return InspectorFinding(
        finding_arn=found.id,
        type="PACKAGE_VULNERABILITY",
        severity=_severity(found),
        status=_status(found),
        title=found.title,
        resources=[Resource(place.id, place.type, _platform(found)) for place in found.resources or ()],
        vulnerabilities=[_vulnerability(one) for one in found.vulnerabilities or ()] or _details_from_title(found),
        last_observed_at=found.last_observed_at,
        updated_at=found.updated_at,
    )


def _severity(found: _Finding) -> str:
    severity = found.severity or _Label()
    if severity.label or severity.normalized is None:
        return severity.label or ""
    return severity_for_score(severity.normalized / 10).value  # 0 to 100, in findings from before 2020


def _status(found: _Finding) -> str:
    if found.record_state.upper() == "ARCHIVED":
        return "CLOSED"
    suppressed = found.workflow is not None and (found.workflow.status or "").upper() == "SUPPRESSED"
    return "SUPPRESSED" if suppressed else "ACTIVE"


def _platform(found: _Finding) -> dict[str, object]:
    fields = found.product_fields or {}
    platform = next((value for name, value in fields.items() if name.endswith("/platform")), None)
    return {"fields": {"platform": platform}} if platform else {}


def _details_from_title(found: _Finding) -> list[Details]:
    return [Details(id_) for id_ in find_cves(found.title)]


def _vulnerability(one: _Vulnerability) -> Details:
    vendor = one.vendor or _Vendor()
    return Details(
        vulnerability_id=one.id,
        source=vendor.name,
        vendor_severity=vendor.vendor_severity,
        related_vulnerabilities=one.related_vulnerabilities,
        cvss=[
            Cvss(parse_number(score.base_score), score.base_vector, score.source, score.version)
            for score in one.cvss or ()
        ],
        vulnerable_packages=[
            Package(
                package.name, package.version, package.release, package.fixed_in_version, package.package_manager,
                package.file_path,
            )
            for package in one.vulnerable_packages or ()
        ],
        vendor_created_at=vendor.vendor_created_at,
        fix_available=one.fix_available,
        epss=Epss(parse_number(one.epss_score)),
    )  # fmt: skip
