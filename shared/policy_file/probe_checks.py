"""From the checks of a policy file to the domain's, with the scripts that stand beside the policy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path as FilePath
from typing import Final

from shared.domain.boot_test.own_checks import (
    BaselineRules,
    CommandCheck,
    FileCheck,
    OwnCheck,
    PortCheck,
    Protocol,
    ServiceCheck,
)
from shared.domain.boot_test.probe_check import CheckSeverity
from shared.policy_file.models import DefinitionSection, PolicySection
from shared.policy_file.policy_faults import Fault, Path, Places
from shared.policy_file.probe_models import MAX_TEXT, BaselineSection, OwnCheckSection

_INTERPRETER: Final = re.compile(r"#! *(?:/usr/bin/env +|/(?:[a-z]+/)*)(sh|bash|python3)(?: +-[eux]+)? *")
_RULE_PREFIX: Final = ".content_rule_"


class ScriptFault(ValueError):
    """What is wrong with a script."""


def read_scripts(
    document: PolicySection, folder: FilePath | None, places: Places
) -> tuple[dict[Path, str], list[Fault]]:
    """The scripts that a policy names, by where it names them, and what is wrong with them."""
    read: dict[Path, str] = {}
    faults: list[Fault] = []
    for number, definition in enumerate(document.definitions):
        for index, check in enumerate(definition.boot.own_checks):
            if check.script is None:
                continue
            path = ("definitions", number, "boot", "ownChecks", index, "script")
            try:
                read[path] = _read(folder, check.script)
            except ScriptFault as fault:
                faults.append(places.fault(path, f"{check.script} {fault}"))
        total = sum(len(text.encode()) for text in _texts(definition, number, read))
        if total > MAX_TEXT:
            message = f"commands and scripts have {total} bytes together; the maximum is {MAX_TEXT}"
            faults.append(places.fault(("definitions", number, "boot", "ownChecks"), message))
    return read, faults


def _texts(definition: DefinitionSection, number: int, scripts: Mapping[Path, str]) -> Iterator[str]:
    yield from (check.command or "" for check in definition.boot.own_checks)
    yield from (text for path, text in scripts.items() if path[1] == number)


def _read(folder: FilePath | None, file: str) -> str:
    if folder is None:
        raise ScriptFault("can only be read for a policy that is read from a file")
    path = folder / file
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ScriptFault("is outside the policy's folder")
        with path.open("rb") as opened:
            text = opened.read(MAX_TEXT + 1).decode()
    except OSError as error:
        raise ScriptFault(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScriptFault("is not UTF-8 text") from error
    if "\0" in text or not text.strip():
        raise ScriptFault("is empty, or has NUL characters")
    if text.startswith("#!") and not _INTERPRETER.fullmatch(text.splitlines()[0]):
        raise ScriptFault("names an interpreter other than sh, bash and python3 in its first line")
    return text.replace("\r\n", "\n")


def own_checks(sections: Iterable[OwnCheckSection], number: int, scripts: Mapping[Path, str]) -> tuple[OwnCheck, ...]:
    """The checks of the definition with a number."""
    texts = (
        scripts.get(("definitions", number, "boot", "ownChecks", index, "script")) if each.script else each.command
        for index, each in enumerate(sections)
    )
    return tuple(
        OwnCheck(
            each.id, _expected(each, text or ""), CheckSeverity(each.severity), each.remedy or "", each.script or ""
        )
        for each, text in zip(sections, texts, strict=True)
    )


def _expected(section: OwnCheckSection, text: str) -> CommandCheck | FileCheck | ServiceCheck | PortCheck:
    if file := section.file:
        mode = (file.mode or "").removeprefix("0")
        return FileCheck(file.path, file.exists, mode, file.owner or "", file.matches or "")
    if service := section.service:
        return ServiceCheck(service.name, service.running, service.enabled)
    if port := section.port:
        return PortCheck(port.number, Protocol(port.protocol), port.listening)
    named = _INTERPRETER.fullmatch(text.splitlines()[0]) if section.script else None
    return CommandCheck(
        text, section.expect.exit_code, section.expect.matches or "", section.timeout, named[1] if named else "sh"
    )


def baseline(section: BaselineSection) -> BaselineRules:
    """The limits of a baseline scan."""
    required = tuple(dict.fromkeys(rule.rpartition(_RULE_PREFIX)[2] for rule in section.required))
    return BaselineRules(section.path, section.max_failed, required)
