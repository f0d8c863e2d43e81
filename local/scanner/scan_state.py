"""The scanner's persistent state: scans to do and scans that are done."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class ScanState:
    """Image versions to scan, with the time (seconds since the epoch) of the scan, and completed ones.

    A version is identified by its id and publication date, because a number can be reused. `requests` are completed
    versions to scan again, with the event that requested it; `answered` are the events of completed requests.
    """

    file: Path | None
    waiting: dict[str, float] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    requests: dict[str, str] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, file: Path | None) -> "ScanState":
        """Read the file. Starts with an empty state if the file does not exist or is incomplete."""
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
        """Mark a scan as done. A request that arrived meanwhile stays pending."""
        if event is not None:
            self.answered.add(event)
        if self.requests.get(image) == event:
            self.requests.pop(image, None)
            del self.waiting[image]

    def save(self) -> None:
        """Write the file atomically."""
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
