"""App settings: their sources, and `%NAME%` in bindings."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import environ
from pathlib import Path

from local.host.host_errors import ConfigError

_PLACEHOLDER = re.compile(r"%([^%]+)%")


def load_settings_file(path: Path) -> dict[str, str]:
    """Read `Values` of a local.settings.json.

    Raises ConfigError if the file is missing, encrypted or has values that are not strings.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as missing:
        raise ConfigError([f"{path} does not exist; copy local.settings.template.json and set its values"]) from missing
    except ValueError as broken:
        raise ConfigError([f"{path} is not valid JSON: {broken}"]) from broken
    if document.get("IsEncrypted"):
        raise ConfigError([f"{path} is encrypted; run `func settings decrypt` first"])
    values = document.get("Values", {})
    faults = [
        f"{path}: Values.{name} must be a string, not {value!r}"
        for name, value in values.items()
        if not isinstance(value, str)
    ]
    if faults:
        raise ConfigError(faults)
    return values


def resolve(text: str, settings: Mapping[str, str], where: str) -> str:
    """Replace each `%NAME%` by that app setting. Raises ConfigError that names the missing setting and `where`."""
    faults = [
        f"{where}: %{name}% is used, but the app setting {name} is not set"
        for name in _PLACEHOLDER.findall(text)
        if name not in settings
    ]
    if faults:
        raise ConfigError(faults)
    return _PLACEHOLDER.sub(lambda match: settings[match[1]], text)


@contextmanager
def as_environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set the app settings as environment variables inside the context, and restore the previous values afterwards."""
    before = {name: environ.get(name) for name in settings}
    environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                environ.pop(name, None)
            else:
                environ[name] = value
