"""Text in, policy or faults out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath
from typing import Any, get_args

from pydantic import ValidationError

from shared.domain.policy import Policy
from shared.policy_file.build import build
from shared.policy_file.checks import compare
from shared.policy_file.models import PolicySection, Section
from shared.policy_file.policy_faults import Fault, Path, Places, PolicyFaults, from_pydantic
from shared.policy_file.probe_checks import read_scripts
from shared.policy_file.scan_models import VexSection
from shared.policy_file.tree import MAX_BYTES, Unreadable, read_tree
from shared.policy_file.vex import VexFaults, read_vex_file
from shared.policy_file.vex_exceptions import VexSource


def read_file(path: FilePath, *, name: str | None = None) -> Policy:
    """The policy in a file, which faults call ``name``. Raises PolicyFaults, also for a file that can't be read."""
    name = name or str(path)
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode()
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise PolicyFaults(name, [Fault(line, 1, "", "is not UTF-8 text")]) from error
    except OSError as error:
        raise PolicyFaults(name, [Fault(1, 1, "", f"cannot be read: {error.strerror}")]) from error
    return load_policy(text, name=name, folder=path.parent)


def load_policy(text: str, *, name: str, folder: FilePath | None = None) -> Policy:
    """Read a policy. ``name`` is what faults call the file; VEX documents and scripts are looked for in
    ``folder``.

    Raises PolicyFaults with everything that is wrong.
    """
    try:
        data, places, faults = read_tree(text)
    except Unreadable as error:
        raise PolicyFaults(name, [error.fault]) from error
    document: PolicySection | None = None
    try:
        document = PolicySection.model_validate(data, context={"regions": _extra_regions(data)})
    except ValidationError as error:
        told = {fault.path for fault in faults}
        found = from_pydantic(error, places, dict(_known_keys(data, PolicySection, ())))
        faults += [fault for fault in found if fault.path not in told]
    faults += compare(data, places)
    vex: dict[Path, VexSource] = {}
    scripts: dict[Path, str] = {}
    if document is not None:
        vex, found = _vex(document, folder, places)
        scripts, wrong = read_scripts(document, folder, places)
        faults += found + wrong
    if faults or document is None:
        raise PolicyFaults(name, faults or [Fault(1, 1, "", "the file is not a policy")])
    return build(document, vex, scripts)


def _vex(document: PolicySection, folder: FilePath | None, places: Places) -> tuple[dict[Path, VexSource], list[Fault]]:
    """The VEX documents that a policy names, by where it names them, and what is wrong with them."""
    entries: dict[Path, VexSection] = {("vex", index): entry for index, entry in enumerate(document.vex)}
    for number, definition in enumerate(document.definitions):
        entries |= {("definitions", number, "vex", index): entry for index, entry in enumerate(definition.vex)}
    read: dict[Path, VexSource] = {}
    faults: list[Fault] = []
    for path, entry in entries.items():
        if folder is None:
            faults.append(places.fault(path, "VEX documents require a policy that is read from a file"))
            continue
        try:
            found = read_vex_file(folder, entry.file)
        except VexFaults as wrong:
            faults += [places.fault(path, f"{entry.file}:{fault}") for fault in wrong.faults]
            continue
        if not (entry.owner or found.author):
            faults.append(
                places.fault(
                    path,
                    f"{entry.file} does not name an author: set owner to the person or team that is responsible for it",
                )
            )
        read[path] = VexSource(entry.file, entry.owner or "", entry.max_age, found)
    return read, faults


def _extra_regions(data: Any) -> tuple[str, ...]:
    extra = data.get("regions") if isinstance(data, dict) else None
    return tuple(name for name in extra if isinstance(name, str)) if isinstance(extra, list) else ()


def _known_keys(data: Any, section: type[Section], path: Path) -> Iterator[tuple[Path, Iterable[str]]]:
    """For each part of the document that a section describes: the keys it may have."""
    if isinstance(data, list):
        for index, item in enumerate(data):
            yield from _known_keys(item, section, (*path, index))
    if not isinstance(data, dict):
        return
    known = {field.alias or name: field.annotation for name, field in section.model_fields.items()}
    yield path, known
    for key, annotation in known.items():
        inner = section_in(annotation)
        if inner is not None and key in data:
            yield from _known_keys(data[key], inner, (*path, key))


def section_in(annotation: Any) -> type[Section] | None:
    """The section that a field holds, itself or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in get_args(annotation) if (found := section_in(part)) is not None), None)
