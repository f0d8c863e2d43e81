"""``ringmaster console judge``: what it prints, and how it exits."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.cli.boot_commands import MAX_CONSOLE, read_end
from shared.cli.command_line import Session, run
from shared.domain.boot_test.console_patterns import PATTERNS, PatternSeverity

CONSOLES = Path(__file__).parents[1] / "fixtures" / "consoles"
FAULTS = Path(__file__).resolve().parents[3] / "shared" / "faults" / "consoles"
CASES = {
    "bad-cloud-init-no-data-source": "no data source",
    "bad-cloud-init-unit-failed": "cloud-init did not run",
    "bad-no-udf-driver": "no UDF driver",
    "bad-sysprep": "sysprep could not finish",
    "bad-shim-sbat": "shim SBAT violation",
    "bad-waiting-for-root": "waiting for the root device",
    "bad-dracut-initqueue": "waiting for the root device",
    "bad-kernel-panic": "kernel panic",
    "bad-emergency-mode": "emergency mode",
    "bad-initramfs-prompt": "initramfs prompt",
    "bad-agent-exception": "guest agent failed",
    "bad-full-disk": "root disk full",
}


@pytest.fixture
def judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def ask(raw: bytes, *more: str) -> tuple[int, str]:
        (tmp_path / "console.log").write_bytes(raw)
        code = run(["console", "judge", str(tmp_path / "console.log"), *more], Session({}, tmp_path))
        return code, capsys.readouterr().out

    return ask


def findings(answer: tuple[int, str]) -> list[dict[str, Any]]:
    return json.loads(answer[1])["findings"]


def test_a_clean_console_exits_0(judge: Any) -> None:
    assert judge(b"Linux version 6.8\nlogin: \n", "--json") == (0, '{"verdict": "clean", "findings": []}\n')


def test_a_bad_console_exits_1_and_names_line_and_remedy(judge: Any) -> None:
    code, text = judge(b"Linux version 6.8\r\n\r\n[ 1.0] Kernel panic - not syncing: x\r\n", "--json")
    (pattern,) = [each for each in PATTERNS if each.name == "kernel panic"]
    found = {"pattern": "kernel panic", "line": 3, "text": "[ 1.0] Kernel panic - not syncing: x"}
    assert (code, json.loads(text)) == (1, {"verdict": "bad", "findings": [{**found, "remedy": pattern.remedy}]})


@pytest.mark.parametrize("raw", [b"", b"\x00" * 4096, b" \r\n\x1b[2J\n"])
def test_a_blank_console_is_inconclusive_and_exits_2(judge: Any, raw: bytes) -> None:
    assert judge(raw, "--json") == (2, '{"verdict": "inconclusive", "findings": []}\n')


def test_a_missing_file_exits_2_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["console", "judge", str(tmp_path / "none.log"), "--json"], Session({}, tmp_path))
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert "none.log cannot be read: No such file or directory" in said.err


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"grub> ")))
    assert run(["console", "judge", "-", "--json"], Session()) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["pattern"] == "boot loader prompt"


def test_a_warning_is_in_the_table_and_condemns_nothing(judge: Any) -> None:
    raw = b"WARNING: CPU: 0 PID: 1 at x.c:1\nlogin: \n"
    assert judge(raw, "--json") == (0, '{"verdict": "clean", "findings": []}\n')
    code, table = judge(raw)
    assert (code, table.splitlines()[0]) == (0, "clean")
    assert "warning" in table
    assert "kernel warning" in table


def test_the_table_names_pattern_line_and_remedy(judge: Any) -> None:
    code, table = judge(b"x\nKernel panic - not syncing\n")
    assert code == 1
    assert all(word in table for word in ("bad", "error", "2", "kernel panic", "missing initramfs"))


def test_control_characters_are_escaped(judge: Any) -> None:
    raw = "Kernel panic \x1b[31mred\x1b]0;title\x9b31m [bold]\u202e\n".encode() + b"\xff\xfe\n"
    assert findings(judge(raw, "--json"))[0]["text"].startswith("Kernel panic red")
    for text in (judge(raw)[1], judge(raw, "--json")[1]):
        assert not {"\x1b", "\x9b", "\u202e", "\x07"} & set(text)
    assert "[bold]" in judge(raw)[1]


def test_a_large_file_is_read_from_its_end_with_its_own_line_numbers(judge: Any) -> None:
    lines = MAX_CONSOLE // 64 + 1000
    raw = b"Kernel panic - at the start\n" + b"x" * 63 + b"\n" + (b"y" * 63 + b"\n") * lines + b"grub> \n"
    code, text = judge(raw, "--json")
    (found,) = json.loads(text)["findings"]
    assert (code, found["pattern"], found["line"]) == (1, "boot loader prompt", lines + 3)


def test_the_end_of_a_stream_is_read_in_bounded_memory() -> None:
    assert read_end(io.BytesIO(b"a\nb\nc\nd"), 3) == (2, b"c\nd")
    assert read_end(io.BytesIO(b"a\nb"), 3) == (0, b"a\nb")


@pytest.mark.parametrize(("name", "pattern"), CASES.items())
def test_the_usual_failures_are_found(judge: Any, name: str, pattern: str) -> None:
    answer = judge((CONSOLES / f"{name}.log").read_bytes(), "--json")
    assert answer[0] == 1
    assert pattern in [each["pattern"] for each in findings(answer)]


def test_a_root_device_that_came_late_condemns_nothing(judge: Any) -> None:
    assert judge((CONSOLES / "clean-late-root.log").read_bytes(), "--json")[0] == 0


def test_every_fixture_is_judged() -> None:
    assert {path.stem for path in CONSOLES.glob("*.log")} == {*CASES, "clean-late-root"}


@pytest.mark.parametrize("path", sorted(FAULTS.glob("*.log")) if FAULTS.is_dir() else [], ids=lambda path: path.stem)
def test_consoles_that_were_judged_wrongly_are_judged_rightly(judge: Any, path: Path) -> None:
    assert judge(path.read_bytes(), "--json")[0] == path.name.startswith("bad-")


def test_every_recorded_console_is_judged(judge: Any, real_data: Path) -> None:
    paths = [path for path in sorted((real_data / "serial").rglob("*")) if path.is_file() and path.suffix != ".json"]
    verdicts = {path: judge(path.read_bytes(), "--json") for path in paths}
    assert {code for code, _ in verdicts.values()} == {0, 1}
    for path, (code, text) in verdicts.items():
        found = json.loads(text)
        assert bool(found["findings"]) is bool(code), path
        for each in found["findings"]:
            assert each.keys() == {"pattern", "line", "text", "remedy"}
            lines = path.read_bytes().count(b"\n") + 1
            assert 1 <= each["line"] <= lines


def test_names_are_unique_and_every_pattern_has_a_remedy_and_a_source() -> None:
    assert len({each.name for each in PATTERNS}) == len(PATTERNS)
    assert all(each.expressions and each.remedy.endswith(".") and each.source for each in PATTERNS)
    assert {each.severity for each in PATTERNS} == set(PatternSeverity)
