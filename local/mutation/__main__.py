"""``make mutate`` or ``python -m local.mutation``: test a random sample of mutants and list those that survive.

mutmut makes every mutant of the files that ``pyproject.toml`` names, in ``mutants/``. ``--seed`` and ``--sample``
choose which of them are tested; the same seed chooses the same mutants while the code stays as it is. Results are kept
in ``mutants/``: a run that was interrupted, or that has a larger sample, tests only what has no result yet.

Exits with 1 while a mutant of the sample survives that has no verdict in ``survivors.txt``.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
MUTANTS: Final = ROOT / "mutants"
VERDICTS: Final = Path(__file__).with_name("survivors.txt")
FIRST: Final = ("shared.domain.identifiers.*",)
"""A few mutants. mutmut makes all mutants whenever it tests some."""
FAILED: Final = frozenset({1, 3})
TIMED_OUT: Final = frozenset({36, 24, -24, 152, 255, -9})
"""Exit codes of pytest, and of mutmut when it ends a process that takes too long (mutmut, ``status_by_exit_code``)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Test a sample, print the score and the survivors."""
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    parser.add_argument("--sample", type=int, default=200, help="how many mutants (200)")
    parser.add_argument("--seed", type=int, default=1, help="which of them (1)")
    options = parser.parse_args(arguments)
    if not results():
        _mutmut(FIRST)
    names = sample(results(), options.sample, options.seed)
    if untested := [name for name in names if results()[name] is None]:
        _mutmut(untested)
    return report({name: code for name, code in results().items() if name in names}, verdicts())


def results() -> Mapping[str, int | None]:
    """Every mutant with mutmut's exit code, or None while it has not been tested."""
    found: dict[str, int | None] = {}
    for meta in MUTANTS.rglob("*.py.meta"):
        found |= json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def sample(names: Mapping[str, int | None], size: int, seed: int) -> frozenset[str]:
    """The mutants that are chosen. A larger sample of the same seed contains the smaller one."""
    ordered = sorted(names)
    random.Random(seed).shuffle(ordered)
    return frozenset(ordered[:size])


def verdicts() -> Mapping[str, str]:
    """The survivors that were read by a person: name and verdict."""
    lines = VERDICTS.read_text(encoding="utf-8").splitlines()
    entries = (line.partition(" ") for line in lines if line and not line.startswith("#"))
    return {name: verdict for name, _, verdict in entries}


def report(codes: Mapping[str, int | None], known: Mapping[str, str]) -> int:
    """Print the score and the survivors without a verdict. Returns the exit code."""
    if untested := sum(code is None for code in codes.values()):
        print(f"{untested} mutants are not tested yet: repeat the command")
    tested = {name: code for name, code in codes.items() if code is not None}
    survivors = sorted(name for name, code in tested.items() if code not in FAILED | TIMED_OUT)
    late = sum(code in TIMED_OUT for code in tested.values())
    equivalent = sum(known.get(name, "").startswith("equivalent") for name in survivors)
    print(
        f"{len(tested) - len(survivors)} of {len(tested)} mutants killed, {late} of them by a time-out; "
        f"{equivalent} of {len(survivors)} survivors are equivalent"
    )
    unread = [name for name in survivors if name not in known]
    for name in unread:
        print(f"survived, without a verdict: {name} (show it: .venv/bin/mutmut show {name})")
    return 1 if unread or untested else 0


def _mutmut(names: Sequence[str] | frozenset[str]) -> None:
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "1", *sorted(names)]
    # A mutant of which mutmut knows no test fails its own check of clean tests, so its exit code says little.
    subprocess.run(command, cwd=ROOT, check=False)


if __name__ == "__main__":
    sys.exit(main())
