"""Output for the terminal. All times are in UTC; the current time is an argument."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from shared.cli import validation_output
from shared.cli.responses import Action, Approvals, DeadLetter, Explanation, Overview, Summary, Verdict, Waiting
from shared.cli.styled_text import format_duration, format_time, relative_time, safe_text, status_text


def show(console: Console, parts: Iterable[RenderableType]) -> None:
    """Print the parts one after the other."""
    for part in parts:
        console.print(part)


def overview(answer: Overview, now: datetime) -> Iterator[RenderableType]:
    """A table of all releases, followed by reasons, stalled releases and dead letters."""
    if not answer.releases:
        yield Text(
            "No releases. A release starts when a version of an image definition in the policy is created or updated."
        )
    else:
        table = new_table("version", "state", "ring", "published", "waiting for")
        for each in answer.releases:
            table.add_row(
                safe_text(each.name),
                status_text(each.state),
                _rings(each),
                _published(each),
                _waits(each, now),
            )
        yield table
    yield from _ended_with_reasons(answer.releases)
    yield from _stalled(answer.releases)
    yield from _drifted(answer.releases)
    yield from _dead_letters(answer.dead_letters)


def explanation(answer: Explanation, now: datetime) -> Iterator[RenderableType]:
    """The details of a release: state, pending work, gates, actions and history."""
    yield from standing(answer, now)
    if answer.waiting_for:
        yield Text("\nWaiting for", style="bold")
        yield _waiting_table(answer.waiting_for, now)
    if answer.gates:
        folder = _common_folder(answer.gates)
        below = f", with evidence in {folder}" if folder else ""
        yield Text.assemble(("\nGates", "bold"), safe_text(below, "dim"))
        yield _gates_table(answer.gates, folder)
    if answer.validation and answer.validation.severities:
        yield Text("\nRules of validation", style="bold")
        yield from validation_output.findings(answer.validation)
        yield from validation_output.rules(answer.validation)
    if answer.actions:
        yield Text("\nActions", style="bold")
        yield _actions_table(answer.actions)
    yield Text("\nHistory", style="bold")
    for each in answer.history:
        yield Text.assemble((format_time(each.at), "dim"), "  ", safe_text(each.text))


def standing(answer: Explanation, now: datetime) -> Iterator[Text]:
    """The state of a release, where it is published, and what people have done or must do."""
    yield Text.assemble(safe_text(answer.name, "bold"), "  ", status_text(answer.state), _in_ring(answer))
    yield safe_text(answer.version_id, "dim")
    yield from _facts(answer, now)
    if answer.hold:
        yield _hold(answer.hold)
    if answer.approvals:
        yield _approvals(answer.approvals)


def _facts(answer: Explanation, now: datetime) -> Iterator[Text]:
    took = format_duration(timedelta(seconds=answer.seconds))
    yield Text(
        f"started {format_time(answer.started_at)} UTC ({relative_time(answer.started_at, now)}), duration {took}"
    )
    yield safe_text(f"incarnation {answer.incarnation or 'not known yet'}, policy digest {answer.policy_digest[:16]}")
    if answer.builder:
        yield safe_text(f"built by {answer.builder}")
    for ring, regions in answer.published.items():
        where = f"{ring}: {', '.join(regions)}"
        if answer.state == "revoked":
            yield Text.assemble("revoked in ", safe_text(where, "red"))
        else:
            yield Text.assemble("published in ", safe_text(where, "green"))
    for ring, how_far in answer.ahead.items():
        yield safe_text(f"filled ahead: {ring} ({how_far})")
    for reason in answer.reasons:
        yield safe_text(f"reason: {reason}", "red" if answer.state in {"rejected", "revoked"} else "yellow")
    for warning in answer.warnings:
        yield safe_text(f"warning: {warning}", "yellow")
    for each in answer.drift:
        yield safe_text(f"drift: {each}", "yellow")


def _hold(hold: Action) -> Text:
    return safe_text(f"held by {hold.by} since {format_time(hold.at)}: {hold.reason}", "yellow")


def _approvals(approvals: Approvals) -> Text:
    given = ", ".join(f"{each.by} at {format_time(each.at)}" for each in approvals.given) or "none"
    text = f"approvals of {approvals.ring}: {given}; {approvals.missing} of {approvals.needed} missing"
    return safe_text(text, "yellow" if approvals.missing else "green")


def _rings(release: Summary) -> Text:
    """The ring whose turn it is, and those that are filled ahead of theirs."""
    ahead = (f"{ring} ahead ({how_far})" for ring, how_far in release.ahead.items())
    return safe_text("\n".join((release.ring or "", *ahead)))


def _in_ring(answer: Summary) -> Text:
    return safe_text(f" in ring {answer.ring}") if answer.ring else Text("")


def new_table(*columns: str) -> Table:
    """An empty table in the style of all tables."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _published(release: Summary) -> Text:
    if release.state == "revoked":
        return safe_text(f"revoked in {', '.join(release.published)}" if release.published else "", "red")
    return safe_text("\n".join(f"{ring}: {', '.join(regions)}" for ring, regions in release.published.items()), "green")


def _waits(release: Summary, now: datetime) -> Text:
    lines = [_hold(release.hold)] if release.hold else []
    lines += [
        safe_text(f"{_what(each)} needs attention", "red")
        if each.stalled
        else safe_text(f"{_what(each)} until {format_time(each.deadline)} ({relative_time(each.deadline, now)})")
        for each in release.waiting_for
    ]
    return Text("\n").join(lines)


def _what(waiting: Waiting) -> str:
    return f"{waiting.what} ({waiting.step})" if waiting.step else waiting.what


def _ended_with_reasons(releases: Iterable[Summary]) -> Iterator[Text]:
    ended = [each for each in releases if each.reasons]
    if ended:
        yield Text("\nReasons", style="bold")
    for each in ended:
        for reason in each.reasons:
            yield Text.assemble(safe_text(each.name), " ", status_text(each.state), ": ", safe_text(reason))


def _stalled(releases: Iterable[Summary]) -> Iterator[Text]:
    stalls = [(each.name, branch, reason) for each in releases for branch, reason in each.stalled.items()]
    if stalls:
        yield Text("\nStalled releases (need attention)", style="bold red")
    for name, branch, reason in stalls:
        yield safe_text(f"{name} {branch}: {reason}", "red")
    if stalls:
        yield Text(
            "After you fix the cause, run `ringmaster resend VERSION` to send the stalled commands again.", style="dim"
        )


def _drifted(releases: Iterable[Summary]) -> Iterator[Text]:
    found = [(each.name, text) for each in releases for text in each.drift]
    if found:
        yield Text("\nDrift: galleries differ from what was published", style="bold")
    for name, text in found:
        yield safe_text(f"{name}: {text}", "yellow")


def _dead_letters(letters: Iterable[DeadLetter]) -> Iterator[RenderableType]:
    rows = list(letters)
    if not rows:
        return
    yield Text("\nMessages that could not be processed", style="bold red")
    table = new_table("time", "queue", "release", "reason", "id")
    for each in rows:
        table.add_row(
            format_time(each.at),
            safe_text(each.queue),
            safe_text(each.release or ""),
            safe_text(each.reason),
            each.id[:12],
        )
    yield table


def _waiting_table(waiting: Iterable[Waiting], now: datetime) -> Table:
    table = new_table("work", "next check", "deadline", "attempt", "problem, or what it waits for")
    for each in waiting:
        trouble = safe_text(each.stalled, "red") if each.stalled else safe_text(each.fault or "", "yellow")
        if not trouble:
            trouble = safe_text(each.waits_for or "", "dim")
        due = f"{format_time(each.next_look)} ({relative_time(each.next_look, now)})"
        until = f"{format_time(each.deadline)} ({relative_time(each.deadline, now)})"
        table.add_row(safe_text(_what(each)), due, until, str(each.attempt), trouble)
    return table


def _actions_table(actions: Iterable[Action]) -> Table:
    table = new_table("time", "action", "ring", "by", "reason")
    for each in actions:
        cells = (each.action, each.ring or "", str(each.by), each.reason)
        table.add_row(format_time(each.at), *(safe_text(cell) for cell in cells))
    return table


def _common_folder(gates: Iterable[Verdict]) -> str:
    """The common prefix of all evidence names, if there is one. It is printed once, which leaves room for the rest."""
    folders = {each.evidence.rpartition("/")[0] for each in gates}
    return f"{folders.pop()}/" if len(folders) == 1 and "" not in folders else ""


def _gates_table(gates: Iterable[Verdict], folder: str) -> Table:
    table = new_table("time", "gate", "location", "verdict", "evidence")
    for each in gates:
        place = "/".join(part for part in (each.ring, each.region) if part)
        said = Text("\n").join([status_text(each.answer), *(safe_text(reason) for reason in each.reasons)])
        table.add_row(
            format_time(each.at),
            safe_text(each.gate),
            safe_text(place),
            said,
            safe_text(each.evidence.removeprefix(folder), "dim"),
        )
    return table
