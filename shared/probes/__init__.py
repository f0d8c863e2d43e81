"""The scripts that a machine of a boot test runs: ``linux.sh`` and ``windows.ps1``.

What their checks mean is in ``shared.domain.probe_checks``, and ``shared.domain.probe`` judges what they print.
"""

from __future__ import annotations

import functools
from pathlib import Path


def probe_script(os_type: str, nonce: str) -> str:
    """The probe for an operating system, with the nonce of one test in it."""
    return _read("windows.ps1" if os_type.lower() == "windows" else "linux.sh").replace("@NONCE@", nonce)


@functools.cache
def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
