"""VEX documents beside the policy: OpenVEX and CycloneDX, read into statements, or every fault with its line.

Only what is needed of them: which vulnerability, in what, what is said of it, why, by whom, when. Whatever makes a
statement one that nobody can answer for (no reason, no time, no product) is a fault, and not passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from shared.policy_file.policy_faults import Fault, Path, path_text
from shared.policy_file.tree import MAX_BYTES, Unreadable, read_tree
from shared.policy_file.vex_statements import VexDocument


class VexFaults(ValueError):
    """Everything that is wrong with a document."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("; ".join(map(str, self.faults)))


def read_vex_file(folder: FilePath, file: str) -> VexDocument:
    """The document in a file of the folder, or below. Raises VexFaults, also for what can't be read or is elsewhere."""
    path = folder / file
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise VexFaults([Fault(1, 1, "", "is outside the policy's folder")])
        with path.open("rb") as opened:
            body = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise VexFaults([Fault(1, 1, "", f"cannot be read: {error.strerror}")]) from error
    return read_vex(body)


def read_vex(body: bytes) -> VexDocument:
    """Read an OpenVEX or CycloneDX document. Raises VexFaults."""
    if len(body) > MAX_BYTES:
        raise VexFaults([Fault(1, 1, "", f"is larger than {MAX_BYTES} bytes")])
    try:
        text = body.decode("utf-8-sig")
        document = json.loads(text)
    except UnicodeDecodeError as error:
        raise VexFaults([Fault(1, 1, "", "is not UTF-8 text")]) from error
    except json.JSONDecodeError as error:
        raise VexFaults([Fault(error.lineno, error.colno, "", f"is not JSON: {error.msg}")]) from error
    except RecursionError as error:
        raise VexFaults([Fault(1, 1, "", "is nested too deeply")]) from error
    except ValueError as error:
        # Python converts no number of more than 4,300 digits (sys.set_int_max_str_digits).
        raise VexFaults([Fault(1, 1, "", "contains a number with too many digits")]) from error
    try:
        return _read(document)
    except ValidationError as error:
        raise VexFaults(_placed(error, text)) from error


def _read(document: Any) -> VexDocument:
    # A policy without such documents does without the models: they cost time when an app starts.
    if isinstance(document, dict):
        if str(document.get("@context", "")).startswith("https://openvex.dev/ns"):
            from shared.policy_file.openvex import OpenVex

            context = {"dated": _dated(document, "last_updated", "timestamp")}
            return OpenVex.model_validate(document, context=context).document()
        if document.get("bomFormat") == "CycloneDX":
            from shared.policy_file.cyclonedx_vex import CycloneDx

            context = {"dated": _dated(document.get("metadata"), "timestamp")}
            return CycloneDx.model_validate(document, context=context).document()
    raise VexFaults([Fault(1, 1, "", "is neither OpenVEX (@context) nor CycloneDX (bomFormat) JSON")])


def _dated(section: Any, *names: str) -> bool:
    """Whether a document has a time of its own, be it a right one: its statements then need none."""
    return isinstance(section, dict) and any(str(section.get(name) or "").strip() for name in names)


def _placed(error: ValidationError, text: str) -> list[Fault]:
    faults: list[tuple[Path, str]] = [(each["loc"], _message(each)) for each in error.errors(include_url=False)]
    try:
        # JSON is YAML but for tabs, which only stand between its parts: raw ones in strings are no JSON.
        _, places, _ = read_tree(text.removeprefix("\ufeff").replace("\t", " "))
    except Unreadable:
        return [Fault(1, 1, path_text(path), message) for path, message in faults]
    return [places.fault(path, message) for path, message in faults]


def _message(error: Mapping[str, Any]) -> str:
    value = error["input"]
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "literal_error" if isinstance(value, str) and value.strip():
            return f"{value[:40]!r} is not one of {error['ctx']['expected'].replace("'", '')}"
        case "tuple_type":
            return "a list is expected"
        case "too_short":
            return "does not name a product"
        case "model_type":
            return "an object is expected"
        case "recursion_loop":
            return "is nested too deeply"
        case _:
            return "a string is expected"
