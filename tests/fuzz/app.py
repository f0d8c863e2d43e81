"""The app over memory ports, in the midst of its work, made anew for each input; and what must hold of it after each.

Releases of every kind are there: just begun, waiting for a scan, replicating, stalled, released; and the messages that
their rows wait for.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import re
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import shared.scanners.registry  # noqa: F401 - imported late by the app; an import is no cost of an input
from local.simulation.cloud import Cloud
from shared.adapters.memory.ledger import MemoryLedger
from shared.adapters.memory.report_source import MemoryReportSource
from shared.codec import decode_command, encode_release
from shared.domain.access import Access
from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.image import VersionId, VersionNumber
from shared.domain.messages import Kind
from shared.domain.release import Release
from shared.ports import ReportRefused, Unavailable
from shared.settings import Settings, read_settings
from shared.triggers.runtime import Runtime
from tests.flow.misfortunes import Misfortune
from tests.flow.rehearsal import BEGIN, HOME, SMALL, SOURCE, SUBSCRIPTION, Rehearsal, policy_of, small_report

KEY, CI_KEY = "key-of-the-scanner", "key-of-ci-0123456789"
SECRETS: Final = (KEY, CI_KEY)
SIGNATURE: Final = "sig=hidden"
"""What may stand nowhere: neither in an answer, nor in the log, nor where people look. The last is that of an address
that reports are fetched from, and hidden where it is known for one: see ``addresses_in_place``."""
_ADDRESS: Final = re.compile(r'"(?:url|reportUrl)": ?"https://[^"?]*\?sig=hidden"')
CI_OBJECT: Final = "0a0b0c0d-0000-4000-8000-00000000000a"
ADMIN: Final = "0a0b0c0d-0000-4000-8000-00000000000b"
HOST: Final = "reports.example.com"
SETTINGS: Final[Settings] = read_settings(
    {
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
        "RINGMASTER_WEBHOOK_KEYS": json.dumps(
            {
                "trivy": [KEY],
                "ci": {"keys": [CI_KEY], "definitions": ["gal_build/ubuntu"]},
                "other": {"keys": [CI_KEY], "formats": ["grype"], "definitions": ["gal_build/windows-*"]},
            }
        ),
        "RINGMASTER_WEBHOOK_PRINCIPALS": json.dumps({CI_OBJECT: {"name": "pipeline", "formats": ["trivy"]}}),
        "RINGMASTER_TRUST_EASYAUTH": "true",
        "RINGMASTER_MAX_REPORT_BYTES": "2000000",
    }
)
NOBODY: Final = Access()
MINUTES: Final = {"1.0.0": 5, "2.0.0": 8, "3.0.0": 12, "4.0.0": 300}
"""Minutes since it was published, by version: what a release is doing then depends on them."""
STALLED: Final = "5.0.0"
NUMBERS: Final = (*MINUTES, STALLED)
UNKNOWN: Final = SOURCE.version(VersionNumber.parse("9.9.9"))
"""Covered by the policy, and not in the ledger."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What is there when an input comes: rows of the ledger, and messages by their kind."""

    rows: tuple[Release, ...]
    messages: tuple[tuple[Kind, bytes], ...]
    now: datetime


@functools.cache
def moment() -> Moment:
    """Releases at work. Each was led there by the whole pipeline, on a clock of its own that ends at the same time."""
    rows: list[Release] = []
    messages: list[tuple[Kind, bytes]] = []
    now = BEGIN
    for number in NUMBERS:
        misfortunes = [Misfortune("machines.create", _unforeseen, times=5)] if number == STALLED else []
        play = Rehearsal(SMALL, misfortunes=misfortunes)
        version = play.publish(number, scan=None if number == "2.0.0" else "clean")
        play.wait(minutes=MINUTES.get(number, 120))
        rows.append(play.release(version))
        messages += [(each.kind, each.body) for each in play.cloud.queues.waiting()]
        now = max(now, rows[-1].updated_at)
    return Moment(tuple(rows), tuple(messages), now)


def _unforeseen() -> BaseException:
    return ZeroDivisionError("nobody thought of this")


class App:
    """One worker process of the app."""

    def __init__(self, ledger: MemoryLedger | None = None, access: Access = NOBODY) -> None:
        """With the releases of ``moment``, in this ledger where one is given. ``access`` says who may act."""
        begun = moment()
        self.now = begun.now
        self.cloud = Cloud(lambda: begun.now, policy_of(replace(SMALL, access=access)), home=HOME)
        for number in NUMBERS:
            self.cloud.galleries.build(_facts(SOURCE.version(VersionNumber.parse(number))), settled=True)
        source = MemoryReportSource(_BODIES, {HOST}, most_bytes=SETTINGS.max_report_bytes)
        self.cloud.ledger = ledger or self.cloud.ledger
        self.world = replace(self.cloud.world, report_source=source, ledger=self.cloud.ledger)
        self.runtime = Runtime(SETTINGS, _world=self.world)
        for row in begun.rows:
            _at_once(self.cloud.ledger.insert(row))
        self.before = self.rows()
        self.excluded = self._excluded()

    def rows(self) -> dict[VersionId, Release]:
        """Every row that can be read."""

        async def read() -> dict[VersionId, Release]:
            return {stored.release.version: stored.release async for stored in self.cloud.ledger.rows()}

        return _at_once(read())

    def letters(self) -> list[Any]:
        """Dead letters."""

        async def read() -> list[Any]:
            return [letter async for letter in self.cloud.ledger.dead_letters()]

        return _at_once(read())

    def messages(self) -> list[tuple[Kind, bytes]]:
        """What was sent."""
        return [(each.kind, each.body) for each in self.cloud.queues.waiting()]

    def reports(self, version: VersionId) -> list[str]:
        """The names of the reports that are kept of a version."""
        return [report.name for report in _at_once(self.cloud.evidence.reports(version))]

    def untouched(self) -> bool:
        """Whether nothing was written anywhere."""
        return not (self.messages() or self.cloud.evidence.documents() or self.letters()) and self.same_rows()

    def same_rows(self) -> bool:
        """Whether every row is as it was, and there are no others."""
        return self.rows() == self.before

    def check(self, *secrets: str) -> None:
        """What holds after every input, whatever it was. ``secrets`` are further ones."""
        rows = self.rows()
        assert set(self.before) <= set(rows), "a row is gone, or can't be read any more"
        for version, row in rows.items():
            encode_release(row)
            assert version not in self.before or row.seq >= self.before[version].seq, "a row went back"
        for kind, body in self.messages():
            command = decode_command(_at_once(self.cloud.queues.open(body)))
            assert command.kind is kind
            assert self.world.policy.covering(command.release) is not None, "a command for what is not covered"
        assert self._excluded() == self.excluded, "what is latest has changed without proof"
        tell_no_secrets(json.dumps(self.cloud.evidence.documents(), ensure_ascii=False), *secrets)
        tell_no_secrets(repr(self.letters()), *secrets)
        tell_no_secrets(repr([(row.history, row.reasons, row.stalls) for row in rows.values()]), *secrets)

    def _excluded(self) -> list[Any]:
        versions = _at_once(self.cloud.galleries.versions(SOURCE))
        return [(each.id, each.excluded, [(one.region, one.excluded) for one in each.targets]) for each in versions]


def _facts(version: VersionId) -> VersionFacts:
    return VersionFacts(
        version,
        ProvisioningState.CREATING,
        HOME,
        source_id=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/images/base",
        targets=tuple(RegionTargetFacts(region, excluded=True) for region in ("westeurope", "northeurope")),
        excluded=True,
        os_disk_gb=30,
    )


REPORT: Final = small_report("clean", UNKNOWN, BEGIN)
_BODIES: Final[Mapping[str, bytes | Exception]] = {
    f"https://{HOST}/r.json?sig=hidden": REPORT,
    f"https://{HOST}/broken.json?sig=hidden": b"{",
    f"https://{HOST}/away.json?sig=hidden": Unavailable("the host of reports does not answer"),
    f"https://{HOST}/gone.json?sig=hidden": ReportRefused("answer", "it answered 404"),
}
URLS: Final = tuple(_BODIES)


def addresses_in_place(text: str) -> tuple[str, ...]:
    """What is secret of the addresses in an input: nothing once damage has put them where nobody looks for any."""
    return (SIGNATURE,) if len(_ADDRESS.findall(text)) == text.count(SIGNATURE) else ()


def run[T](work: Coroutine[Any, Any, T], *secrets: str) -> T:
    """The result of a coroutine; nothing that it logged tells a secret, and every line of it can be written."""
    with _overheard() as lines:
        found = asyncio.run(work)
    for line in lines:
        line.encode()
        tell_no_secrets(line, *secrets)
    return found


def tell_no_secrets(text: str, *secrets: str) -> None:
    """Raise AssertionError for a text that tells a secret."""
    told = [secret for secret in (*SECRETS, *secrets) if secret in text]
    assert not told, f"{told} stands in: {text[:500]}"


@contextmanager
def _overheard() -> Iterator[list[str]]:
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))  # with the traceback, where there is one

    ear, log = Ear(), logging.getLogger("ringmaster")
    level, propagate = log.level, log.propagate
    log.addHandler(ear)
    log.setLevel(logging.INFO)
    log.propagate = False  # not to the console: it would be thousands of lines
    try:
        yield lines
    finally:
        log.removeHandler(ear)
        log.setLevel(level)
        log.propagate = propagate


def _at_once(coroutine: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("a memory adapter waited for something")
