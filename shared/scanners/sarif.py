"""SARIF 2.1.0, as vulnerability scanners write it: Trivy, Grype, Snyk, Docker Scout and others.

Facts of the format (OASIS SARIF 2.1.0 errata 01; reports of these tools):

* SARIF holds the results of any tool. It has no fields for packages, operating systems or fixes. Tools write them into
  texts: ``Package: openssl`` in the message of a result (Trivy) or in the help of a rule (Grype).
* A result without ``level`` has the default of its rule, and without that, ``warning`` (section 3.27.10). Tools often
  omit it. Their own word for the severity is in the texts, in tags or in properties, and a CVSS score in the rule's
  ``security-severity`` (GitHub's convention). The tool's word counts first, then the score, then the level.
* Snyk writes package and version into the full description of the rule, ``(CVE-2026-1) openssl/libssl3@3.0.9-1`` with
  the source package first, the package type into tags, and its severity and the fix into prose.
* A result of a ``kind`` other than ``fail`` is not a finding. A suppression counts when it was accepted, or has no
  status.
* A scan is proven by packages of an operating system among the results. An empty list of results proves nothing, since
  SARIF does not say what was examined. Linters and code analyzers write SARIF too, and do not examine machines.
* ``invocations[].executionSuccessful`` false is a failed scan. ``endTimeUtc`` is the time of the scan. Trivy and Grype
  write no invocations: their SARIF has no time, and ``judgement`` refuses a report without a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from shared.domain.findings import Finding, FixState, OsInfo, ScanReport
from shared.domain.policy import Severity
from shared.domain.scan_formats import SARIF
from shared.scanners.collector import FindingCollector
from shared.scanners.json_body import WireStruct, as_list, as_texts, decode, decode_each, is_present
from shared.scanners.report_refusal import Refusal, RefusalReason, quoted
from shared.scanners.sarif_log import Log, Result, Rule, RuleReference, Run, Suppression, Tool
from shared.scanners.values import (
    canonical_purl,
    find_cves,
    parse_score,
    parse_severity,
    parse_timestamp,
    severity_for_score,
    unique,
)

VERSION: Final = "2.1.0"
_OS_PACKAGE_TYPES: Final = frozenset({"deb", "rpm", "apk", "alpm", "portage", "kb", "msrc-kb", "linux-kernel"})
_LEVELS: Final = {
    "error": Severity.HIGH,
    "warning": Severity.MEDIUM,
    "note": Severity.LOW,
    "none": Severity.NEGLIGIBLE,
}
_LINE: Final = re.compile(r"^\**([A-Za-z][A-Za-z ]{2,24}?)[ \t]*\**:\**[ \t]*(\S[^\n]*?)?[ \t\r]*$", re.MULTILINE)
_AT_VERSION: Final = re.compile(r"reports (\S+) at version (\S+)|package: (\S+), version (\S+) was found")
_SNYK_RULE: Final = re.compile(r"(?:\(([^()]*)\) )?([^@\s]\S*)@([^@\s]+)")
_SNYK_SEVERITY: Final = re.compile(r"introduces a vulnerable \S+ package with an? (\w+) severity vulnerability")
_SNYK_FIX: Final = re.compile(r"[Uu]pgrade .{0,200}? to version `?([^\s`]+)`? or higher")
_SNYK_NO_FIX: Final = "There is no fixed version"
_DISTRIBUTION: Final = re.compile(r"^([a-z]+):(?:distro:[a-z]+:)?([0-9][0-9.]*)$")
_ADVISORY: Final = re.compile(
    r"(?:CVE-\d{4}-\d+|GHSA(?:-\w{4}){3}|[A-Z]{2,5}SA-\d{4}[:-]\d+|ALAS\d?-\d{4}-\d+|TEMP-\d+-\w+|SNYK-[\w-]+)",
    re.IGNORECASE,
)


class _Head(WireStruct):
    version: Any = None
    runs: msgspec.Raw = msgspec.Raw(b"")


_LOGS: Final = msgspec.json.Decoder(Log)
_RESULTS: Final = msgspec.json.Decoder(Result)
_HEADS: Final = msgspec.json.Decoder(_Head)


@dataclass(slots=True)
class _Collector(FindingCollector):
    os: OsInfo | None = None
    os_packages: bool = False
    """The results include packages of an operating system."""
    packages: bool = False
    """The results include packages of any kind."""


def read(body: bytes) -> ScanReport:
    """Read a SARIF log.

    Raises Refusal when the body is not one, is incomplete, has no results, or says that a tool failed.
    """
    head = decode(_HEADS, body, "a SARIF log")
    if head.version is None or not is_present(head.runs):
        raise Refusal(RefusalReason.WRONG_SHAPE, "not a SARIF log: version and runs are required")
    if head.version != VERSION:
        raise Refusal(
            RefusalReason.WRONG_SCHEMA,
            f"SARIF version {quoted(head.version)} is not supported. Supported version: {VERSION}",
        )
    runs = decode(_LOGS, body, "a SARIF log").runs or []
    if not any(run.results is not None for run in runs):
        raise Refusal(RefusalReason.NOT_SCANNED, "the log has no list of results: no tool ran")
    _check_success(runs)
    collector = _Collector()
    for run in runs:
        _collect(run, collector)
    drivers = [run.tool.driver for run in runs]
    return ScanReport(
        format=SARIF,
        scanner=", ".join(unique(driver.name for driver in drivers)),
        scanner_version=", ".join(unique(driver.semantic_version or driver.version for driver in drivers)),
        schema_version=VERSION,
        target=_target(runs),
        os=collector.os,
        created_at=_created_at(runs),
        packages_seen=None,
        findings=tuple(collector.findings),
        suppressed=tuple(collector.suppressed),
        not_scanned=_not_scanned(collector),
        entries=collector.entries,
    )


def _check_success(runs: list[Run]) -> None:
    for run in runs:
        if any(invocation.execution_successful is False for invocation in run.invocations or ()):
            text = f"{run.tool.driver.name} reports that it did not run successfully (executionSuccessful is false)"
            raise Refusal(RefusalReason.NOT_SCANNED, text)


def _not_scanned(collector: _Collector) -> str:
    if not collector.entries:
        return "the log has no results, and SARIF does not say what was examined"
    if collector.os_packages:
        return ""
    if collector.packages:
        return "the results include no packages of an operating system, only application packages"
    return "the results are not of a scan for vulnerable packages"


def _target(runs: list[Run]) -> str:
    """What was scanned: the first of the run properties in which vulnerability scanners name it."""
    keys = ("imageName", "imageID", "target", "projectName")
    names = (str((run.properties or {}).get(key) or "") for run in runs for key in keys)
    return next((name for name in names if name), "")


def _created_at(runs: list[Run]) -> datetime | None:
    """The earliest end of a run, or None when a run has no time."""
    ends: list[datetime] = []
    for run in runs:
        calls = run.invocations or []
        found = [parse_timestamp(call.end_time_utc) or parse_timestamp(call.start_time_utc) for call in calls]
        if not found or None in found:
            return None
        ends.extend(end for end in found if end)
    return min(ends, default=None)


def _collect(run: Run, collector: _Collector) -> None:
    rules = _RuleIndex(run.tool)
    for result in decode_each(_RESULTS, run.results, "a SARIF log"):
        if result.kind not in {None, "", "fail", "open", "review"}:
            collector.entries[Severity.NEGLIGIBLE] += 1  # passed, or not applicable
            continue
        _collect_result(result, rules.of(result), collector)


@dataclass(frozen=True, slots=True)
class _NamedRule:
    """The rule of a result, with the id that the result names it by, and what its texts state."""

    id: str
    rule: Rule
    facts: Mapping[str, str]


class _RuleIndex:
    """The rules of a run: those of the driver by position, those of the driver and of its extensions by id."""

    def __init__(self, tool: Tool) -> None:
        self._of_driver = tool.driver.rules or []
        self._by_id = {rule.id: rule for part in (tool.driver, *(tool.extensions or ())) for rule in part.rules or ()}
        self._facts: dict[str, Mapping[str, str]] = {}

    def of(self, result: Result) -> _NamedRule:
        """The rule of a result. The id ``id/variant`` is of the rule ``id``; an unknown rule has no texts."""
        reference = result.rule or RuleReference()
        id_ = result.rule_id or reference.id
        rule = self._by_id.get(id_) or self._at(reference.index if result.rule_index is None else result.rule_index)
        rule = rule or self._by_id.get(id_.rpartition("/")[0]) or Rule(id=id_)
        if rule.id not in self._facts:
            self._facts[rule.id] = _facts_of_rule(rule)
        return _NamedRule(id_ or rule.id, rule, self._facts[rule.id])

    def _at(self, index: int | None) -> Rule | None:
        return self._of_driver[index] if index is not None and 0 <= index < len(self._of_driver) else None


def _facts_of_rule(rule: Rule) -> dict[str, str]:
    """What the texts of a rule state about its package, by lowercase names."""
    described = _SNYK_RULE.fullmatch(rule.full_description.text.strip() if rule.full_description else "")
    if described is None:
        return _named_lines(rule.help.text if rule.help else "")
    help_text = rule.help.markdown if rule.help else ""
    fixed = _SNYK_FIX.search(help_text)
    return {
        "cve": described[1] or "",
        "package": described[2].rpartition("/")[2] if _os_package_tag(rule) else described[2],
        "installed version": described[3],
        "type": _os_package_tag(rule),
        **({"fixed version": fixed[1] if fixed else "not fixed"} if fixed or _SNYK_NO_FIX in help_text else {}),
    }


def _os_package_tag(rule: Rule) -> str:
    return next((tag for tag in _tags(rule) if tag in _OS_PACKAGE_TYPES), "")


def _tags(rule: Rule) -> list[str]:
    return as_texts((rule.properties or {}).get("tags"))


def _named_lines(text: str) -> dict[str, str]:
    """``Name: value`` lines of a text, by lowercase names. The first line of a name counts: descriptions follow it."""
    found: dict[str, str] = {}
    for name, value in _LINE.findall(text):
        found.setdefault(name.strip().casefold(), value.strip())
    return found


def _collect_result(result: Result, named: _NamedRule, collector: _Collector) -> None:
    message = result.message.text if result.message else ""
    rule, facts = named.rule, _facts(message, named.facts)
    finding = _finding(result, rule, facts, _ids(rule, named.id, facts) or (message[:80] or "unnamed",))
    collector.entries[finding.severity] += 1
    collector.packages |= bool(finding.package)
    if finding.package and _is_os_package(rule, facts):
        collector.os_packages = True
        collector.os = collector.os or _distribution(facts)
    suppression = _accepted_suppression(result)
    if suppression is not None:
        collector.add(finding, "suppressed", suppression.justification, suppression.kind)
    else:
        collector.add(finding)


def _facts(message: str, rule_facts: Mapping[str, str]) -> dict[str, str]:
    """What the message of a result and the texts of its rule state, by lowercase names."""
    own = _named_lines(message)
    # The help of a rule names the package of its first result. The message of the result itself takes precedence.
    facts = {**rule_facts, **(own if "package" in own else {})}
    if snyk := _SNYK_SEVERITY.search(message):
        facts["severity"] = snyk[1]
    if at := _AT_VERSION.search(message):
        facts["package"] = at[1] or at[3]
        facts["installed version"] = at[2] or at[4]
    return facts


def _finding(result: Result, rule: Rule, facts: dict[str, str], ids: tuple[str, ...]) -> Finding:
    package = facts.get("package") or facts.get("package name") or _property(rule, "packageName")
    return Finding(
        id=ids[0],
        package=package,
        installed=facts.get("installed version") or facts.get("version") or "",
        severity=_severity(result, rule, facts),
        aliases=ids[1:],
        fixed=_fixed(rule, facts) if package else None,
        severity_source=facts.get("data namespace", ""),
        cvss_score=parse_score(_property(rule, "security-severity")),
        purl=_purl(rule),
        where=unique(_locations(result)),
        cvss_vector=_property(rule, "cvssV3_vector") or _property(rule, "cvssV3"),
        fix_state=FixState.NOT_FIXED if "fixed version" in facts or "fix version" in facts else FixState.UNKNOWN,
    )


def _fixed(rule: Rule, facts: dict[str, str]) -> str | None:
    fixed = facts.get("fixed version") or facts.get("fix version") or _property(rule, "fixed_version")
    return fixed if fixed and fixed.casefold() not in {"not fixed", "n/a"} else None


def _purl(rule: Rule) -> str:
    first = next(iter(as_list((rule.properties or {}).get("purls"))), None)
    return canonical_purl(first) if isinstance(first, str) else ""


def _is_os_package(rule: Rule, facts: dict[str, str]) -> bool:
    return rule.name == "OsPackageVulnerability" or facts.get("type", "").casefold() in _OS_PACKAGE_TYPES


def _ids(rule: Rule, id_: str, facts: dict[str, str]) -> tuple[str, ...]:
    """The vulnerability's id, then its aliases. Rule ids of Grype contain the package: ``CVE-2005-2541-tar``."""
    called = " ".join(value for key, value in facts.items() if key in {"vulnerability", "cve", "link"})
    leading = _ADVISORY.match(id_)
    own = leading.group(0) if leading else ""
    if own.upper().startswith("GHSA") or not own:
        first = _ADVISORY.search(rule.name) if not own else None
        own = first.group(0) if first else own
    others = find_cves(own, id_, called, rule.short_description.text if rule.short_description else "")
    return unique([own or id_, *others])


def _property(rule: Rule, name: str) -> str:
    value = (rule.properties or {}).get(name)
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _severity(result: Result, rule: Rule, facts: dict[str, str]) -> Severity:
    own = (result.properties or {}).get("severity") or (result.properties or {}).get("issue_severity")
    words = [facts.get("severity"), own, *_tags(rule), _property(rule, "cvssV3_severity")]
    for word in words:
        found = parse_severity(word) if isinstance(word, str) else Severity.UNKNOWN
        if found is not Severity.UNKNOWN:
            return found
    if facts.get("severity", "").casefold() == "unknown":
        return Severity.UNKNOWN
    score = parse_score(_property(rule, "security-severity"))
    if score is not None:
        return severity_for_score(score)
    default = rule.default_configuration.level if rule.default_configuration else None
    return _LEVELS.get(result.level or default or "warning", Severity.UNKNOWN)


def _locations(result: Result) -> Iterator[str]:
    for location in result.locations or ():
        physical = location.physical_location
        if physical and physical.artifact_location:
            yield physical.artifact_location.uri


def _distribution(facts: dict[str, str]) -> OsInfo | None:
    found = _DISTRIBUTION.match(facts.get("data namespace", ""))
    return OsInfo(found.group(1), found.group(2)) if found else None


def _accepted_suppression(result: Result) -> Suppression | None:
    """The first suppression that was accepted, or None: one that is rejected or under review does not count."""
    accepted = (one for one in result.suppressions or () if one.status in {None, "", "accepted"})
    return next(accepted, None)
