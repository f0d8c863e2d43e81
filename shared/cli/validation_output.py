"""Output of validation: the rules that were applied, what they found, and who wrote the version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from shared.cli.responses import ActivityLog, AppliedRules, Validation, Writer
from shared.cli.styled_text import format_time, safe_text

_STYLES: Final = {"error": "red", "warning": "yellow", "waived": "cyan", "reject": "red", "wait": "yellow"}


def verdict(answer: Validation) -> Iterator[RenderableType]:
    """The verdict on one version."""
    yield Text.assemble(
        safe_text(answer.name, "bold"), "  ", safe_text(answer.outcome, _STYLES.get(answer.outcome, "green"))
    )
    yield safe_text(answer.version, "dim")
    yield from findings(answer.applied())
    yield from rules(answer.applied())


def findings(applied: AppliedRules) -> Iterator[Text]:
    """One line for each finding."""
    for each in applied.findings:
        label = safe_text(f"{each.severity} {each.rule}: ", _STYLES.get(each.severity, ""))
        yield Text.assemble(label, safe_text(each.text))


def rules(applied: AppliedRules) -> Iterator[Text]:
    """The rules by severity, and who wrote the version."""
    for level in ("error", "warn", "off"):
        names = [rule for rule, severity in applied.severities.items() if severity == level]
        if names:
            yield Text.assemble((f"{level}: ", "bold"), safe_text(", ".join(names), "dim"))
    if applied.activity_log is not None:
        yield from _activity(applied.activity_log)


def _activity(log: ActivityLog) -> Iterator[Text]:
    if log.unread is not None:
        yield safe_text(f"Activity Log not read: {log.unread}", "yellow")
    elif log.created is None:
        yield Text("Activity Log: no record of who created the version")
    else:
        yield safe_text(f"created by {_writer(log.created)}")
    if log.last_written is not None and log.last_written != log.created:
        yield safe_text(f"last written by {_writer(log.last_written)}")


def _writer(writer: Writer) -> str:
    application = f" (application {writer.application})" if writer.application not in {"", writer.caller} else ""
    return f"{writer.caller or 'an unnamed caller'}{application} at {format_time(writer.at)} UTC"
