"""What the answers of a probe prove. The scripts are in ``shared/probes``, their checks in ``probe_checks``.

A probe is one batched script, since run commands are few a minute. Every check prints one line, between two lines with
this test's nonce, so that a cut, cached or failed run cannot pass for a whole one. A check that did not report did not
pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.domain.boot_test.failures import ProbeFacts
from shared.domain.boot_test.probe_check import BASELINE, CheckSeverity, ProbeCheck
from shared.domain.boot_test.probe_checks import applied_checks
from shared.domain.policy import BootRules

LINUX_CHECKS: Final = tuple(each.id for each in applied_checks("Linux", BootRules()))
WINDOWS_CHECKS: Final = tuple(each.id for each in applied_checks("Windows", BootRules()))
"""What a policy applies that says nothing of checks."""
_BEGIN: Final = re.compile(r"^ringmaster begin (\S+)\s*$", re.MULTILINE)
_DONE: Final = re.compile(r"^ringmaster done (\S+) checks=([0-9]{1,4})\s*$", re.MULTILINE)
_CHECK: Final = re.compile(r"^((?:own:)?[a-z0-9_-]{1,40})=(pass|fail|warn|skip)\b(.*)$", re.MULTILINE)
_BASELINE: Final = re.compile(
    r"passed=([0-9]{1,6}) failed=([0-9]{1,6}) other=([0-9]{1,6}) score=([0-9.]{1,12}|-) required=([0-9]{1,6})\b(.*)"
)
_LONGEST_DETAIL: Final = 4000
_CLOCK_MAY_DIFFER: Final = 3600
"""Seconds."""


class Result(StrEnum):
    """What a check printed of itself."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    WARN = "warn"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of a probe."""

    result: Result
    detail: str = ""

    @property
    def answer(self) -> str:
        """As evidence keeps it: the value of a passed check, else the result and the detail."""
        if self.result is Result.PASS:
            return self.detail or self.result.value
        return f"{self.result.value}: {self.detail}" if self.detail else self.result.value


@dataclass(frozen=True, slots=True)
class ProbeVerdict:
    """The verdict of the probe: no reasons means a pass."""

    reasons: tuple[str, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict[str, str])
    warnings: tuple[str, ...] = ()
    results: Mapping[str, CheckResult] = field(default_factory=dict[str, CheckResult])
    finished: bool = True
    """Whether the script ran from its begin to its end. Without that, its answers say nothing for the image."""


def judge_probe(
    facts: ProbeFacts,
    *,
    nonce: str,
    machine: str,
    os_type: str,
    now: datetime,
    os_state: str = "Generalized",
    secure_boot: bool = False,
    rules: BootRules | None = None,
    restarted: bool = False,
) -> ProbeVerdict:
    """Evaluate a finished run command by the policy's ``rules``. Only complete output with this test's nonce passes.

    A specialized image keeps its host name, keys and users: it is not given others. ``secure_boot`` says whether the
    definition requires it, and ``restarted`` whether this is not the machine's first boot.
    """
    rules = rules or BootRules()
    if facts.execution_state.lower() != "succeeded" or facts.exit_code not in {0, None}:
        said = (facts.error or facts.failure or facts.output).strip()[-400:]
        reason = f"probe ended {facts.execution_state} with exit code {facts.exit_code}: {said}"
        return ProbeVerdict((reason,), finished=False)
    checks = applied_checks(os_type, rules, restarted=restarted)
    results, repeated = _results(facts.output, checks)
    answers = {name: each.answer for name, each in results.items()}
    unfinished = _unfinished(facts.output, nonce, len(checks))
    if unfinished:
        return ProbeVerdict((unfinished,), answers, results=results, finished=False)
    generalized = os_state.lower() != "specialized"
    results = {**results, **_failed_here(results, machine if generalized else "", secure_boot, rules)}
    reasons = [f"check {name} was reported more than once" for name in repeated]
    warnings: list[str] = []
    for check in checks:
        if check.generalized and not generalized and check.id in results:
            continue
        rejects, text = _judge(check, results)
        if text:
            (reasons if rejects else warnings).append(text)
    warnings += _wrong_clock(results, now)
    return ProbeVerdict(tuple(reasons), answers, tuple(warnings), results)


def _results(output: str, checks: tuple[ProbeCheck, ...]) -> tuple[dict[str, CheckResult], list[str]]:
    """The result of each known check, the first that was printed; and the checks that printed several."""
    known = {each.id for each in checks}
    results: dict[str, CheckResult] = {}
    repeated: list[str] = []
    for name, result, detail in _CHECK.findall(output):
        if name in results:
            repeated.append(name)
        elif name in known:
            results[name] = CheckResult(Result(result), detail.strip()[:_LONGEST_DETAIL])
    return results, repeated


def _unfinished(output: str, nonce: str, expected: int) -> str:
    """Why the output is not that of a whole run of this test's script, or nothing."""
    done, begin = _DONE.search(output), _BEGIN.search(output)
    if done is None or done.group(1) != nonce:
        return "the probe's output has no completion marker of this test: the probe did not finish"
    if begin is None or begin.group(1) != nonce or begin.start() > done.start():
        return "the probe's output does not begin with this test's marker: its beginning is missing"
    if int(done.group(2)) != expected:
        return f"the probe ran {done.group(2)} checks, not {expected}"
    return ""


def _judge(check: ProbeCheck, results: Mapping[str, CheckResult]) -> tuple[bool, str]:
    """Whether the text of a check that did not pass rejects the image, and the text."""
    found = results.get(check.id)
    if found is None or (found.result is Result.PASS and check.has_value and not found.detail):
        return True, f"check {check.id} returned no result"
    rejects = check.severity is CheckSeverity.ERROR
    match found.result:
        case Result.PASS:
            return False, ""
        case Result.SKIP:
            return rejects, f"check {check.id} was skipped: {found.detail}" if rejects else ""
        case _:
            return rejects and found.result is Result.FAIL, _failure(check, found.detail, results)


def _failure(check: ProbeCheck, detail: str, results: Mapping[str, CheckResult]) -> str:
    text = check.failure.format(detail=detail or "?")
    if check.id == "systemd":
        units = results.get("failed_units")
        text += f": failed units {units.detail if units and units.result is Result.FAIL and units.detail else '?'}"
    return f"{text}. {check.remedy}" if check.remedy else text


def _failed_here(
    results: Mapping[str, CheckResult], name: str, secure_boot: bool, rules: BootRules
) -> dict[str, CheckResult]:
    """Checks that passed on the machine, and fail here: the script does not know what was asked for."""
    failures = {
        "hostname": _other_name(_passed(results.get("hostname")), name),
        "secure_boot": _not_secure(_passed(results.get("secure_boot"))) if secure_boot else "",
        BASELINE.id: _below_baseline(_passed(results.get(BASELINE.id)), rules),
    }
    return {check: CheckResult(Result.FAIL, failure) for check, failure in failures.items() if failure}


def _passed(found: CheckResult | None) -> str | None:
    return found.detail if found is not None and found.result is Result.PASS else None


def _other_name(said: str | None, name: str) -> str:
    """A host name, with or without its domain, that differs from the machine's name."""
    if not said or not name or said.lower().split(".")[0] == name.lower():
        return ""
    return f"{said!r}, not {name!r}"


def _not_secure(said: str | None) -> str:
    return "" if said in {None, "on"} else said or "not known"


def _below_baseline(said: str | None, rules: BootRules) -> str:
    """Why the summary of a baseline scan is not within the policy's limits. One that cannot be read is not."""
    if said is None or rules.baseline is None:
        return ""
    read = _BASELINE.fullmatch(said)
    if read is None:
        return f"the summary is not readable: {said}"
    passed, failed, _, _, lacking = map(str, read.groups()[:5])
    names = f":{read[6]}" if read[6] else ""
    if int(lacking):
        return f"{lacking} required rules did not pass{names}"
    if int(failed) > rules.baseline.max_failed:
        return f"{failed} rules failed, and {rules.baseline.max_failed} may{names}"
    return "" if int(passed) else "no rule passed"


def _wrong_clock(results: Mapping[str, CheckResult], now: datetime) -> list[str]:
    found = results.get("clock")
    if found is None or not re.fullmatch(r"[0-9]{1,12}", found.detail):
        return []
    off = int(found.detail) - int(now.timestamp())
    return [f"the machine's clock is {off} s off"] if abs(off) > _CLOCK_MAY_DIFFER else []
