"""Access keys: master, host, function and system keys, in a file that only its owner can read."""

import hmac
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from local.host.host_errors import ConfigError

EVENT_GRID_KEY = "eventgrid_extension"


def _new_key() -> str:
    return secrets.token_urlsafe(42)


@dataclass
class KeyStore:
    """Keys by scope. Comparisons take constant time."""

    master: str = field(default_factory=_new_key, repr=False)
    host: dict[str, str] = field(default_factory=lambda: {"default": _new_key()}, repr=False)
    system: dict[str, str] = field(default_factory=lambda: {EVENT_GRID_KEY: _new_key()}, repr=False)
    functions: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)

    def ensure(self, names: Iterable[str]) -> None:
        """Create a default key for each function that has none."""
        for name in names:
            self.functions.setdefault(name, {"default": _new_key()})

    def opens_function(self, candidate: str | None, function: str) -> bool:
        """Whether `candidate` is a key of the function, a host key or the master key."""
        own = self.functions.get(function, {}).values()
        return _one_of(candidate, (*own, *self.host.values(), self.master))

    def opens_admin(self, candidate: str | None) -> bool:
        """Whether `candidate` is the master key."""
        return _one_of(candidate, (self.master,))

    def opens_webhook(self, candidate: str | None, extension: str = EVENT_GRID_KEY) -> bool:
        """Whether `candidate` is the extension's system key or the master key."""
        own = [value for name, value in self.system.items() if name == extension]
        return _one_of(candidate, (*own, self.master))

    def knows(self, candidate: str | None) -> bool:
        """Whether `candidate` is a key of the whole host: host, system or master key."""
        return _one_of(candidate, (*self.host.values(), *self.system.values(), self.master))


def refused(keys: KeyStore, candidate: str | None) -> web.Response:
    """The answer to a key that does not open a part of the host itself: 403 where it opens another."""
    if keys.knows(candidate):
        return web.Response(status=403)
    return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})


def _one_of(candidate: str | None, keys: Iterable[str]) -> bool:
    given = (candidate or "").encode()
    matches = [hmac.compare_digest(given, key.encode()) for key in keys]
    return bool(given) and any(matches)


def load_keys(path: Path | None, functions: Iterable[str]) -> KeyStore:
    """Read the keys from `path` and create missing ones.

    Without a path, keys are kept in memory. Raises ConfigError for an invalid file.
    """
    store = KeyStore()
    if path is not None and path.exists():
        store = _read(path)
    store.ensure(functions)
    if path is not None:
        _write(path, store)
    return store


def _read(path: Path) -> KeyStore:
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        return KeyStore(
            master=str(document["masterKey"]),
            host=_text_map(document["hostKeys"]),
            system=_text_map(document["systemKeys"]),
            functions={name: _text_map(keys) for name, keys in document["functionKeys"].items()},
        )
    except (ValueError, KeyError, AttributeError) as broken:
        raise ConfigError([f"the key file {path} is invalid ({broken!r}); delete it to create new keys"]) from broken


def _text_map(value: Any) -> dict[str, str]:
    return {str(name): str(key) for name, key in value.items()}


def _write(path: Path, store: KeyStore) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "masterKey": store.master,
        "hostKeys": store.host,
        "systemKeys": store.system,
        "functionKeys": store.functions,
    }
    scratch = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    scratch.touch(mode=0o600)
    scratch.write_text(json.dumps(document, indent=2) + "\n")
    scratch.replace(path)
