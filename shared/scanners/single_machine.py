"""Whether a report that may cover many machines is of exactly one."""

from __future__ import annotations

from collections.abc import Iterable

from shared.scanners.report_refusal import quoted
from shared.scanners.values import unique


def single_machine(names: Iterable[str | None]) -> tuple[str, str]:
    """The machine that a report is of, and why the report is not a scan of one machine (empty when it is).

    Consoles export whatever was selected, often a whole fleet. An image version is judged by the scan of one machine
    that was created from it: findings of other machines would count against the version, and could hide that its own
    machine was never scanned.
    """
    machines = unique(name.strip() if name else name for name in names)
    if len(machines) > 1:
        listed = quoted(", ".join(machines[:3]))
        reason = f"the report covers {len(machines)} machines ({listed} …). Export only the machine of this version"
        return machines[0], reason
    return (machines[0] if machines else ""), ""
