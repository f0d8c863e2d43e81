"""The lint of PowerShell scripts."""

from __future__ import annotations

import re

import pytest

from local.powershell_syntax import main, syntax_errors
from shared.probes import probe_script


def test_the_probe_of_windows_has_no_syntax_errors() -> None:
    assert syntax_errors(probe_script("Windows", "n").encode()) == []


@pytest.mark.parametrize("sign", ["{", "}", "("])
def test_a_deleted_bracket_is_found(sign: str) -> None:
    script = probe_script("Windows", "n")
    first = next(re.finditer(re.escape(sign), script)).start()
    assert syntax_errors((script[:first] + script[first + 1 :]).encode()) != []


def test_errors_are_printed_with_their_place(tmp_path, capsys) -> None:
    file = tmp_path / "x.ps1"
    file.write_text("function a {\n'x'\n")
    assert main([str(file)]) == 1
    assert re.match(rf"{file}:[0-9]+:[0-9]+: ", capsys.readouterr().out)
