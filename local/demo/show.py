"""The output of the demo: a live table, a final table and a summary."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from local.demo.scenario import GALLERIES, REVOKED, Story
from local.demo.verdict import Result

_COLOURS = {"released": "green", "rejected": "red", "superseded": "yellow", "revoked": "magenta"}
_MAX_REASON = 168
"""How many characters of a reason are shown. The app has the complete text."""


def live(stories: Sequence[Story], releases: Mapping[str, Mapping[str, Any]], seconds: float) -> Group:
    """The table that is shown while the demo is running."""
    table = Table(title=f"Releases after {seconds:.0f} s", expand=False)
    for column in ("version", "image", "state", "ring", "published", "pending work"):
        table.add_column(column)
    for story in stories:
        release = releases.get(story.id.lower())
        if release is None:
            table.add_row(story.name, story.title, "not published yet", "", "", "")
            continue
        table.add_row(
            story.name,
            story.title,
            _state(release),
            release["ring"] or "",
            " ".join(release["published"]),
            _work(release),
        )
    return Group(table)


def final(stories: Sequence[Story], result: Result) -> Group:
    """The final table, and the regions of the rings."""
    table = Table(title="Results", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("version", width=24)
    table.add_column("verdict", width=8)
    table.add_column("reason, from the app and its evidence", overflow="fold", ratio=1)
    table.add_column("published in", width=25)
    table.add_column("time", justify="right", width=5)
    table.add_column("calls", justify="right", width=5)
    found = {each["version_id"]: each for each in result.releases}
    for story in stories:
        release = found.get(story.id.lower())
        if release is None:
            table.add_row(story.name, "none", "", "", "", "")
            continue
        table.add_row(
            f"{story.name}\n[dim]{story.title}[/dim]",
            _state(release),
            escape("\n".join(_cut(line) for line in _reasons(release, result))),
            _rings(release),
            f"{release['seconds']:.0f} s",
            str(result.arm_calls.get(story.id.lower(), 0)),
        )
    return Group(table, Text("\n".join(_places(result.releases)), style="dim"))


def _places(releases: Sequence[Mapping[str, Any]]) -> list[str]:
    """The regions of each ring, according to the app. A release that is published elsewhere adds a line."""
    places = {f"{ring}: {', '.join(regions)}" for each in releases for ring, regions in each["published"].items()}
    return sorted(places)


def _reasons(release: Mapping[str, Any], result: Result) -> list[str]:
    """Why the release has this result, why it passed with findings, and the findings of a later scan."""
    told = release["reasons"] or result.passed.get(release["version_id"], ())
    return [*told, *(() if release["reasons"] else release["warnings"])]


def _rings(release: Mapping[str, Any]) -> str:
    rings = ", ".join(release["published"])
    if release["state"] == "revoked":
        return f"revoked in {rings}"
    return rings or "none"


def _cut(line: str) -> str:
    return line if len(line) <= _MAX_REASON else f"{line[: _MAX_REASON - 1]}…"


def latest_changes(latest: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Text:
    """What `latest` was in every region before and after the later scan, according to ARM."""
    before, after = latest.get("before"), latest.get("after")
    if before is None or after is None:
        return Text(f"The later scan of {REVOKED.name} is missing.", style="red")
    lines = [
        f"  {ring:11} " + ", ".join(f"{region} {_change(before, after, GALLERIES[ring], region)}" for region in regions)
        for ring, regions in REVOKED.rings.items()
    ]
    return Text(f"latest of {REVOKED.definition} in ARM before and after the later scan:\n" + "\n".join(lines))


def _change(
    before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]], gallery: str, region: str
) -> str:
    numbers = [moment.get(gallery, {}).get(region, "none") for moment in (before, after)]
    return " → ".join(numbers)


def people(result: Result) -> Text:
    """What people ordered, and what was answered."""
    return Text("What people ordered:\n" + "\n".join(f"  {_cut(each.line)}" for each in result.acted))


def summary(result: Result) -> Text:
    """The last lines: leftover resources and errors."""
    if result.left_behind:
        left = Text(f"Leftover resources: {', '.join(result.left_behind)}\n", style="red")
    else:
        left = Text("All VMs, NICs and disks of boot tests are deleted.\n", style="green")
    if result.faults:
        return left + Text("Unexpected results:\n" + "\n".join(f"  {fault}" for fault in result.faults), style="red")
    return left + Text(f"All results are as expected after {result.seconds:.0f} s.", style="green")


def pages_hint(policy: Path, kept: Path | None) -> Text:
    """How to view the pages after the demo's stack has stopped."""
    if kept is None:
        return Text(
            "To view the pages, run `make up`, which prints their URL. `make demo KEEP=DIR` keeps these releases."
        )
    command = f".venv/bin/python -m local.stack --directory {shlex.quote(str(kept))}"
    return Text(
        f"To view the pages of these releases: {command} up --policy {policy}\nTo stop the stack: {command} down"
    )


def _state(release: Mapping[str, Any]) -> str:
    state = release["state"]
    colour = _COLOURS.get(state, "cyan")
    return f"[{colour}]{state}[/{colour}]" + (" [red]stalled[/red]" if release["stalled"] else "")


def _work(release: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{each['what']}{' (' + each['step'] + ')' if each['step'] else ''}" for each in release["waiting_for"]
    )
