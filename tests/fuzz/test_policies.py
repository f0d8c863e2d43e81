"""Policy files: a policy, or every fault with its place; never anything else, and never for long."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.policy import Policy
from shared.policy_file import PolicyFaults
from shared.policy_file.load import load_policy
from shared.policy_file.patterns import compiled
from shared.policy_file.tree import MAX_NODES
from tests.fuzz.budget import bounded, entrance
from tests.fuzz.mutation import damaged

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [(ROOT / name).read_text(encoding="utf-8") for name in ("promotion.yaml", "local/demo/policy.yaml")]
FOLDER = ROOT / "local" / "demo"
"""Where the VEX documents are that these policies name."""
DOCUMENTS = [json.loads(json.dumps(yaml.safe_load(text), default=str)) for text in TEXTS]
SNIPPETS = st.sampled_from(
    ["\t", ": ", "- ", "&a ", "*a", "!!python/object:os.system ", "<<: *a", "{", "[", "]", "}", "|", ">", "%", "---\n",
     "?", '"', "'", "#", "\x00", "\x85", "0x1F", "1e400", ".inf", "2026-02-30", "~", "yes", "a: 1\na: 2\n", "\u2028",
     "-7d", "99999999999999h"]
)  # fmt: skip


def loaded(text: str, *, size: int | None = None) -> None:
    with bounded(size or len(text)):
        try:
            assert isinstance(load_policy(text, name="policy.yaml", folder=FOLDER), Policy)
        except PolicyFaults as faults:
            told = str(faults)
            assert told.strip()
            told.encode()


@entrance
@given(damaged(DOCUMENTS))
def test_a_damaged_policy_is_read_or_its_faults_are_told(document: Any) -> None:
    # allow_nan and lone surrogates as they come: YAML takes JSON's escapes.
    loaded(json.dumps(document))


@entrance
@given(st.sampled_from(TEXTS), st.lists(st.tuples(st.integers(0, 6000), SNIPPETS, st.integers(0, 20)), max_size=4))
def test_a_mistyped_policy_is_read_or_its_faults_are_told(text: str, slips: list[tuple[int, str, int]]) -> None:
    for at, snippet, removed in slips:
        place = at % (len(text) + 1)
        text = text[:place] + snippet + text[place + removed :]
    loaded(text)


@entrance
@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_any_text_is_read_or_its_faults_are_told(text: str) -> None:
    loaded(text)


@entrance
@given(st.text(max_size=200) | st.text("()[]{}|*+?.\\\\^$ab1,:=!<>P-zZ", max_size=200), st.text(max_size=2000))
def test_any_expression_is_matched_or_refused(expression: str, text: str) -> None:
    with bounded(len(text)):
        try:
            found = compiled(expression)
        except ValueError as refused:
            str(refused).encode()
            return
        assert found.search(text) or not found.fullmatch(text)


def test_the_policies_are_read_undamaged() -> None:
    for text in TEXTS:
        assert load_policy(text, name="policy.yaml", folder=FOLDER).definitions


def test_a_bomb_of_aliases_is_refused_in_no_time() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    # It is read up to the bound. Without aliases, that many parts need at least two bytes each.
    loaded("\n".join(lines), size=2 * MAX_NODES)


def test_a_tower_of_brackets_is_refused_in_no_time() -> None:
    for bracket in ("[", "{a: ", "- ", "? "):
        loaded(bracket * 20_000)
