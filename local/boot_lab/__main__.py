"""``python -m local.boot_lab``: boot real machines, and compare what the product says of them with what they are.

Needs root, Debian's packages mmdebstrap, e2fsprogs and qemu-system-x86 (installed with apt-get if they are missing), a
mirror of Debian, 5 GB of disk, 1 GB of memory and about 15 minutes of two processors. Exit codes: 0 if all claims held,
1 if one did not, 2 if something is missing.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from local.boot_lab.cases import Claim, consoles, probes_and_twins
from local.boot_lab.root import bake_identity, make_disk, make_root
from local.boot_lab.tools import MissingTool, install


def _claims(work: Path) -> Iterator[Claim]:
    install()
    began = time.monotonic()
    root = make_root(work / "root")
    disk = work / "plain.img"
    bake_identity(root)
    make_disk(root, disk)
    print(f"a root of Debian was made in {time.monotonic() - began:.0f} s", flush=True)
    yield from consoles(root, disk, work)
    yield from probes_and_twins(root, work)


def main() -> int:
    """Run the lab. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.boot_lab", description="Boot real machines under QEMU.")
    parser.add_argument("--work", type=Path, default=Path(".local/boot-lab"), help="folder of disks and logs")
    work = parser.parse_args().work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    # So that a machine that runs is stopped with the lab.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    failed = 0
    try:
        for claim in _claims(work):
            failed += not claim.held
            print(f"{'ok  ' if claim.held else 'FAIL'} {claim.text}: {claim.seen}", flush=True)
    except MissingTool as missing:
        print(f"the boot lab cannot run: {missing}", file=sys.stderr)
        return 2
    print(f"{failed} claims failed; consoles and reports are in {work}" if failed else f"all claims held; see {work}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
