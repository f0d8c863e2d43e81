"""The persistent record of a stack: its options, ports, secrets and processes."""

import contextlib
import fcntl
import json
import os
import secrets
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from local.stack.options import StackError
from local.stack.processes import ProcessId


@dataclass(slots=True)
class Record:
    """The file `stack.json` in a stack's folder. Only its owner can read it, because it contains keys."""

    file: Path
    chosen: dict[str, Any] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    webhook_key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    topic_key: str = field(default_factory=lambda: b64encode(secrets.token_bytes(32)).decode(), repr=False)
    identity: dict[str, str] = field(default_factory=dict, repr=False)
    processes: dict[str, ProcessId] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> "Record":
        """Read the file, or create an empty record if it does not exist. Raises StackError if it is invalid."""
        if not file.is_file():
            return cls(file)
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            processes = {name: ProcessId(**one) for name, one in document.pop("processes").items()}
            return cls(file, processes=processes, **document)
        except (ValueError, TypeError, KeyError) as error:
            raise StackError(
                f"{file} is invalid ({error!r}); delete it, and end the stack's processes manually"
            ) from error

    def save(self) -> None:
        """Write the file atomically."""
        document = {name: getattr(self, name) for name in ("chosen", "ports", "webhook_key", "topic_key", "identity")}
        document["processes"] = {name: asdict(one) for name, one in self.processes.items()}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_private(self.file, json.dumps(document, indent=2) + "\n")

    @property
    def alive(self) -> dict[str, ProcessId]:
        """The running processes."""
        return {name: one for name, one in self.processes.items() if one.alive}


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, atomically."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
    temporary.replace(file)


@contextlib.contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Allow only one command at a time to change a stack. Raises StackError while another command does."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "stack.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError(f"another command is starting or stopping the stack in {directory}; try again") from error
        yield
