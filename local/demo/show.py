"""What people see: a live table while versions travel, a final one, and whether all is well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from local.demo.scenario import Story
from local.demo.verdict import Result

_COLOURS = {"released": "green", "rejected": "red", "superseded": "yellow"}


def live(stories: Sequence[Story], releases: Mapping[str, Mapping[str, Any]], seconds: float) -> Group:
    """The table that changes while the demo runs."""
    table = Table(title=f"Ringmaster at work, {seconds:.0f} s", expand=False)
    for column in ("version", "image", "state", "ring", "published", "at work on"):
        table.add_column(column)
    for story in stories:
        release = releases.get(story.id.lower())
        name = f"{story.definition} {story.number}"
        if release is None:
            table.add_row(name, story.title, "building", "", "", "")
            continue
        table.add_row(
            name, story.title, _state(release), release["ring"] or "", " ".join(release["published"]), _work(release)
        )
    return Group(table)


def final(stories: Sequence[Story], result: Result) -> Table:
    """The table at the end."""
    table = Table(title="How they ended", expand=False)
    for column, justify in (
        ("version", "left"),
        ("verdict", "left"),
        ("reasons", "left"),
        ("rings and regions", "left"),
        ("time", "right"),
        ("ARM calls", "right"),
    ):
        table.add_column(column, justify="right" if justify == "right" else "left", overflow="fold")
    found = {each["version_id"]: each for each in result.releases}
    for story in stories:
        release = found.get(story.id.lower())
        if release is None:
            table.add_row(f"{story.definition} {story.number}", "none", "", "", "", "")
            continue
        rings = "\n".join(f"{ring}: {', '.join(regions)}" for ring, regions in release["published"].items())
        table.add_row(
            f"{story.definition} {story.number}\n[dim]{story.title}[/dim]",
            _state(release),
            escape("\n".join(reason[:240] for reason in release["reasons"])),
            rings or "none",
            f"{release['seconds']:.0f} s",
            str(result.arm_calls.get(story.id.lower(), 0)),
        )
    return table


def closing(result: Result) -> Text:
    """The last words: what is left, what was wrong."""
    if result.left_behind:
        left = Text(f"Left behind: {', '.join(result.left_behind)}\n", style="red")
    else:
        left = Text("No VM, NIC or disk is left behind.\n", style="green")
    if result.faults:
        return left + Text("Not as it should be:\n" + "\n".join(f"  {fault}" for fault in result.faults), style="red")
    return left + Text(f"Everything ended as it should, in {result.seconds:.0f} s.", style="green")


def _state(release: Mapping[str, Any]) -> str:
    state = release["state"]
    colour = _COLOURS.get(state, "cyan")
    return f"[{colour}]{state}[/{colour}]" + (" [red]stalled[/red]" if release["stalled"] else "")


def _work(release: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{each['what']}{' (' + each['step'] + ')' if each['step'] else ''}" for each in release["waiting_for"]
    )
