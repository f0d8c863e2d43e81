"""Options of a stack."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

PROJECT_ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("azurite", "eventgrid", "arm", "host", "scanner")
"""In start order. They are stopped in reverse order."""
SECOND_HOST = "second-host"
"""A second instance of the host on the same storage. It starts last, and only if the stack has an app for it."""


class StackError(Exception):
    """The stack cannot do what was requested. The message says what happened, where, and what to do."""


_PATHS = ("policy", "app", "world", "arm_plan", "second_app")


@dataclass(frozen=True, slots=True)
class StackOptions:
    """Options of a stack.

    `speed` is the number of simulated seconds per real second. `duplicate` and `late` are the shares of events that are
    delivered twice or late, and so out of order. `ports` has ports by service (`host`, `arm`, `eventgrid`,
    `eventgrid-control`, `scanner`, `blob`, `queue`, `table`); other services keep their last port if it is free.
    `arm_plan` is a file with fault rules for the ARM simulator. `settings` are additional app settings. `sign_in` lets
    users sign in to the pages as a user in `people.json`, and clients send the user's token; without it, the pages
    require the function key in a header, and nobody can act on releases.
    `second_app` is the app of a second host on the same storage, which shares the queues with the first; without it,
    there is one host.
    """

    speed: float = 60.0
    seed: int = 1
    policy: Path = PROJECT_ROOT / "promotion.yaml"
    app: Path = PROJECT_ROOT
    world: Path = PROJECT_ROOT / "local" / "world" / "sample.json"
    arm_plan: Path | None = None
    scanner: bool = True
    duplicate: float = 0.2
    late: float = 0.2
    ports: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    sign_in: bool = False
    second_app: Path | None = None

    @classmethod
    def from_record(cls, document: Mapping[str, Any]) -> "StackOptions":
        """The options of a running stack, from its record."""
        paths = {name: Path(document[name]) for name in _PATHS if document.get(name) is not None}
        return cls(**{**document, **paths})

    def record(self) -> dict[str, Any]:
        """The options as JSON."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()} | {
            "ports": dict(self.ports),
            "settings": dict(self.settings),
        }

    def check(self) -> None:
        """Raise StackError with all invalid options."""
        faults = []
        if not 1 <= self.speed <= 100_000:
            faults.append(f"speed must be between 1 and 100000, not {self.speed}")
        faults += [
            f"{what} {path} is not a file"
            for what, path in (("policy", self.policy), ("world", self.world), ("arm plan", self.arm_plan))
            if path is not None and not path.is_file()
        ]
        faults += [
            f"{name} must be between 0 and 1" for name in ("duplicate", "late") if not 0 <= getattr(self, name) <= 1
        ]
        faults += [
            f"port {name}={port} must be between 1 and 65535"
            for name, port in self.ports.items()
            if not 0 < port < 65536
        ]
        faults += [
            f"unknown port {name!r}; the ports are {', '.join(PORTS)}" for name in self.ports if name not in PORTS
        ]
        if faults:
            raise StackError("; ".join(faults))


PORTS = ("host", "arm", "eventgrid", "eventgrid-control", "scanner", "blob", "queue", "table")
