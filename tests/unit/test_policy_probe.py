"""Severities, checks of your own and baselines in the policy file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from shared.domain.boot_test.own_checks import BaselineRules, CommandCheck, FileCheck, PortCheck, ServiceCheck
from shared.domain.boot_test.probe_check import CheckSeverity
from shared.policy_file import PolicyFaults, load_policy, read_file
from tests.unit.policy_texts import MINIMAL, only
from tests.unit.test_policy_boot import boot, faults, text


def digest(written: str, folder: Path | None = None) -> str:
    return only(load_policy(text(written), name="p", folder=folder)).digest


class TestSeverities:
    def test_they_are_by_id_of_a_check(self) -> None:
        rules = boot("checks: {swap: error, systemd: warn, dns: 'off', imds: off}")
        assert rules.checks == {
            "swap": CheckSeverity.ERROR,
            "systemd": CheckSeverity.WARN,
            "dns": CheckSeverity.OFF,
            "imds": CheckSeverity.OFF,
        }

    @pytest.mark.parametrize(
        ("written", "word"),
        [
            ("checks: {swapp: error}", "there is no check 'swapp'"),
            ("checks: {swap: fatal}", "'error', 'warn' or 'off'"),
            ("checks: {cloud_init: 'off'}", "'cloud_init' proves that the machine booted"),
            ("checks: {boot_id: warn}", "'boot_id' proves that the machine booted"),
            ("checks: {agent: 'off'}", "'agent' proves that the machine booted"),
            ("ignoreUnits: ['*']", "is not a pattern of a unit"),
            ("ignoreUnits: ['a b']", "is not a pattern of a unit"),
        ],
    )
    def test_what_cannot_be_is_refused(self, written: str, word: str) -> None:
        (fault,) = faults(written)
        assert word in fault

    def test_units_to_ignore_are_patterns(self) -> None:
        assert boot("ignoreUnits: ['cups*.service', snapd.service]").ignore_units == ("cups*.service", "snapd.service")


class TestOwnChecks:
    def test_each_kind_is_read(self) -> None:
        own = boot(
            "ownChecks: [{id: a, command: nginx -t, expect: {exitCode: 1, matches: '^ok$'}, timeout: 5s, "
            "severity: warn}, "
            "{id: b, file: {path: /etc/x, mode: '0640', owner: root}}, {id: c, service: {name: ssh, running: true}}, "
            "{id: d, port: {number: 22}, remedy: Start it.}]"
        ).own_checks
        assert [each.expect for each in own] == [
            CommandCheck("nginx -t", 1, "^ok$", timedelta(seconds=5)),
            FileCheck("/etc/x", mode="640", owner="root"),
            ServiceCheck("ssh", running=True),
            PortCheck(22),
        ]
        assert (own[0].severity, own[3].remedy) == (CheckSeverity.WARN, "Start it.")

    @pytest.mark.parametrize(
        ("written", "word"),
        [
            ("{id: a}", "exactly one of command"),
            ("{id: a, command: x, port: {number: 1}}", "exactly one of command"),
            ("{id: A, command: x}", "ownChecks[0].id"),
            ("{id: a, command: x}, {id: a, command: y}", "the id 'a' occurs twice"),
            ("{id: a, command: ' '}", "must be a command"),
            ("{id: a, command: x, timeout: 8m}", "more than half of probeWithin"),
            ("{id: a, port: {number: 1}, timeout: 8s}", "are for command and script alone"),
            (r"{id: a, command: x, expect: {matches: '\d+'}}", "not an extended regular expression"),
            ("{id: a, command: x, expect: {matches: 'a+?'}}", "not an extended regular expression"),
            ("{id: a, command: x, expect: {matches: '(?i)a'}}", "not an extended regular expression"),
            ("{id: a, command: x, expect: {matches: '('}}", "is not a regular expression"),
            ("{id: a, file: {path: etc/x}}", "is not an absolute path"),
            ("{id: a, file: {path: /etc/x, mode: 640}}", "is not a file mode"),
            ("{id: a, service: {name: ssh}}", "set running, enabled or both"),
            ("{id: a, service: {name: -x, running: true}}", "ownChecks[0].service.name"),
            ("{id: a, script: ../x.sh}", "is not a valid path of a script"),
            ("{id: a, script: x.sh}", "can only be read for a policy that is read from a file"),
        ],
    )
    def test_what_cannot_be_is_refused(self, written: str, word: str) -> None:
        assert any(word in fault for fault in faults(f"ownChecks: [{written}]"))

    def test_a_backslash_before_a_sign_is_an_extended_expression(self) -> None:
        (check,) = boot(r"ownChecks: [{id: a, command: x, expect: {matches: '^a\.b\\$'}}]").own_checks
        assert isinstance(check.expect, CommandCheck)


class TestScripts:
    def policy(self, folder: Path, body: bytes) -> Path:
        (folder / "checks").mkdir(exist_ok=True)
        (folder / "checks/x.sh").write_bytes(body)
        file = folder / "promotion.yaml"
        file.write_text(text("ownChecks: [{id: a, script: checks/x.sh}]"))
        return file

    @pytest.mark.parametrize(
        ("body", "interpreter"),
        [
            (b"exit 0\n", "sh"),
            (b"#!/bin/sh -eu\nexit 0\n", "sh"),
            (b"#!/usr/bin/env bash\nexit 0\n", "bash"),
            (b"#!/usr/bin/python3\r\nexit(0)\r\n", "python3"),
        ],
    )
    def test_a_script_is_read_from_beside_the_policy(self, tmp_path: Path, body: bytes, interpreter: str) -> None:
        (check,) = only(read_file(self.policy(tmp_path, body))).boot.own_checks
        assert isinstance(check.expect, CommandCheck)
        assert (check.script, check.expect.interpreter) == ("checks/x.sh", interpreter)
        assert check.expect.text == body.decode().replace("\r\n", "\n")

    def test_its_text_is_part_of_the_digest(self, tmp_path: Path) -> None:
        one = only(read_file(self.policy(tmp_path, b"exit 0\n"))).digest
        assert only(read_file(self.policy(tmp_path, b"exit 1\n"))).digest != one

    @pytest.mark.parametrize(
        ("body", "word"),
        [
            (b"", "is empty"),
            (b"a\0b", "NUL"),
            (b"\xff", "is not UTF-8"),
            (b"#!/usr/bin/perl\n", "interpreter other than"),
            (b"#" * 70_000, "the maximum is 65536"),
        ],
    )
    def test_what_cannot_be_run_is_refused(self, tmp_path: Path, body: bytes, word: str) -> None:
        with pytest.raises(PolicyFaults, match=word):
            read_file(self.policy(tmp_path, body))

    def test_a_link_out_of_the_folder_is_refused(self, tmp_path: Path) -> None:
        file = self.policy(tmp_path, b"exit 0\n")
        (tmp_path / "checks/x.sh").unlink()
        (tmp_path / "checks/x.sh").symlink_to("/etc/hostname")
        with pytest.raises(PolicyFaults, match="outside the policy's folder"):
            read_file(file)


class TestBaseline:
    def test_rules_lose_the_prefix_of_the_guide(self) -> None:
        rules = boot(
            "baseline: {path: /var/lib/x.xml, maxFailed: 3, required: [xccdf_org.ssgproject.content_rule_a, b]}"
        )
        assert rules.baseline == BaselineRules("/var/lib/x.xml", 3, ("a", "b"))


class TestDigest:
    def test_a_policy_that_says_nothing_of_checks_has_the_digest_of_before(self) -> None:
        plain = only(load_policy(MINIMAL, name="p")).digest
        assert digest("checks: {}, ignoreUnits: [], ownChecks: [], baseline: null") == plain

    def test_the_order_of_checks_changes_nothing_and_their_content_does(self) -> None:
        one, two = "{id: a, command: x}", "{id: b, command: y}"
        assert digest(f"ownChecks: [{one}, {two}]") == digest(f"ownChecks: [{two}, {one}]")
        assert digest(f"ownChecks: [{one}]") != digest(f"ownChecks: [{two}]")
        assert digest("checks: {swap: error}") != digest("checks: {swap: warn}")
