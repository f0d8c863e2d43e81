"""Which recorded sessions are replayed, which of their exchanges are not, and why, as a table for people."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tests.contract.arm.playing import Played, play_all

FILE: Final = Path(__file__).resolve().parents[3] / "local" / "arm" / "recorded-traffic.md"
_REASONS: Final = (
    ("a poll of an operation that began", "polls of operations that the simulator does not offer"),
    ("a poll of an operation that takes", "polls between begin and end where the simulator has ended already"),
    ("Microsoft.Compute/locations/publishers", "the marketplace's catalogue: images are taken by name without it"),
    ("Microsoft.Compute/locations/sharedGalleries", "galleries read by their unique name"),
    ("Microsoft.Compute/locations/communityGalleries", "galleries read by their community name"),
    ("Microsoft.Compute/locations/runCommands", "the catalogue of built-in commands"),
    ("Microsoft.Compute/galleries/", "applications and service artifacts in galleries"),
    ("Microsoft.Compute/virtualMachineScaleSets", "what scale sets do beyond being written, read and deleted"),
    ("Microsoft.Compute/virtualMachines/extensions", "extensions of machines"),
    ("Microsoft.Compute/virtualMachines", "what no boot test does to a machine (capture, reimage, eviction …)"),
    ("Microsoft.Compute/", "encryption sets, hosts, placement and availability"),
    ("Microsoft.", "other providers: vaults, roles, identities, image builder, serial console"),
)


def reason(about: str) -> str:
    """Why exchanges of one kind are passed over."""
    return next(text for start, text in _REASONS if about.startswith(start))


def table(played: Iterable[Played]) -> str:
    """The whole document."""
    played = list(played)
    lines = [
        "# Recorded traffic that the simulator is held to",
        "",
        "Written by `python -m tests.contract.arm.coverage`; a test fails when it is not current. Every exchange that",
        "the simulator has an operation for is sent to it again, in order, whatever api-version it was recorded with,",
        "and the answer is compared; what may differ is listed, with reasons, in `known-differences.json`.",
        "",
        "| recordings | api-versions of Compute | sessions | exchanges | compared | passed over |",
        "|---|---|---:|---:|---:|---:|",
        *_by_source(played),
        "",
        "| passed over because the simulator does not play | exchanges |",
        "|---|---:|",
        *_by_reason(played),
        "",
        "| operation | compared |",
        "|---|---:|",
        *_by_operation(played),
    ]
    return "\n".join(lines) + "\n"


def _by_source(played: list[Played]) -> Iterator[str]:
    groups: dict[str, list[Played]] = defaultdict(list)
    for one in played:
        parts = one.session.name.split("/")
        groups["/".join(parts[:2]) if parts[0] == "azure-mgmt-compute" else parts[0]].append(one)
    for name, members in sorted(groups.items()):
        compared = sum(len(one.replayed) for one in members)
        passed = sum(len(one.passed) for one in members)
        versions = {
            each.api_version
            for one in members
            for each in one.session.exchanges
            if "/microsoft.compute/" in each.path.lower() and each.api_version
        }
        span = f"{min(versions)} … {max(versions)}" if versions else "—"
        total = sum(len(one.session.exchanges) for one in members)
        yield f"| {name} | {span} | {len(members)} | {total} | {compared} | {passed} |"


def _by_reason(played: list[Played]) -> Iterator[str]:
    found = Counter(reason(about) for one in played for _, about in one.passed)
    for text, count in sorted(found.items(), key=lambda item: (-item[1], item[0])):
        yield f"| {text} | {count} |"


def _by_operation(played: list[Played]) -> Iterator[str]:
    found = Counter(each.operation for one in played for each in one.replayed)
    for name, count in sorted(found.items()):
        yield f"| {name} | {count} |"


if __name__ == "__main__":
    recordings = Path(__file__).resolve().parents[4] / "shared" / "data" / "arm" / "recordings"
    FILE.write_text(table(play_all(recordings)), encoding="utf-8")
