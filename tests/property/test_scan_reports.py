"""Whatever the body: a report or a refusal; and judgement keeps its rules over every mixture of findings."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.findings import Finding, OsInfo, ScanReport
from shared.domain.judgement import ScanOutcome, judge
from shared.domain.merging import merge_findings
from shared.domain.policy import ScanException, ScanRules, Severity
from shared.scanners import registry
from shared.scanners.report_refusal import Refusal

NOW = datetime(2026, 5, 10, tzinfo=UTC)
FINDINGS = st.lists(
    st.builds(
        Finding,
        id=st.sampled_from(["CVE-1", "cve-1", "CVE-2", "CVE-3"]),
        package=st.sampled_from(["a", "A", "b"]),
        installed=st.just("1"),
        severity=st.sampled_from(Severity),
        fixed=st.sampled_from([None, "2"]),
    ),
    max_size=12,
)
LIMITS = st.dictionaries(st.sampled_from(Severity), st.integers(0, 3))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["SchemaVersion", "Results", "Metadata", "OS", "Family", "Class", "Vulnerabilities",
                         "VulnerabilityID", "PkgName", "Severity", "x"]), inner, max_size=4),
    max_leaves=15,
)  # fmt: skip


def report(findings: list[Finding]) -> ScanReport:
    return ScanReport("trivy", "Trivy", "1", "2", "t", OsInfo("ubuntu"), NOW, None, tuple(findings))


def outcome(findings: list[Finding], rules: ScanRules) -> ScanOutcome:
    return judge(report(findings), rules, version_published=NOW - timedelta(hours=1), now=NOW).outcome


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_are_refused_with_a_text(body: bytes) -> None:
    for named in (None, *registry.READERS):
        with pytest.raises(Refusal) as caught:
            registry.read(named, body)
        assert caught.value.text


@given(JSON, JSON)
@settings(max_examples=300, deadline=None)
def test_any_json_is_a_report_or_a_refusal(value: Any, results: Any) -> None:
    document = {"SchemaVersion": 2, "Metadata": value, "Results": results}
    with suppress(Refusal):
        assert registry.read("trivy", json.dumps(document).encode()).schema_version == "2"


@given(FINDINGS)
def test_merging_keeps_every_vulnerability_once_at_its_worst(findings: list[Finding]) -> None:
    unique = merge_findings(findings)
    assert {found.identity for found in unique} == {found.identity for found in findings}
    assert len(unique) == len({found.identity for found in unique})
    assert merge_findings(unique) == unique


@given(FINDINGS, FINDINGS, LIMITS)
def test_more_findings_never_turn_a_reject_into_a_pass(
    some: list[Finding], more: list[Finding], limits: dict[Severity, int]
) -> None:
    rules = ScanRules(limits=limits)
    worse = [replace(found, id=found.id + "-more") for found in more]
    if outcome(some, rules) is ScanOutcome.REJECT:
        assert outcome(some + worse, rules) is ScanOutcome.REJECT


@given(FINDINGS, LIMITS, st.timedeltas(timedelta(microseconds=1), timedelta(days=400)))
def test_an_expired_exception_changes_no_outcome(
    findings: list[Finding], limits: dict[Severity, int], ago: timedelta
) -> None:
    expired = tuple(ScanException(name, "o", "r", NOW - ago) for name in ("CVE-1", "CVE-2"))
    plain, excepted = ScanRules(limits=limits), ScanRules(limits=limits, exceptions=expired)
    assert outcome(findings, plain) is outcome(findings, excepted)
