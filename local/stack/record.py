"""What a stack remembers between commands: its choices, ports, secrets and processes."""

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
    """The file `stack.json` of a stack's folder; for its owner's eyes alone, since it holds keys."""

    file: Path
    chosen: dict[str, Any] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    webhook_key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    topic_key: str = field(default_factory=lambda: b64encode(secrets.token_bytes(32)).decode(), repr=False)
    identity: dict[str, str] = field(default_factory=dict, repr=False)
    processes: dict[str, ProcessId] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> "Record":
        """Read the file, or begin anew where there is none; raises StackError for one that cannot be read."""
        if not file.is_file():
            return cls(file)
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            processes = {name: ProcessId(**one) for name, one in document.pop("processes").items()}
            return cls(file, processes=processes, **document)
        except (ValueError, TypeError, KeyError) as error:
            raise StackError(
                f"{file} cannot be read ({error!r}); delete it, and end leftover processes by hand"
            ) from error

    def save(self) -> None:
        """Write it all at once, so that a command that is cut off leaves the old or the new."""
        document = {name: getattr(self, name) for name in ("chosen", "ports", "webhook_key", "topic_key", "identity")}
        document["processes"] = {name: asdict(one) for name, one in self.processes.items()}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_private(self.file, json.dumps(document, indent=2) + "\n")

    @property
    def alive(self) -> dict[str, ProcessId]:
        """The processes that run."""
        return {name: one for name, one in self.processes.items() if one.alive}


def write_private(file: Path, text: str) -> None:
    """Replace a file that only its owner may read."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
    temporary.replace(file)


@contextlib.contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """One command at a time may change the stack of a folder; raises StackError while another does."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "stack.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError(f"another command is just starting or stopping the stack in {directory}") from error
        yield
