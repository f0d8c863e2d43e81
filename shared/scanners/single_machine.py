"""What reports of whole fleets must show before they count as a scan of one machine."""

from __future__ import annotations

from collections.abc import Iterable

from shared.scanners.report_refusal import quoted
from shared.scanners.values import unique


def single_machine(names: Iterable[str | None]) -> tuple[str, str]:
    """The machine that a report is of, and why it isn't of one machine alone (empty when it is).

    Consoles export what was asked of them, often everything. A version is judged by a scan of a machine made of it, and
    findings of its neighbours would be held against it, or hide that it was never scanned.
    """
    machines = unique(name.strip() if name else name for name in names)
    if len(machines) > 1:
        listed = ", ".join(machines[:3])
        return machines[
            0
        ], f"it is of {len(machines)} machines ({quoted(listed)} …). Export the one made of this version"
    return (machines[0] if machines else ""), ""
