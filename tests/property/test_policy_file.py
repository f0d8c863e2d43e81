"""Whatever the text: a policy, or faults with places; never another error, never a long time."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.policy_file import Fault, PolicyFaults, load_policy
from shared.policy_file.fields import _duration, duration_text

SAMPLE = (Path(__file__).parents[2] / "promotion.yaml").read_text(encoding="utf-8")
LINES = SAMPLE.splitlines(keepends=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


def outcome(text: str) -> str | None:
    """The digests of a policy, or None when it is refused with places that exist."""
    faults: tuple[Fault, ...] = ()
    try:
        policy = load_policy(text, name="p")
        return "".join(definition.digest for definition in policy.definitions.values())
    except PolicyFaults as refused:
        faults = refused.faults
    assert faults
    last = text.count("\n") + 2
    assert all(1 <= fault.line <= last and fault.column >= 1 and fault.message for fault in faults)
    return None


@given(st.text(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_text_is_refused_with_places(text: str) -> None:
    assert outcome(text) is None


@given(st.integers(0, len(SAMPLE)), st.integers(0, 30), st.text(alphabet=":-[]{}&*!|>'\"#%@` \n\tax0", max_size=6))
@settings(max_examples=250, deadline=None)
def test_a_damaged_policy_is_read_or_refused_with_places(start: int, length: int, new: str) -> None:
    outcome(SAMPLE[:start] + new + SAMPLE[start + length :])


@given(st.data())
@settings(max_examples=250, deadline=None)
def test_any_value_in_any_place_is_taken_or_refused_with_places(data: st.DataObject) -> None:
    document = yaml.safe_load(SAMPLE)
    holder: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        if not isinstance(holder[key], dict | list) or not holder[key] or data.draw(st.booleans()):
            break
        holder = holder[key]
    holder[key] = data.draw(VALUES)
    outcome(yaml.safe_dump(document, allow_unicode=True))


@given(st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_the_order_of_keys_changes_no_digest(source: random.Random) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shuffled(value[key]) for key in source.sample(sorted(value), len(value))}
        return [shuffled(part) for part in value] if isinstance(value, list) else value

    text = yaml.safe_dump(shuffled(yaml.safe_load(SAMPLE)), sort_keys=False)
    assert outcome(text) == outcome(SAMPLE) is not None


@given(st.integers(0, 10_000_000))
def test_a_duration_written_out_reads_back(seconds: int) -> None:
    if seconds >= 1_000_000 and seconds % 60:
        return
    assert _duration(duration_text(timedelta(seconds=seconds))) == timedelta(seconds=seconds)
