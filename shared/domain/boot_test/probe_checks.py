"""The checks of the probe, and which of them a policy applies.

``shared/probes/linux.sh`` and ``windows.ps1`` print one line for each; ``docs/probe-checks.md`` is generated from here.
A check whose severity is *warn* never rejects an image: its failure is a warning in the verdict.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.domain.boot_test.linux_checks import LINUX
from shared.domain.boot_test.own_checks import OWN_PREFIX, OwnCheck
from shared.domain.boot_test.probe_check import BASELINE, CheckSeverity, ProbeCheck
from shared.domain.boot_test.windows_checks import WINDOWS

if TYPE_CHECKING:
    from shared.domain.policy import BootRules


def checks_of(os_type: str) -> tuple[ProbeCheck, ...]:
    """The checks of an operating system's probe, in the order in which it prints them."""
    return WINDOWS if os_type.lower() == "windows" else LINUX


def applied_checks(os_type: str, rules: BootRules, *, restarted: bool = False) -> tuple[ProbeCheck, ...]:
    """The checks that a policy applies, with its severities, in the order in which the probe prints them.

    Those of the first boot alone are not applied to a machine that was ``restarted``.
    """
    known = (
        replace(each, severity=each.severity if each.proves_boot else rules.checks.get(each.id, each.severity))
        for each in checks_of(os_type)
        if (each.id != BASELINE.id or rules.baseline is not None) and not (restarted and each.first_boot_only)
    )
    return tuple(each for each in (*known, *map(_own, rules.own_checks)) if each.severity is not CheckSeverity.OFF)


def _own(check: OwnCheck) -> ProbeCheck:
    return ProbeCheck(
        OWN_PREFIX + check.id,
        check.severity,
        "A check of the policy.",
        f"the check {check.id} of the policy failed: {{detail}}",
        check.remedy,
    )
