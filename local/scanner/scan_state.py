"""What a scanner must not forget when it is killed: what it shall scan, and what it has scanned."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class ScanState:
    """Image versions to be scanned with the time (seconds since the epoch) they are due, and those that are done.

    A version is known by its id and the time it was published, since a number can be used again. `requests` are
    versions to be scanned although they are done, with the event that asked for it; `answered` are such events.
    """

    file: Path | None
    waiting: dict[str, float] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    requests: dict[str, str] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, file: Path | None) -> "ScanState":
        """Read the file, or begin anew where there is none or (after a crash of the whole machine) half of one."""
        if file is None or not file.is_file():
            return cls(file)
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            return cls(
                file,
                dict(document["waiting"]),
                set(document["done"]),
                dict(document.get("requests", {})),
                set(document.get("answered", ())),
            )
        except (ValueError, KeyError, TypeError):
            return cls(file)

    def complete(self, image: str, event: str | None) -> None:
        """An image was seen to. A request that came meanwhile stands: it is for another scan."""
        if event is not None:
            self.answered.add(event)
        if self.requests.get(image) == event:
            self.requests.pop(image, None)
            del self.waiting[image]

    def save(self) -> None:
        """Write it all; a reader sees the old or the new, never a part."""
        if self.file is None:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.file.with_suffix(".new")
        with temporary.open("w", encoding="utf-8") as out:
            document = {"waiting": self.waiting, "done": sorted(self.done)}
            json.dump({**document, "requests": self.requests, "answered": sorted(self.answered)}, out)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(self.file)
