"""Which format a body is of, XML that is not read, bodies that are packed, and values that all formats have."""

from __future__ import annotations

import gzip
import json
import tempfile
import tracemalloc
from datetime import UTC, datetime

import pytest

from shared.domain.policy import Severity
from shared.scanners import registry
from shared.scanners.report_refusal import Refusal, RefusalReason
from shared.scanners.values import (
    canonical_purl,
    find_cves,
    parse_probability,
    parse_score,
    parse_severity,
    parse_timestamp,
    score_of_vector,
    severity_for_score,
)


def refused(body: bytes, named: str | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        registry.read(named, body)
    return caught.value


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b'{"spdxVersion": "SPDX-2.3"}', "an SPDX document"),
        (b'{"@context": "https://openvex.dev/ns/v0.2.0"}', "a VEX document"),
        (b'{"kind": "VulnerabilityReport"}', "Kubernetes"),
        (b'{"matches": [], "source": {}}', "matches, but without the descriptor"),
        (b"[]", "an empty list"),
        (b"[1]", "a list"),
        (b"null", "neither an object nor a list"),
        (b"{}", "an empty object"),
        (b'{"scan": 1, "tool": {}}', "unknown kind, with the keys 'scan', 'tool'"),
        (b"<html><body/></html>", "XML document with the root 'html'"),
        (b"name,age\nx,1\n", "nor a CSV export of"),
        (b"\x00\x01\x02", "neither JSON"),
    ],
)
def test_what_is_no_report_is_called_by_its_name(body: bytes, what: str) -> None:
    refusal = refused(body)
    assert what in refusal.text
    assert refusal.reason is RefusalReason.UNKNOWN_FORMAT


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"SchemaVersion": 2, "Results": [', RefusalReason.TRUNCATED),
        (b'{"SchemaVersion": 2 "Results"}', RefusalReason.NOT_JSON),
        (b"<NessusClientData_v2><Report>", RefusalReason.TRUNCATED),
        (b"<NessusClientData_v2></Report>", RefusalReason.NOT_XML),
        (b"<", RefusalReason.TRUNCATED),
        (b"<?xml version='1.0' encoding='klingon'?><bom/>", RefusalReason.NOT_XML),
        (gzip.compress(b"{}", mtime=0), RefusalReason.WRONG_SHAPE),
        (b"PK\x03\x04zip", RefusalReason.WRONG_SHAPE),
    ],
)
def test_what_is_broken_or_packed_says_so(body: bytes, reason: RefusalReason) -> None:
    assert refused(body).reason is reason


BOMB = b"""<?xml version="1.0"?><!DOCTYPE bom [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<bom xmlns="http://cyclonedx.org/schema/bom/1.5"><components><component><name>&b;</name></component></components></bom>"""
EXTERNAL = b"""<?xml version="1.0"?><!DOCTYPE bom [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<bom xmlns="http://cyclonedx.org/schema/bom/1.5"><components><component><name>&x;</name></component></components></bom>"""
PARAMETER = b"""<?xml version="1.0"?><!DOCTYPE SCAN [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]><SCAN/>"""


@pytest.mark.parametrize("body", [BOMB, EXTERNAL, PARAMETER])
def test_entities_of_xml_are_refused_whatever_they_are(body: bytes) -> None:
    assert refused(body).reason is RefusalReason.UNSAFE
    assert refused(body, "cyclonedx").reason is RefusalReason.UNSAFE


def test_xml_that_is_nested_without_end_is_refused() -> None:
    body = b"<NessusClientData_v2>" + b"<a>" * 100_000
    assert refused(body, "nessus").reason is RefusalReason.UNSAFE


@pytest.mark.parametrize(
    ("word", "expected"),
    [("Important", Severity.HIGH), ("moderate", Severity.MEDIUM), (" LOW ", Severity.LOW),
     ("None", Severity.NEGLIGIBLE),
     ("Info", Severity.NEGLIGIBLE), ("untriaged", Severity.UNKNOWN), ("", Severity.UNKNOWN), (None, Severity.UNKNOWN)],
)  # fmt: skip
def test_words_for_severities(word: str | None, expected: Severity) -> None:
    assert parse_severity(word) is expected


@pytest.mark.parametrize(
    ("points", "expected"),
    [(0.0, Severity.NEGLIGIBLE), (0.1, Severity.LOW), (3.9, Severity.LOW), (4.0, Severity.MEDIUM),
     (6.9, Severity.MEDIUM), (7.0, Severity.HIGH), (8.9, Severity.HIGH), (9.0, Severity.CRITICAL),
     (10.0, Severity.CRITICAL), (10.1, Severity.UNKNOWN), (-1.0, Severity.UNKNOWN), (None, Severity.UNKNOWN)],
)  # fmt: skip
def test_bands_of_scores(points: float | None, expected: Severity) -> None:
    assert severity_for_score(points) is expected


@pytest.mark.parametrize(
    ("vector", "expected"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
        ("AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5),
        ("CVSS2#AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 9.3),
        ("CVSS:3.1/nonsense", None),
        ("", None),
    ],
)
def test_scores_of_vectors(vector: str, expected: float | None) -> None:
    assert score_of_vector(vector) == expected


@pytest.mark.parametrize("value", ["", "x", "nan", "inf", "11", "-1", None, "1e999"])
def test_what_is_no_score_is_none(value: str | None) -> None:
    assert parse_score(value) is None
    assert parse_probability(value if value != "x" else "1.5") is None


def test_package_urls_become_canonical_or_nothing() -> None:
    assert canonical_purl("pkg:PYPI/Django_Rest@1.0") == "pkg:pypi/django-rest@1.0"
    assert canonical_purl("pkg:") == canonical_purl("openssl") == canonical_purl("") == ""


def test_times_are_in_utc_and_need_a_zone() -> None:
    assert parse_timestamp("2026-05-10T14:00:00.123456789+02:00") == datetime(2026, 5, 10, 12, 0, 0, 123456, UTC)
    assert parse_timestamp("2026-05-10T14:00:00") is None
    assert parse_timestamp("9999-12-31T23:59:59-14:00") is None


def test_cves_are_found_once_in_any_casing() -> None:
    assert find_cves("cve-2026-1234, CVE-2026-1234", None, "x CVE-2025-99999.") == ("CVE-2026-1234", "CVE-2025-99999")


def test_a_body_with_a_byte_order_mark_is_detected() -> None:
    assert refused(b"\xef\xbb\xbf" + json.dumps({"spdxVersion": "x"}).encode()).text.endswith("an SPDX document")


def test_an_encoding_that_is_not_known_is_shown_in_short() -> None:
    told = refused(b'<?xml version="1.0" encoding="x' + b"a" * 100_000 + b'"?><SCAN/>', "qualys").text
    assert "unknown encoding" in told
    assert len(told) < 300


def test_a_small_file_takes_little_memory() -> None:
    # A buffered file's read() takes room for as much as it is asked for.
    with tempfile.TemporaryFile() as file:
        file.write(b"{}" + b" " * 1000)
        file.seek(0)
        tracemalloc.start()
        try:
            with pytest.raises(Refusal):
                registry.read(None, file)
            assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("body", [b"null\x00", b'{"findings": null}{', b'{"findings": null, "x": "\xff"}'])
@pytest.mark.parametrize("named", sorted(registry.READERS))
def test_what_is_broken_behind_a_null_is_refused(body: bytes, named: str) -> None:
    assert refused(body, named).text


@pytest.mark.parametrize(
    "body",
    [b'{"\x80schema": "ringmaster.scan/1"}', b'{"\x80": 1}\n{"a": 2}\n', b'{"value": [], "\x80": 1}', b'{"a": "\x80"}'],
    ids=["key", "line", "beside", "value"],
)
def test_an_object_with_keys_that_are_no_text_is_refused(body: bytes) -> None:
    for named in (None, *sorted(registry.READERS)):
        assert refused(body, named).text
