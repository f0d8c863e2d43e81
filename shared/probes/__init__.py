"""The scripts that a machine of a boot test runs: ``linux.sh`` and ``windows.ps1``, with what a policy adds.

What their checks mean is in ``shared.domain.boot_test.probe_checks``, and ``shared.domain.boot_test.probe`` judges what
they print. The text of a policy is quoted as one word of the script's language, so that it cannot become a part of the
script itself.
"""

from __future__ import annotations

import base64
import functools
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from shared.domain.boot_test.own_checks import CommandCheck, FileCheck, OwnCheck, PortCheck, ServiceCheck
from shared.domain.boot_test.probe_checks import applied_checks
from shared.domain.policy import BootRules

_OWN_CHECKS: Final = "# Checks of the policy are added here.\n"
_CHECK: Final = re.compile(r"^(?:check|Check) '?([a-z_]+)'?\n", re.MULTILINE)


def probe_script(os_type: str, nonce: str, rules: BootRules | None = None, *, restarted: bool = False) -> str:
    """The probe for an operating system, with the nonce of one test and the checks that the policy applies."""
    rules = rules or BootRules()
    windows = os_type.lower() == "windows"
    applied = applied_checks(os_type, rules, restarted=restarted)
    asked = {each.id for each in applied}
    script = _read("windows.ps1" if windows else "linux.sh").replace("@NONCE@", nonce)
    script = _CHECK.sub(lambda line: line[0] if line[1] in asked else "", script)
    quoted = _powershell_word if windows else shlex.quote
    values = {"baseline_file": "", "baseline_required": "", "ignored_units": "\n".join(rules.ignore_units)}
    if rules.baseline is not None:
        values |= {"baseline_file": rules.baseline.path, "baseline_required": "\n".join(rules.baseline.required)}
    for name, value in values.items():
        line = f"${name} = " if windows else f"{name}="
        script = script.replace(f"\n{line}''\n", f"\n{line}{quoted(value) if value else "''"}\n", 1)
    own = [each for each in rules.own_checks if f"own:{each.id}" in asked]
    return script.replace(_OWN_CHECKS, "".join(_own_line(each, windows=windows) for each in own), 1)


def _own_line(check: OwnCheck, *, windows: bool) -> str:
    words = tuple(map(str, _words(check)))
    if windows:
        return f"Own '{check.id}' {' '.join(map(_powershell_word, words))}\n"
    return f"own {check.id} {shlex.join(words)}\n"


def _words(check: OwnCheck) -> Iterable[str | int]:
    """The function of the script that makes a check, and its arguments."""
    match check.expect:
        case CommandCheck() as each:
            seconds = int(each.timeout.total_seconds())
            return "run_command", seconds, each.exit_code, each.matches, each.interpreter, each.text
        case FileCheck() as each:
            return "expect_file", each.path, "present" if each.exists else "absent", each.mode, each.owner, each.matches
        case ServiceCheck() as each:
            running = _either(each.running, "running", "stopped")
            return "expect_service", each.name, running, _either(each.enabled, "enabled", "disabled")
        case PortCheck() as each:
            return "expect_port", each.protocol, each.number, "listening" if each.listening else "closed"


def _either(wanted: bool | None, yes: str, no: str) -> str:
    return "-" if wanted is None else yes if wanted else no


def _powershell_word(text: str) -> str:
    """A word of PowerShell, where also typographic quotation marks end a string: base64 has none of them."""
    return f"(Text '{base64.b64encode(text.encode()).decode()}')"


@functools.cache
def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
