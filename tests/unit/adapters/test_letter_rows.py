"""Dead letters as table entities: back as they went in, or refused in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.adapters.azure.entities import letter_entity, letter_of
from shared.codec import Malformed
from shared.ports import DeadLetter

LETTER = DeadLetter("i", "q", "why", "body", datetime(2026, 3, 2, 8, tzinfo=UTC), "/x")


def test_a_letter_comes_back_as_it_went_in() -> None:
    assert letter_of(letter_entity(LETTER)) == LETTER


@pytest.mark.parametrize("change", [{"id": 5}, {"reason": None}, {"body": "text"}, {"at": "2026"}, {"release": 5}])
def test_a_letter_with_another_kind_of_value_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match="dead letter"):
        letter_of({**letter_entity(LETTER), **change})


def test_a_body_that_is_no_text_is_shown_as_far_as_it_is() -> None:
    assert letter_of({**letter_entity(LETTER), "body": b"a\xffb"}).body == "a\ufffdb"
