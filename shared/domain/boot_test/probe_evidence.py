"""The rules of the probe, as evidence keeps them."""

from __future__ import annotations

import hashlib
from typing import Any

from shared.domain.boot_test.own_checks import CommandCheck, OwnCheck
from shared.domain.boot_test.probe_checks import applied_checks
from shared.domain.policy import BootRules


def probe_rules(os_type: str, rules: BootRules) -> dict[str, Any]:
    """The checks that were applied, with their severities, and what the policy adds to them."""
    found: dict[str, Any] = {"checks": {each.id: each.severity.value for each in applied_checks(os_type, rules)}}
    if rules.ignore_units:
        found["ignoreUnits"] = list(rules.ignore_units)
    digests = {each.id: _digest(each) for each in rules.own_checks if isinstance(each.expect, CommandCheck)}
    if digests:
        found["ownCheckSHA256"] = digests
    if rules.baseline is not None:
        limits = rules.baseline
        found["baseline"] = {
            "path": limits.path,
            "maxFailed": limits.max_failed,
            "required": list(limits.required),
        }
    return found


def _digest(check: OwnCheck) -> str:
    return hashlib.sha256(check.expect.text.encode()).hexdigest() if isinstance(check.expect, CommandCheck) else ""
