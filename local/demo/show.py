"""What people see: a live table while versions travel, a final one, and whether all is well."""

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
"""Characters of a reason that are shown; the app has it whole."""


def live(stories: Sequence[Story], releases: Mapping[str, Mapping[str, Any]], seconds: float) -> Group:
    """The table that changes while the demo runs."""
    table = Table(title=f"Ringmaster at work, {seconds:.0f} s", expand=False)
    for column in ("version", "image", "state", "ring", "published", "at work on"):
        table.add_column(column)
    for story in stories:
        release = releases.get(story.id.lower())
        if release is None:
            table.add_row(story.name, story.title, "not built yet", "", "", "")
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
    """The table at the end, and what its rings are."""
    table = Table(title="How they ended", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("version", width=24)
    table.add_column("verdict", width=8)
    table.add_column("why, as the app and its evidence say", overflow="fold", ratio=1)
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
    """What the app says that the rings are, each once; a release that is published elsewhere adds a line."""
    places = {f"{ring}: {', '.join(regions)}" for each in releases for ring, regions in each["published"].items()}
    return sorted(places)


def _reasons(release: Mapping[str, Any], result: Result) -> list[str]:
    """Why it ended so; for one that passed, why it did although not clean; and what a later scan found."""
    told = release["reasons"] or result.passed.get(release["version_id"], ())
    return [*told, *(() if release["reasons"] else release["warnings"])]


def _rings(release: Mapping[str, Any]) -> str:
    rings = ", ".join(release["published"])
    if release["state"] == "revoked":
        return f"taken back from {rings}"
    return rings or "none"


def _cut(line: str) -> str:
    return line if len(line) <= _MAX_REASON else f"{line[: _MAX_REASON - 1]}…"


def latest_changes(latest: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Text:
    """What `latest` was in every region before and after the later scan, as read from ARM."""
    before, after = latest.get("before"), latest.get("after")
    if before is None or after is None:
        return Text(f"There was no later scan of {REVOKED.name}.", style="red")
    lines = [
        f"  {ring:11} " + ", ".join(f"{region} {_change(before, after, GALLERIES[ring], region)}" for region in regions)
        for ring, regions in REVOKED.rings.items()
    ]
    return Text(f"latest of {REVOKED.definition} in ARM, before and after the later scan:\n" + "\n".join(lines))


def _change(
    before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]], gallery: str, region: str
) -> str:
    numbers = [moment.get(gallery, {}).get(region, "nothing") for moment in (before, after)]
    return " → ".join(numbers)


def summary(result: Result) -> Text:
    """The last words: what is left, what was wrong."""
    if result.left_behind:
        left = Text(f"Left behind: {', '.join(result.left_behind)}\n", style="red")
    else:
        left = Text("No VM, NIC or disk is left behind.\n", style="green")
    if result.faults:
        return left + Text("Not as it should be:\n" + "\n".join(f"  {fault}" for fault in result.faults), style="red")
    return left + Text(f"Everything ended as it should, in {result.seconds:.0f} s.", style="green")


def pages_hint(policy: Path, kept: Path | None) -> Text:
    """How to look at pages in a browser when the demo's own stack is gone; or at these very releases, if kept."""
    if kept is None:
        return Text("Pages in a browser: `make up` prints their address; `make demo KEEP=DIR` keeps these releases.")
    command = f".venv/bin/python -m local.stack --directory {shlex.quote(str(kept))}"
    return Text(
        f"Pages of these releases: {command} up --policy {policy}\n(prints their address; `{command} down` ends it)"
    )


def _state(release: Mapping[str, Any]) -> str:
    state = release["state"]
    colour = _COLOURS.get(state, "cyan")
    return f"[{colour}]{state}[/{colour}]" + (" [red]stalled[/red]" if release["stalled"] else "")


def _work(release: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{each['what']}{' (' + each['step'] + ')' if each['step'] else ''}" for each in release["waiting_for"]
    )
