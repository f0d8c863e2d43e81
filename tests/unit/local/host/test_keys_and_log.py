"""Access keys, and log lines that hold none."""

import json
import logging
import stat
from pathlib import Path

import pytest

from local.host.host_errors import ConfigError
from local.host.keys import EVENT_GRID_KEY, KeyStore, load_keys
from local.host.log import JsonLines, redact


def test_a_function_opens_to_its_own_key_a_host_key_and_the_master_key_only() -> None:
    keys = KeyStore()
    keys.ensure(["a", "b"])
    assert all(
        keys.opens_function(key, "a") for key in (keys.functions["a"]["default"], keys.host["default"], keys.master)
    )
    others = (keys.functions["b"]["default"], keys.system[EVENT_GRID_KEY], "", None, "x", "é")
    assert not any(keys.opens_function(key, "a") for key in others)


def test_admin_opens_to_the_master_key_only() -> None:
    keys = KeyStore()
    assert keys.opens_admin(keys.master)
    assert not keys.opens_admin(keys.host["default"])


def test_the_webhook_opens_to_the_system_key_and_the_master_key_only() -> None:
    keys = KeyStore()
    assert keys.opens_webhook(keys.system[EVENT_GRID_KEY])
    assert keys.opens_webhook(keys.master)
    assert not keys.opens_webhook(keys.host["default"])


def test_keys_survive_a_restart_and_new_functions_get_theirs(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "keys.json"
    first = load_keys(path, ["a"])
    second = load_keys(path, ["a", "b"])
    assert second.master == first.master
    assert second.functions["a"] == first.functions["a"]
    assert load_keys(path, []).functions["b"] == second.functions["b"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_broken_keys_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("{}")
    with pytest.raises(ConfigError, match="delete it"):
        load_keys(path, [])


def test_keys_are_not_in_the_representation_of_their_store() -> None:
    keys = KeyStore()
    assert keys.master not in repr(keys)


@pytest.mark.parametrize(
    "text",
    [
        "GET https://a.blob.core.windows.net/c/b?sv=2024&sig=SECRET%3D&se=1",
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=SECRET==;EndpointSuffix=x",
        "POST /runtime/webhooks/eventgrid?functionName=f&code=SECRET",
        "{'x-functions-key': 'SECRET'}",
        "Authorization: Bearer SECRET",
        "InstrumentationKey=SECRET;IngestionEndpoint=https://x",
    ],
)
def test_a_log_line_holds_no_secret(text: str) -> None:
    record = logging.LogRecord("app", logging.INFO, __file__, 1, "%s", (text,), None)
    line = JsonLines(lambda _: None).format(record)
    assert "SECRET" not in line
    assert json.loads(line)["message"] == redact(text)
