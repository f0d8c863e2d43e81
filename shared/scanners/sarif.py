"""SARIF 2.1.0, as scanners of packages write it: Trivy, Grype, Snyk, Docker Scout and others.

Facts of the format (OASIS SARIF 2.1.0 errata 01; what tools make of it, in reports of them):

* SARIF is a frame for any tool's results. It has no word for packages, operating systems or fixes: what there is of
  them stands in texts, ``Package: openssl`` in a result's message (Trivy) or in a rule's help (Grype).
* A result without ``level`` has its rule's default, and without that, ``warning`` (§3.27.10). Tools leave it out often;
  their own word for the severity stands in the texts, in tags or in properties, and a CVSS score in the rule's
  ``security-severity`` (GitHub's convention). The tool's word counts first, then the score, then the level.
* Snyk writes package and version into the rule's full description, ``(CVE-2026-1) openssl/libssl3@3.0.9-1``, with the
  source package first, the kind of package into tags, and its severity and the fix into prose.
* ``kind`` other than ``fail`` is no finding; ``suppressions`` that were not rejected take one out.
* Proof of a scan: packages of an operating system among the results. An empty list of results proves nothing, since
  SARIF doesn't say what was looked at. Linters and checkers of code write SARIF too: they look at no machine.
* ``invocations[].executionSuccessful`` false is a scan that failed. ``endTimeUtc`` is the scan's time; Trivy and Grype
  write no invocations, so their SARIF has no time, and a policy that asks for one does not take it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from shared.domain.findings import Finding, FixState, OsInfo, ScanReport
from shared.domain.policy import Severity
from shared.domain.scan_formats import SARIF
from shared.scanners.collector import FindingCollector
from shared.scanners.json_body import NonEmptyName, WireStruct, decode, decode_each, is_present
from shared.scanners.report_refusal import Refusal, RefusalReason
from shared.scanners.report_refusal import quoted as _shown
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
_SYSTEM_TYPES: Final = frozenset({"deb", "rpm", "apk", "alpm", "portage", "kb", "msrc-kb", "linux-kernel"})
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


class _Text(WireStruct):
    text: str = ""
    markdown: str = ""


class _Level(WireStruct):
    level: str | None = None


class _Rule(WireStruct, rename="camel"):
    id: str = ""
    name: str = ""
    short_description: _Text | None = None
    full_description: _Text | None = None
    default_configuration: _Level | None = None
    help: _Text | None = None
    properties: dict[str, Any] | None = None


class _Uri(WireStruct):
    uri: str = ""


class _Physical(WireStruct, rename="camel"):
    artifact_location: _Uri | None = None


class _Location(WireStruct, rename="camel"):
    physical_location: _Physical | None = None


class _Suppression(WireStruct):
    kind: str = ""
    status: str | None = None
    justification: str = ""


class _RuleReference(WireStruct):
    id: str = ""
    index: int | None = None


class _Result(WireStruct, rename="camel"):
    rule_id: str = ""
    rule_index: int | None = None
    rule: _RuleReference | None = None
    kind: str | None = None
    level: str | None = None
    message: _Text | None = None
    locations: list[_Location] | None = None
    suppressions: list[_Suppression] | None = None
    properties: dict[str, Any] | None = None


class _Rules(WireStruct):
    rules: list[_Rule] | None = None


class _Driver(_Rules, rename="camel", kw_only=True):
    name: NonEmptyName
    version: str | None = None
    semantic_version: str | None = None


class _Tool(WireStruct):
    driver: _Driver
    extensions: list[_Rules] | None = None


class _Invocation(WireStruct, rename="camel"):
    execution_successful: bool | None = None
    start_time_utc: str | None = None
    end_time_utc: str | None = None


class _Run(WireStruct):
    tool: _Tool
    results: list[msgspec.Raw] | None = None
    invocations: list[_Invocation] | None = None
    properties: dict[str, Any] | None = None


class _Log(WireStruct):
    version: str
    runs: list[_Run] | None


class _Head(WireStruct):
    version: Any = None
    runs: msgspec.Raw = msgspec.Raw(b"")


_LOGS: Final = msgspec.json.Decoder(_Log)
_RESULTS: Final = msgspec.json.Decoder(_Result)
_HEADS: Final = msgspec.json.Decoder(_Head)


@dataclass(slots=True)
class _Seen(FindingCollector):
    os: OsInfo | None = None
    system: bool = False
    """Packages of the operating system are among the results."""
    packages: bool = False


def read(body: bytes) -> ScanReport:
    """Read a SARIF log. Raises Refusal when it isn't one, isn't whole, or its tools failed or looked at nothing."""
    head = decode(_HEADS, body, "a SARIF log")
    if head.version is None or not is_present(head.runs):
        raise Refusal(RefusalReason.WRONG_SHAPE, "not a SARIF log: a version and runs are expected")
    if head.version != VERSION:
        raise Refusal(
            RefusalReason.WRONG_SCHEMA, f"SARIF version {_shown(head.version)} is not known here; {VERSION} is"
        )
    runs = decode(_LOGS, body, "a SARIF log").runs or []
    if not any(run.results is not None for run in runs):
        raise Refusal(RefusalReason.NOT_SCANNED, "there are no results in it, not even an empty list: no tool ran")
    _check_success(runs)
    seen = _Seen()
    for run in runs:
        _take(run, seen)
    drivers = [run.tool.driver for run in runs]
    return ScanReport(
        format=SARIF,
        scanner=", ".join(unique(driver.name for driver in drivers)),
        scanner_version=", ".join(unique(driver.semantic_version or driver.version for driver in drivers)),
        schema_version=VERSION,
        target=_target(runs),
        os=seen.os,
        created_at=_time(runs),
        packages_seen=None,
        findings=tuple(seen.findings),
        suppressed=tuple(seen.suppressed),
        not_scanned=_not_scanned(seen),
        entries=seen.entries,
    )


def _check_success(runs: list[_Run]) -> None:
    for run in runs:
        if any(invocation.execution_successful is False for invocation in run.invocations or ()):
            told = f"{run.tool.driver.name} says that it did not run successfully (executionSuccessful)"
            raise Refusal(RefusalReason.NOT_SCANNED, told)


def _not_scanned(seen: _Seen) -> str:
    if not seen.entries:
        return "an empty list of results in SARIF does not show that anything was looked at"
    if seen.system:
        return ""
    if seen.packages:
        return "no packages of an operating system are among the results, only packages of applications"
    return "these are no results of a scan for vulnerable packages"


def _target(runs: list[_Run]) -> str:
    """Where tools of packages say what they scanned."""
    keys = ("imageName", "imageID", "target", "projectName")
    named = (str((run.properties or {}).get(key) or "") for run in runs for key in keys)
    return next((name for name in named if name), "")


def _time(runs: list[_Run]) -> datetime | None:
    """The earliest end of a run; None when any run doesn't say."""
    ends: list[datetime] = []
    for run in runs:
        calls = run.invocations or []
        found = [parse_timestamp(call.end_time_utc) or parse_timestamp(call.start_time_utc) for call in calls]
        if not found or None in found:
            return None
        ends.extend(end for end in found if end)
    return min(ends, default=None)


def _take(run: _Run, seen: _Seen) -> None:
    rules = _RuleIndex(run.tool)
    helped: dict[str, dict[str, str]] = {}
    for result in decode_each(_RESULTS, run.results, "a SARIF log"):
        if result.kind not in {None, "", "fail", "open", "review"}:
            seen.entries[Severity.NEGLIGIBLE] += 1  # passed, or of no concern
            continue
        id_, rule = rules.of(result)
        if rule.id not in helped:
            helped[rule.id] = _helped(rule)
        _take_result(result, rule, helped[rule.id], id_ or rule.id, seen)


class _RuleIndex:
    """The rules of a run: those of its driver by position, and those of its extensions as well by id."""

    def __init__(self, tool: _Tool) -> None:
        self._of_driver = tool.driver.rules or []
        self._by_id = {rule.id: rule for part in (tool.driver, *(tool.extensions or ())) for rule in part.rules or ()}

    def of(self, result: _Result) -> tuple[str, _Rule]:
        """The rule id that a result names, and the rule; an id with a suffix (``id/variant``) is of the rule ``id``."""
        reference = result.rule or _RuleReference()
        id_ = result.rule_id or reference.id
        rule = self._by_id.get(id_) or self._at(reference.index if result.rule_index is None else result.rule_index)
        return id_, rule or self._by_id.get(id_.rpartition("/")[0]) or _Rule(id=id_)

    def _at(self, index: int | None) -> _Rule | None:
        return self._of_driver[index] if index is not None and 0 <= index < len(self._of_driver) else None


def _helped(rule: _Rule) -> dict[str, str]:
    """What a rule's texts say of its package."""
    described = _SNYK_RULE.fullmatch(rule.full_description.text.strip() if rule.full_description else "")
    if described is None:
        return _lines(rule.help.text if rule.help else "")
    told = rule.help.markdown if rule.help else ""
    fixed = _SNYK_FIX.search(told)
    return {
        "cve": described[1] or "",
        "package": described[2].rpartition("/")[2] if _system_tag(rule) else described[2],
        "installed version": described[3],
        "type": _system_tag(rule),
        **({"fixed version": fixed[1] if fixed else "not fixed"} if fixed or _SNYK_NO_FIX in told else {}),
    }


def _system_tag(rule: _Rule) -> str:
    tags = (rule.properties or {}).get("tags")
    words = (tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()
    return next((word for word in words if word in _SYSTEM_TYPES), "")


def _lines(text: str) -> dict[str, str]:
    """``Name: value`` lines of a text; the first of each name counts, since descriptions follow."""
    found: dict[str, str] = {}
    for name, value in _LINE.findall(text):
        found.setdefault(name.strip().casefold(), value.strip())
    return found


def _take_result(result: _Result, rule: _Rule, helped: dict[str, str], id_: str, seen: _Seen) -> None:
    message = result.message.text if result.message else ""
    said = _said(message, helped)
    finding = _finding(result, rule, said, _names(rule, id_, said) or (message[:80] or "unnamed",))
    seen.entries[finding.severity] += 1
    seen.packages |= bool(finding.package)
    if finding.package and _is_of_system(rule, said):
        seen.system = True
        seen.os = seen.os or _distribution(said)
    held = _left_out(result)
    if held is not None:
        seen.add(finding, "suppressed", held.justification, held.kind)
    else:
        seen.add(finding)


def _said(message: str, helped: dict[str, str]) -> dict[str, str]:
    """What the result's message and the rule's help say, by the names of their lines."""
    own = _lines(message)
    # A rule's help speaks of the first package that it was written for; what the result says counts, even if empty.
    said = helped | (own if "package" in own else {})
    if snyk := _SNYK_SEVERITY.search(message):
        said["severity"] = snyk[1]
    if at := _AT_VERSION.search(message):
        said["package"] = at[1] or at[3]
        said["installed version"] = at[2] or at[4]
    return said


def _finding(result: _Result, rule: _Rule, said: dict[str, str], named: tuple[str, ...]) -> Finding:
    package = said.get("package") or said.get("package name") or _property(rule, "packageName")
    return Finding(
        id=named[0],
        package=package,
        installed=said.get("installed version") or said.get("version") or "",
        severity=_severity(result, rule, said),
        aliases=named[1:],
        fixed=_fixed(rule, said) if package else None,
        severity_source=said.get("data namespace", ""),
        cvss_score=parse_score(_property(rule, "security-severity")),
        purl=_purl(rule),
        where=unique(_places(result)),
        cvss_vector=_property(rule, "cvssV3_vector") or _property(rule, "cvssV3"),
        fix_state=FixState.NOT_FIXED if "fixed version" in said or "fix version" in said else FixState.UNKNOWN,
    )


def _fixed(rule: _Rule, said: dict[str, str]) -> str | None:
    fixed = said.get("fixed version") or said.get("fix version") or _property(rule, "fixed_version")
    return fixed if fixed and fixed.casefold() not in {"not fixed", "n/a"} else None


def _purl(rule: _Rule) -> str:
    purls = (rule.properties or {}).get("purls")
    return canonical_purl(purls[0]) if isinstance(purls, list) and purls and isinstance(purls[0], str) else ""


def _is_of_system(rule: _Rule, said: dict[str, str]) -> bool:
    return rule.name == "OsPackageVulnerability" or said.get("type", "").casefold() in _SYSTEM_TYPES


def _names(rule: _Rule, id_: str, said: dict[str, str]) -> tuple[str, ...]:
    """The vulnerability's id, then its other names. Grype's rule ids carry the package: ``CVE-2005-2541-tar``."""
    called = " ".join(value for key, value in said.items() if key in {"vulnerability", "cve", "link"})
    leading = _ADVISORY.match(id_)
    own = leading.group(0) if leading else ""
    if own.upper().startswith("GHSA") or not own:
        first = _ADVISORY.search(rule.name) if not own else None
        own = first.group(0) if first else own
    others = find_cves(own, id_, called, rule.short_description.text if rule.short_description else "")
    return unique([own or id_, *others])


def _property(rule: _Rule, name: str) -> str:
    value = (rule.properties or {}).get(name)
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _severity(result: _Result, rule: _Rule, said: dict[str, str]) -> Severity:
    tags = (rule.properties or {}).get("tags")
    own = (result.properties or {}).get("severity") or (result.properties or {}).get("issue_severity")
    words = [said.get("severity"), own, *(tags if isinstance(tags, list) else ()), _property(rule, "cvssV3_severity")]
    for word in words:
        found = parse_severity(word) if isinstance(word, str) else Severity.UNKNOWN
        if found is not Severity.UNKNOWN:
            return found
    if said.get("severity", "").casefold() == "unknown":
        return Severity.UNKNOWN
    points = parse_score(_property(rule, "security-severity"))
    if points is not None:
        return severity_for_score(points)
    default = rule.default_configuration.level if rule.default_configuration else None
    return _LEVELS.get(result.level or default or "warning", Severity.UNKNOWN)


def _places(result: _Result) -> Iterator[str]:
    for location in result.locations or ():
        physical = location.physical_location
        if physical and physical.artifact_location:
            yield physical.artifact_location.uri


def _distribution(said: dict[str, str]) -> OsInfo | None:
    found = _DISTRIBUTION.match(said.get("data namespace", ""))
    return OsInfo(found.group(1), found.group(2)) if found else None


def _left_out(result: _Result) -> _Suppression | None:
    """A suppression that holds: one that is rejected or under review doesn't."""
    held = [one for one in result.suppressions or () if one.status in {None, "", "accepted"}]
    return held[0] if held else None
