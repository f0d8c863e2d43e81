"""The policy file's command, its generated reference and its JSON Schema."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.policy_file import PolicyFaults
from shared.policy_file.__main__ import main, read_file
from shared.policy_file.reference import json_schema, markdown
from tests.unit.policy_texts import MINIMAL, ROOT, SAMPLE


class TestReferenceAndCommand:
    def test_the_generated_reference_is_current(self) -> None:
        assert (ROOT / "docs/policy.md").read_text(encoding="utf-8") == markdown()

    def test_the_generated_schema_is_current(self) -> None:
        assert (ROOT / "docs/policy.schema.json").read_text(encoding="utf-8") == json_schema()

    def test_every_key_of_the_sample_is_in_the_schema(self) -> None:
        schema = json.loads(json_schema())

        def follow(node: dict[str, Any]) -> dict[str, Any]:
            while "$ref" in node:
                node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
            return node

        def check(value: Any, node: dict[str, Any]) -> None:
            options = [follow(option) for option in follow(node).get("anyOf", [node])]
            if isinstance(value, dict):
                shape = next(
                    follow(o) for o in options if "properties" in follow(o) or "additionalProperties" in follow(o)
                )
                if "properties" in shape:
                    assert shape["additionalProperties"] is False
                    for key, part in value.items():
                        check(part, shape["properties"][key])
            elif isinstance(value, list):
                items = next(follow(option) for option in options if "items" in follow(option))["items"]
                for part in value:
                    check(part, items)

        check(yaml.safe_load(SAMPLE), schema)

    def test_check_notes_too_few_replicas_and_what_they_cost(self, tmp_path: Path) -> None:
        fleet = "- name: canary\n        fleet: {vms: 120, scaleSets: [600], imageGB: 30}"
        prices = "version: 1\nprices: {asOf: 2026-11-01, currency: EUR, perGbMonth: {Standard_LRS: 0.05}}\n"
        path = tmp_path / "p.yaml"
        path.write_text(MINIMAL.replace("- name: canary", fleet).replace("version: 1\n", prices))
        code, out, _ = self.run("check", str(path))
        assert code == 0
        assert "note: the fleet of canary needs 9 replicas in each region: westeurope has 1" in out
        assert "note: replicas of one version in canary: 1.50 EUR a month (prices of 2026-11-01)" in out

    def run(self, *arguments: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main(arguments)
        return code, out.getvalue(), err.getvalue()

    def test_check_prints_every_fault_and_exits_1(self, tmp_path: Path) -> None:
        file = tmp_path / "bad.yaml"
        file.write_text(MINIMAL.replace("[westeurope]", "[x, y]"))
        code, out, err = self.run("check", str(file))
        assert (code, len(out.splitlines()), err) == (1, 2, "2 errors\n")
        assert all(line.startswith(f"{file}:11:") for line in out.splitlines())

    def test_check_prints_a_summary_and_exits_0(self) -> None:
        code, out, _ = self.run("check", str(ROOT / "promotion.yaml"))
        assert code == 0
        assert "production in gal_prod: eastus2, southeastasia, westeurope, bakes 2h" in out

    def test_check_points_out_an_exception_that_has_expired(self, tmp_path: Path) -> None:
        file = tmp_path / "p.yaml"
        file.write_text(MINIMAL + "exceptions: [{id: CVE-2020-1, owner: ada, reason: b, expires: 2020-01-01}]\n")
        assert "the exception of ada for CVE-2020-1 has expired (2020-01-01)" in self.run("check", str(file))[1]

    def test_a_file_that_is_not_there_is_a_fault(self, tmp_path: Path) -> None:
        code, out, _ = self.run("check", str(tmp_path / "none.yaml"))
        assert (code, "cannot be read: No such file" in out) == (1, True)

    def test_a_file_that_is_not_utf8_is_a_fault_with_its_line(self, tmp_path: Path) -> None:
        file = tmp_path / "latin.yaml"
        file.write_bytes(b"version: 1\n# \xe9\n")
        with pytest.raises(PolicyFaults, match=r"latin.yaml:2:1: is not UTF-8 text"):
            read_file(file)

    def test_it_runs_as_a_module(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "shared.policy_file", "check", "promotion.yaml"],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
