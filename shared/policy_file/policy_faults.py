"""Faults of a policy file: where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

Path = tuple[str | int, ...]
"""Where in the document: keys and indexes from its root."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault. Lines and columns count from 1; ``path`` reads like ``definitions[0].rings[1].bake``."""

    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.path}: {self.message}" if self.path else self._bare

    @property
    def _bare(self) -> str:
        return f"{self.line}:{self.column}: {self.message}"


class PolicyFaults(ValueError):
    """Everything that is wrong with a policy file, in the order of its lines."""

    def __init__(self, name: str, faults: Iterable[Fault]) -> None:
        self.name = name
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(f"{name}:{fault}" for fault in self.faults))


def path_text(path: Path) -> str:
    """``definitions[0].rings[1].bake``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass(frozen=True, slots=True)
class Places:
    """Where the parts of a document stand: path -> (line, column). A key's own place is kept beside its value's."""

    values: Mapping[Path, tuple[int, int]]
    keys: Mapping[Path, tuple[int, int]]

    def fault(self, path: Path, message: str, *, at_key: bool = False) -> Fault:
        """A fault at a path, placed at the nearest part of the document that exists."""
        place = self.keys.get(path) if at_key else None
        known = path
        while place is None:
            place = self.values.get(known)
            if place is None and not known:
                place = (1, 1)
            known = known[:-1]
        return Fault(*place, path_text(path), message)


def from_pydantic(error: ValidationError, places: Places, fields_at: Mapping[Path, Iterable[str]]) -> list[Fault]:
    """Faults of the shape. ``fields_at`` gives the keys that are known at a path, for a hint at a misspelt one."""
    return [_fault(dict(detail), places, fields_at) for detail in error.errors(include_url=False)]


def _fault(detail: dict[str, Any], places: Places, fields_at: Mapping[Path, Iterable[str]]) -> Fault:
    path: Path = tuple(detail["loc"])
    match detail["type"]:
        case "extra_forbidden":
            near = get_close_matches(str(path[-1])[:80], list(fields_at.get(path[:-1], ())), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            return places.fault(path, f"unknown key.{hint}", at_key=True)
        case "missing":
            return places.fault(path, "is missing")
        case "string_type":
            return places.fault(
                path, f"a string is expected, not {_kind(detail['input'])}. Put the value in quotes if it is a string"
            )
        case "model_type" | "dict_type":
            return places.fault(path, f"a mapping is expected, not {_kind(detail['input'])}")
        case "list_type":
            return places.fault(path, f"a list is expected, not {_kind(detail['input'])}")
        case "too_short":
            return places.fault(path, "must not be empty")
        case "string_pattern_mismatch":
            return places.fault(path, f"{detail['input'][:80]!r} does not match {detail['ctx']['pattern']}")
        case "date_type":
            return places.fault(path, "a date is expected, such as 2027-03-31")
        case _:
            return places.fault(path, _sentence(detail["msg"]))


def _kind(value: object) -> str:
    names = {dict: "a mapping", list: "a list", str: "a string", bool: "a Boolean", int: "a number", float: "a number"}
    return "nothing" if value is None else names.get(type(value), f"a {type(value).__name__}")


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:] if message[:2] != message[:2].upper() else message
