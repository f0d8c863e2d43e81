"""The file of bearer tokens: whose they are, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.host import ConfigError
from local.host.people import Person
from local.host.tokens import Tokens, load_tokens

ONE, OTHER = (
    Person(f"0a0b0c0d-0000-4000-8000-00000000000{digit}", "0a0b0c0d-0000-4000-8000-0000000000ee", f"{digit}@x", digit)
    for digit in "ab"
)
GOOD = {ONE.account: "o" * 32, OTHER.account: "t" * 40}


def loaded(tmp_path: Path, document: Any) -> Tokens:
    path = tmp_path / "tokens.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return load_tokens(path, (ONE, OTHER))


def test_a_token_is_found_by_its_account(tmp_path: Path) -> None:
    tokens = loaded(tmp_path, GOOD)
    assert [tokens.holder(each) for each in (*GOOD.values(), "", "o", "\ud800")] == [ONE.id, OTHER.id, None, None, None]


def test_without_tokens_nobody_is_found() -> None:
    assert Tokens().holder("") is None


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("{", "not valid JSON"),
        ([], "an object"),
        ({**GOOD, "c@x": "c" * 32}, "c@x is no user"),
        ({ONE.account: "short"}, "at least 32"),
        ({ONE.account: "o" * 31 + " "}, "at least 32"),
        ({ONE.account: 7}, "at least 32"),
        (dict.fromkeys(GOOD, "s" * 32), "the same token"),
    ],
)
def test_a_file_with_faults_is_refused(tmp_path: Path, document: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        loaded(tmp_path, document)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_tokens(tmp_path / "none.json", ())
