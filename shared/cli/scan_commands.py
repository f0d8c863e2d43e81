"""``ringmaster scan judge``: the verdict of a policy on scan reports, without the app or Azure.

Information that only the app has is left out, unless it is given as an option: when the version was published, and the
findings of the published version (``--baseline``, a report).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.cli.exit_codes import CommandError
from shared.codec.verdicts import verdict_facts
from shared.domain.delta import Baseline
from shared.domain.findings import Finding, ScanReport
from shared.domain.image import DefinitionId, InvalidId, VersionId
from shared.domain.judgement import Effect, ScanOutcome, ScanVerdict, judge
from shared.domain.merging import merge_reports
from shared.domain.policy import DefinitionPolicy, ScanRules
from shared.policy_file import PolicyFaults, read_file
from shared.scanners.registry import read
from shared.scanners.report_refusal import Refusal

EXIT_CODES = {ScanOutcome.PASS: 0, ScanOutcome.REJECT: 1, ScanOutcome.REFUSED: 2}


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """The reports, the image and the policy to use."""

    files: tuple[Path, ...]
    policy: Path
    image: str
    format: str | None = None
    ring: str | None = None
    published: datetime | None = None
    baseline: Path | None = None


@dataclass(frozen=True, slots=True)
class JudgeResult:
    """The verdict, or the reasons why reports are refused."""

    verdict: ScanVerdict | None
    refused: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 for pass, 1 for reject, 2 for refused."""
        return EXIT_CODES[self.verdict.outcome if self.verdict else ScanOutcome.REFUSED]


def judge_files(request: JudgeRequest, now: datetime) -> JudgeResult:
    """Judge report files. Raises CommandError when the request is invalid."""
    definition, version = _covering(request)
    rules = _rules(definition, request)
    reports, refused = _read_all(request, version)
    if refused:
        return JudgeResult(None, tuple(refused))
    baseline = _baseline(request.baseline) if request.baseline else None
    return JudgeResult(judge(reports, rules, version_published=request.published, now=now, baseline=baseline))


def as_json(judged: JudgeResult) -> str:
    """The result as JSON. Lists of findings are limited in length and have a total count."""
    verdict = judged.verdict
    if verdict is None:
        return json.dumps({"outcome": "refused", "refused": "; ".join(judged.refused), "reasons": list(judged.refused)})
    facts = verdict_facts(verdict, _finding)
    if verdict.outcome is ScanOutcome.REFUSED:
        facts["refused"] = "; ".join(verdict.texts)
    return json.dumps(facts, ensure_ascii=False)


def as_text(judged: JudgeResult) -> Iterator[str]:
    """The result as lines of text."""
    verdict = judged.verdict
    if verdict is None:
        yield "refused"
        yield from (f"  {text}" for text in judged.refused)
        return
    yield verdict.outcome.value
    for reason in verdict.reasons:
        mark = "-" if reason.effect is not Effect.INFORMS else "note:"
        yield f"  {mark} {reason.text}"
    if verdict.remediation:
        yield "to pass:"
        yield from (f"  - {line}" for line in verdict.remediation)
    for used in verdict.excepted:
        exception = used.exception
        yield (
            f"exception until {exception.expires:%Y-%m-%d}: {exception.id} ({len(used.findings)}), "
            f"owner {exception.owner}" + (f", {exception.source}" if exception.source else "")
        )


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "package": finding.package,
        "installed": finding.installed,
        "fixed": finding.fixed,
        "severity": finding.severity.value,
    }


def _covering(request: JudgeRequest) -> tuple[DefinitionPolicy, VersionId | None]:
    try:
        policy = read_file(request.policy)
    except PolicyFaults as faults:
        raise CommandError(f"the policy has errors:\n{faults}") from faults
    version = _version(request.image)
    for definition in policy.definitions.values():
        if request.image.casefold() == definition.name.casefold():
            return definition, None
        if _definition(request.image) in {definition.source, *(ring.definition for ring in definition.rings)}:
            return definition, version
    known = ", ".join(definition.name for definition in policy.definitions.values())
    raise CommandError(
        f"{request.policy} does not cover the image {request.image}. It covers: {known}. Use one of these names, "
        "or the resource id of a version or definition"
    )


def _version(image: str) -> VersionId | None:
    try:
        return VersionId.parse(image)
    except InvalidId:
        return None


def _definition(image: str) -> DefinitionId | None:
    version = _version(image)
    if version is not None:
        return version.definition
    try:
        return DefinitionId.parse(image)
    except InvalidId:
        return None


def _rules(definition: DefinitionPolicy, request: JudgeRequest) -> ScanRules:
    if request.ring is None:
        return definition.scan
    try:
        return definition.ring(request.ring).scan or definition.scan
    except KeyError as error:
        rings = ", ".join(ring.name for ring in definition.rings)
        raise CommandError(f"{definition.name} has no ring {request.ring}; its rings are {rings}") from error


def _read_all(request: JudgeRequest, version: VersionId | None) -> tuple[list[ScanReport], list[str]]:
    reports: list[ScanReport] = []
    refused: list[str] = []
    for file in request.files:
        try:
            report = _read(file, request.format)
        except Refusal as refusal:
            refused.append(f"{file}: {refusal}")
            continue
        another = report.image_mismatch(version) if version else ""
        if another:
            refused.append(f"{file}: {another}")
        reports.append(report)
    return reports, refused


def _read(file: Path, scan_format: str | None) -> ScanReport:
    try:
        with file.open("rb") as opened:
            return read(scan_format, opened)
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}") from error


def _baseline(file: Path) -> Baseline:
    try:
        reports: Sequence[ScanReport] = [_read(file, None)]
    except Refusal as refusal:
        raise CommandError(f"the baseline {file} is refused: {refusal}") from refusal
    together = merge_reports(reports)
    found = (*together.findings, *(left.finding for left in together.suppressed))
    return Baseline(file.name, found, reports[0].created_at)
