"""Scan reports of every format: read, or refused in words; by the readers, and by ``ringmaster scan read``."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cli.command_line import Session, run
from shared.codec import CodecError
from shared.codec.gzipped import gunzipped
from shared.domain.findings import ScanReport
from shared.scanners import registry
from shared.scanners.report_json import report_document
from shared.scanners.report_refusal import Refusal
from tests.fuzz.budget import bounded, entrance
from tests.fuzz.reports import TEXTS, bodies, sound

FORMATS = sorted(registry.READERS)


def attempt(name: str | None, body: bytes) -> ScanReport | None:
    report, refused = None, None
    try:
        report = registry.read(name, body)
    except Refusal as refusal:
        refused = refusal.text
    if report is None:
        assert refused is not None
        assert 0 < len(refused.strip()) <= len(refused) < 4000
        refused.encode()
        return None
    assert all(finding.id and finding.identity for finding in report.findings)
    json.dumps(report_document(report), ensure_ascii=False, allow_nan=False).encode()
    return report


@pytest.mark.parametrize("name", FORMATS)
@entrance
@given(st.data())
def test_a_damaged_report_is_read_or_refused(name: str, data: st.DataObject) -> None:
    body = data.draw(bodies(name))
    with bounded(len(body)):
        attempt(name, body)


@entrance
@given(st.sampled_from(FORMATS).flatmap(bodies))
def test_a_damaged_report_is_read_or_refused_when_nobody_names_its_format(body: bytes) -> None:
    with bounded(len(body)):
        attempt(None, body)


@entrance
@given(st.sampled_from(FORMATS), st.sampled_from(FORMATS).flatmap(bodies))
def test_a_report_is_read_or_refused_under_any_formats_name(name: str, body: bytes) -> None:
    with bounded(len(body)):
        attempt(name, body)


def test_the_sound_reports_are_read_and_found_out() -> None:
    for name, body in sound():
        report = attempt(None, body)
        assert report is not None, body[:200]
        assert report.format == name
    assert {name for name, _ in sound()} == set(FORMATS)


@pytest.fixture(scope="module")
def file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "report"


@entrance
@given(
    st.sampled_from([None, *FORMATS, "", "none", "TRIVY", "💥"]),
    st.booleans(),
    st.sampled_from(FORMATS).flatmap(bodies),
)
def test_the_command_reads_a_report_or_says_why_not(file: Path, name: str | None, as_json: bool, body: bytes) -> None:
    file.write_bytes(body)
    arguments = ["scan", "read", str(file), *(["--format", name] if name else []), *(["--json"] if as_json else [])]
    said, complained = io.StringIO(), io.StringIO()
    with bounded(len(body)), contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        code = run(arguments, Session(environ={}))
    assert code in {0, 2}
    assert said.getvalue() or complained.getvalue()
    assert not as_json or (code == 2 and not said.getvalue()) or isinstance(json.loads(said.getvalue()), dict)


PACKED = st.sampled_from([1, 1000, 300_000]).map(lambda size: gzip.compress(b"a" * size, mtime=0))
EMPTY = gzip.compress(b"", mtime=0)


@entrance
@given(
    st.one_of(
        st.binary(max_size=300).map(lambda body: gzip.compress(body, mtime=0)),
        st.lists(PACKED | st.just(EMPTY), max_size=4).map(b"".join),
        st.integers(0, 12_000).map(lambda times: EMPTY * times),
        st.binary(max_size=60).map(lambda rest: gzip.compress(b"a" * 1000, mtime=0) + rest),
    ),
    st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), max_size=3),
    st.integers(0, 20),
)
def test_gzip_is_undone_within_its_bound_or_refused(body: bytes, flips: list[tuple[int, int]], cut: int) -> None:
    hurt = bytearray(body[: len(body) - cut])
    for at, value in flips:
        if hurt:
            hurt[at % len(hurt)] = value
    with bounded(len(hurt)), suppress(CodecError):
        assert len(gunzipped(bytes(hurt), most_bytes=400_000)) <= 400_000


def test_texts_that_bombs_are_made_of_are_refused_in_no_time() -> None:
    entities = '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">%s]><SCAN>&z;</SCAN>'
    chain = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 30))
    towers = ["<a>" * 200_000, "[" * 200_000, '{"a":' * 200_000, '"' * 200_001, "," * 500_000, '{"Results":[' * 50_000]
    for text in (entities % chain, *towers, *(text * 200 for text in TEXTS["nessus"])):
        for name in (None, *FORMATS):
            with bounded(len(text)):
                attempt(name, text.encode())
