"""Ringmaster's own report format, for scanners without one of the other formats: ``docs/scan-envelope.schema.json``.

It states what must be inferred in other formats: which image version was scanned and when, which operating system was
found, and how many packages were examined. Unlike the others it is closed: an unknown key is refused, since it is more
likely misspelled than new. The schema is generated from the types below.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from shared.domain.findings import Finding, FixState, OsInfo, ScanReport, SuppressedFinding, VexState
from shared.domain.image import InvalidId, VersionId
from shared.domain.scan_formats import RINGMASTER
from shared.scanners.json_body import decode
from shared.scanners.report_refusal import Refusal, RefusalReason, quoted
from shared.scanners.values import canonical_purl, cvss_score, parse_severity, parse_timestamp, unique

SCHEMA: Final = "ringmaster.scan/1"
_NAME: Final = "a scan envelope"

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
_Severity = Literal["critical", "high", "medium", "low", "negligible", "unknown"]


class _Closed(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """Base class of the objects. Keys are camelCase; unknown keys are refused."""


class Scanner(_Closed):
    """The scanner that made the report."""

    name: _Text
    version: str = ""


class System(_Closed):
    """The operating system that the scanner found on the machine."""

    family: Annotated[_Text, msgspec.Meta(description="ID in os-release, or windows", examples=["ubuntu", "windows"])]
    version: str = ""
    end_of_life: bool = False


class Target(_Closed):
    """What was scanned."""

    name: Annotated[_Text, msgspec.Meta(description="Host, disk or directory, as the scanner names it")]
    image: Annotated[str, msgspec.Meta(description="Resource id of the image version that was scanned")] = ""
    os: System | None = None


class Vulnerability(_Closed, kw_only=True):
    """One vulnerability in one package."""

    id: Annotated[_Text, msgspec.Meta(description="CVE or advisory id")]
    package: _Text
    severity: _Severity
    installed_version: str = ""
    fixed_version: Annotated[str, msgspec.Meta(description="Version or versions that contain the fix")] = ""
    fix_state: Annotated[
        Literal["fixed", "not-fixed", "wont-fix", "unknown"],
        msgspec.Meta(description="Whether there is a fix. Without fixedVersion, unknown counts as fixable"),
    ] = "unknown"
    fix_published: Annotated[str, msgspec.Meta(description="ISO 8601 time with a UTC offset")] = ""
    published: Annotated[str, msgspec.Meta(description="ISO 8601 time with a UTC offset")] = ""
    aliases: list[_Text] = []
    purl: Annotated[str, msgspec.Meta(description="Package URL")] = ""
    severity_source: str = ""
    severities: Annotated[dict[str, _Severity], msgspec.Meta(description="Severity by source")] = {}
    cvss_vector: str = ""
    cvss_score: Annotated[float, msgspec.Meta(ge=0, le=10)] | None = None
    epss: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    known_exploited: Annotated[bool, msgspec.Meta(description="Listed in CISA's KEV catalog")] = False
    vex: Literal["not_affected", "affected", "fixed", "under_investigation"] | None = None
    where: Annotated[list[str], msgspec.Meta(description="Files or directories")] = []


class LeftOut(_Closed, kw_only=True):
    """A finding that the scanner was configured to suppress."""

    finding: Vulnerability
    status: _Text
    statement: str = ""
    source: str = ""


class Envelope(_Closed, kw_only=True):
    """A scan of one image version for vulnerable packages."""

    schema: Literal["ringmaster.scan/1"]
    scanner: Scanner
    target: Target
    created_at: Annotated[str, msgspec.Meta(description="When the scan was made: ISO 8601 time with a UTC offset")]
    packages_scanned: Annotated[
        int, msgspec.Meta(ge=0, description="Number of packages that were examined; 0 is not a scan")
    ]
    findings: list[Vulnerability]
    suppressed: list[LeftOut] = []


class _Head(msgspec.Struct):
    schema: object = None


_ENVELOPES: Final = msgspec.json.Decoder(Envelope)
_HEADS: Final = msgspec.json.Decoder(_Head)


def read(body: bytes) -> ScanReport:
    """Read a scan envelope. Raises Refusal when the body is not one, is incomplete, or violates the schema."""
    head = decode(_HEADS, body, _NAME)
    if head.schema is None:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {_NAME}: it has no schema ({SCHEMA} is required)")
    if head.schema != SCHEMA:
        raise Refusal(
            RefusalReason.WRONG_SCHEMA, f"the schema {quoted(head.schema)} is not supported. Supported schema: {SCHEMA}"
        )
    envelope = decode(_ENVELOPES, body, _NAME)
    created = parse_timestamp(envelope.created_at)
    if created is None:
        text = f"createdAt {quoted(envelope.created_at)} is not an ISO 8601 time with a UTC offset"
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {_NAME}: {text}")
    _check_image(envelope.target.image)
    os_found = envelope.target.os
    return ScanReport(
        format=RINGMASTER,
        scanner=envelope.scanner.name,
        scanner_version=envelope.scanner.version,
        schema_version=envelope.schema,
        target=envelope.target.name,
        os=OsInfo(os_found.family, os_found.version, os_found.end_of_life) if os_found else None,
        created_at=created,
        packages_seen=envelope.packages_scanned,
        findings=tuple(_finding(found) for found in envelope.findings),
        suppressed=tuple(
            SuppressedFinding(_finding(left.finding), left.status, left.statement, left.source)
            for left in envelope.suppressed
        ),
        not_scanned=_not_scanned(envelope),
        image=envelope.target.image,
    )


def schema() -> dict[str, object]:
    """The JSON Schema of the envelope, as it is published."""
    (reference,), components = msgspec.json.schema_components([Envelope], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Scan envelope of Ringmaster",
        **reference,
        "$defs": components,
    }


def _check_image(image: str) -> None:
    try:
        if image:
            VersionId.parse(image)
    except InvalidId as error:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {_NAME}: target.image: {error}") from error


def _not_scanned(envelope: Envelope) -> str:
    if envelope.target.os is None:
        return "the scanner found no operating system (target.os)"
    return "" if envelope.packages_scanned else "the scanner examined no packages (packagesScanned)"


def _finding(found: Vulnerability) -> Finding:
    return Finding(
        id=found.id,
        package=found.package,
        installed=found.installed_version,
        severity=parse_severity(found.severity),
        aliases=unique(found.aliases, excluding=found.id),
        fixed=found.fixed_version or None,
        severity_source=found.severity_source,
        cvss_score=cvss_score(found.cvss_score, found.cvss_vector),
        purl=canonical_purl(found.purl),
        where=unique(found.where),
        status=found.fix_state,
        severities=tuple((source, parse_severity(word)) for source, word in found.severities.items()),
        cvss_vector=found.cvss_vector,
        epss=found.epss,
        known_exploited=found.known_exploited,
        fix_state=FixState.FIXED if found.fixed_version else FixState(found.fix_state),
        fix_published=parse_timestamp(found.fix_published),
        published=parse_timestamp(found.published),
        vex=VexState(found.vex) if found.vex else None,
    )


def main(arguments: list[str]) -> int:
    """Print the schema, or write it to ``docs`` with ``--write``. Returns the exit code."""
    text = json.dumps(schema(), indent=2) + "\n"
    if arguments == ["--write"]:
        (Path(__file__).parents[2] / "docs" / "scan-envelope.schema.json").write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
