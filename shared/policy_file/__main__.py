"""``python -m shared.policy_file``: check a policy, or write its reference and JSON Schema.

``check FILE`` prints every fault as ``file:line:column: path: message`` and exits 1, or a summary and exits 0;
``docs`` and ``schema`` print what stands in ``docs/``, with ``--write`` write it, and with ``--check`` exit 1 when what
stands there is not current.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from shared.domain.policy import DefinitionPolicy, Policy
from shared.domain.replica_plan import cost_notes, replica_notes
from shared.policy_file import PolicyFaults, read_file
from shared.policy_file.fields import duration_text
from shared.policy_file.reference import json_schema, markdown

_SHOWN = 20
GENERATED = {"docs": (Path("docs/policy.md"), markdown), "schema": (Path("docs/policy.schema.json"), json_schema)}


def summary(policy: Policy, now: datetime) -> str:
    """What a policy does, for people; exceptions and waivers that have expired by ``now`` are pointed out."""
    lines = []
    for definition in policy.definitions.values():
        lines.append(f"{definition.name}: {definition.source.gallery.name}/{definition.source.name}")
        for ring in definition.rings:
            elsewhere = "" if ring.definition == definition.source else f" in {ring.definition.gallery.name}"
            bake = f", bakes {duration_text(ring.bake)}" if ring.bake else ""
            lines.append(f"  {ring.name}{elsewhere}: {', '.join(ring.region_names)}{bake}")
        lines.extend(_vex(definition))
        lines.extend(_expired(definition, now))
        notes = (*replica_notes(definition), *cost_notes(definition, policy.prices))
        lines.extend(f"  note: {each}" for each in notes)
        lines.append(f"  digest {definition.digest[:16]}")
    return "\n".join(lines)


def _vex(definition: DefinitionPolicy) -> list[str]:
    files = Counter(each.source.split(": ")[0] for each in definition.scan.exceptions if each.source)
    return [f"  {file}: {count} exceptions" for file, count in files.items()]


def _expired(definition: DefinitionPolicy, now: datetime) -> list[str]:
    lines = [
        f"  note: the exception of {exception.owner} for {exception.id} has expired ({exception.expires:%Y-%m-%d})"
        for exception in definition.scan.exceptions
        if exception.expires < now
    ]
    lines += [
        f"  note: the waiver of {waiver.owner} for {waiver.rule} has expired ({waiver.expires:%Y-%m-%d})"
        for waiver in definition.validation.waivers
        if waiver.expires < now
    ]
    more = [f"  note: and {len(lines) - _SHOWN} more have expired"] if len(lines) > _SHOWN else []
    return lines[:_SHOWN] + more


def _check(path: Path, now: datetime) -> int:
    try:
        policy = read_file(path)
    except PolicyFaults as faults:
        sys.stdout.write(f"{faults}\n")
        sys.stderr.write(f"{len(faults.faults)} error{'s' if len(faults.faults) > 1 else ''}\n")
        return 1
    sys.stdout.write(summary(policy, now) + "\n")
    return 0


def _generated(name: str, *, write: bool, check: bool) -> int:
    path, generate = GENERATED[name]
    if check:
        current = path.exists() and path.read_text(encoding="utf-8") == generate()
        if not current:
            sys.stderr.write(f"{path} is not current: run python -m shared.policy_file {name} --write\n")
        return 0 if current else 1
    if write:
        path.write_text(generate(), encoding="utf-8")
    else:
        sys.stdout.write(generate())
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m shared.policy_file", description="Check and explain policies.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="check a policy file, and print its errors or a summary").add_argument(
        "file", type=Path
    )
    for name, (path, _) in GENERATED.items():
        command = commands.add_parser(name, help=f"print the content of {path}")
        either = command.add_mutually_exclusive_group()
        either.add_argument("--write", action="store_true", help=f"write it to {path}")
        either.add_argument("--check", action="store_true", help=f"exit with code 1 if {path} is not current")
    options = parser.parse_args(arguments)
    if options.command == "check":
        return _check(options.file, datetime.now(UTC))
    return _generated(options.command, write=options.write, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
