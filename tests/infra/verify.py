"""``python -m tests.infra.verify TYPES``: compare ``infra/`` with Azure's own types, and keep what was compared.

TYPES is the folder ``generated`` of a checkout of https://github.com/Azure/bicep-types-az. Without a fault,
``verified.json`` is written; the tests hold ``infra/`` to it, so that nothing gets in that was never compared.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.infra.arm_types import TypeFiles
from tests.infra.house import all_faults, files, resources, used_paths

VERIFIED = Path(__file__).with_name("verified.json")


def main(arguments: list[str]) -> int:
    """Returns 1 when there is a fault, 2 when a type is missing from the folder."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write("usage: python -m tests.infra.verify TYPES (the folder generated of Azure/bicep-types-az)\n")
        return 2
    found, types = files(), TypeFiles([Path(arguments[0])])
    missing = sorted({each.type for file in found.values() for each in resources(file) if not types.knows(each.type)})
    if missing:
        sys.stderr.write("no types for:\n" + "".join(f"  {kind}\n" for kind in missing))
        return 2
    faults = all_faults(found, types)
    if faults:
        sys.stderr.write("".join(f"{fault}\n" for fault in faults))
        return 1
    VERIFIED.write_text(json.dumps(used_paths(found), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
