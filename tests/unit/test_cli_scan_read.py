"""``ringmaster scan read``: one JSON object or lines for people, and exit code 2 for what is no report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.cli.command_line import Session, run


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["scan", "read", *arguments], Session(environ={}))
    told = capsys.readouterr()
    return code, told.out, told.err


def vm_scan(data: Path) -> str:
    return str(data / "scanner/trivy/amazonlinux2-gp2-x86-vm.json.golden")


def test_a_report_is_printed_as_one_json_object(real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, vm_scan(real_data), "--json")
    read = json.loads(out)
    assert list(read) == ["format", "scanner", "target", "os", "scanned", "counts", "findings"]
    assert (code, read["format"], read["os"], read["scanned"]) == (0, "trivy", "amazon 2 (Karoo)", True)
    assert (read["counts"], read["findings"][0]["id"]) == ({"medium": 1}, "CVE-2022-38177")


def test_what_is_no_report_is_refused_with_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "empty.json"
    file.write_bytes(b"")
    assert answer(capsys, str(file), "--json")[:2] == (2, '{"refused": "the report is empty"}\n')
    assert answer(capsys, str(file))[:2] == (2, "refused: the report is empty\n")


def test_a_named_format_is_held_to(real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, vm_scan(real_data), "--format", "trivy", "--json")[0] == 0
    code, out, _ = answer(capsys, vm_scan(real_data), "--format", "grype", "--json")
    assert (code, list(json.loads(out))) == (2, ["refused"])


def test_people_read_who_scanned_what(real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = answer(capsys, vm_scan(real_data))
    assert code == 0
    assert "target vm disk.img, operating system amazon 2 (Karoo)" in out
    assert "1 medium" in out
    assert "CVE-2022-38177 in bind-export-libs" in out


def test_people_read_how_many_packages_were_looked_at(real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = answer(capsys, str(real_data / "scanner/trivy/fluentd-multiple-lockfiles-short.cdx.json.golden"))[1]
    assert "\nscanned 3 packages\n" in out


def test_people_read_why_a_report_is_no_scan(real_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = answer(capsys, str(real_data / "scanner/trivy/npm.json.golden"))[1]
    assert "not scanned: the scanner found no operating system" in out


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = answer(capsys, str(tmp_path / "none.json"), "--json")
    assert (code, out) == (2, "")
    assert "cannot read" in err
