"""Regular expressions of the policy: matched in linear time, or refused with a reason."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.domain.boot_test.console import judge_console
from shared.policy_file import PolicyFaults, load_policy
from shared.policy_file.patterns import compiled
from tests.unit.policy_texts import MINIMAL, only

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "pattern",
    ["(?:a|ab?)*c", "(a+)+$", "(.*)*x", r"(\w+\s?)*x", "(a|a+)*x", "(x+x+)+y", "((ab)+)*x", "(a*)*(a*)*(a*)*x"],
)
def test_no_expression_takes_longer_than_linear_time(pattern: str) -> None:
    found = compiled(pattern)
    for text in ("ab" * 50_000, "a" * 100_000, "x" * 100_000):
        began = time.process_time()
        found.search(text)
        found.fullmatch(text)
        assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("pattern", "text", "searched", "whole"),
    [
        ("[0-9a-f]{4}", "00ff", True, True),
        ("[0-9a-f]{4}", "00fff", True, False),
        ("(?i)licence (expired|gone)", "the Licence Expired.", True, False),
        ("", "x", True, False),
        ("é+", "éé", True, True),
        (r"\w", "é", False, False),
        ("^a$", "a\n", False, False),
        (".", "\ud800", True, True),
    ],
)
def test_an_expression_is_searched_for_and_held_to_the_whole(
    pattern: str, text: str, *, searched: bool, whole: bool
) -> None:
    assert (compiled(pattern).search(text), compiled(pattern).fullmatch(text)) == (searched, whole)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("[", "missing ]"),
        ("(a", "missing )"),
        ("a**", "bad repetition operator"),
        ("a{1001}", "invalid repetition size"),
        (r"(a)\1", "Backreferences are not supported"),
        ("(?P<x>a)(?P=x)", "Backreferences are not supported"),
        ("(?=a)b", "Lookahead and lookbehind"),
        ("(?!a)b", "Lookahead and lookbehind"),
        ("(?<=a)b", "Lookahead and lookbehind"),
        ("(?<!a)b", "Lookahead and lookbehind"),
        (r"a\Z", r"the text is \z"),
        ("(?>a)", "invalid perl operator"),
        ("(?:.?){1000}" * 16, "pattern too large"),
        ("\ud800", "unpaired surrogate"),
    ],
)
def test_what_can_not_be_matched_in_linear_time_is_refused_with_the_reason(pattern: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        compiled(pattern)


def test_an_expression_is_known_by_its_text() -> None:
    assert compiled("a") == compiled("a") != compiled("b")
    assert "_compiled" not in repr(compiled("a"))


def test_the_policys_expressions_judge_a_console() -> None:
    boot = "    boot: {serialFail: ['(?:a|ab?)*c$'], serialIgnore: [harmless]}\n    rings:\n"
    rules = only(load_policy(MINIMAL.replace("    rings:\n", boot), name="p")).boot
    assert judge_console(b"ababc\n", rules).reasons == ("policy pattern '(?:a|ab?)*c$'",)
    assert judge_console(b"harmless ababc\n" + b"ab" * 100_000, rules).reasons == ()


def test_a_fault_tells_the_expression_its_place_and_what_to_do() -> None:
    text = MINIMAL.replace("    rings:\n", "    boot: {serialFail: ['(?!x)y']}\n    rings:\n")
    with pytest.raises(PolicyFaults) as caught:
        load_policy(text, name="p")
    assert str(caught.value) == (
        "p:9:25: definitions[0].boot.serialFail[0]: '(?!x)y' is not a regular expression: RE2 reports: invalid perl "
        "operator: (?!. Lookahead and lookbehind are not supported"
    )


def test_a_policy_without_expressions_does_without_the_engine() -> None:
    load = "import sys; from shared.policy_file import read_file; from pathlib import Path\n"
    load += "read_file(Path('promotion.yaml')); sys.exit('re2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", load], cwd=ROOT, check=False).returncode == 0
