"""VEX documents beside the policy: OpenVEX and CycloneDX, read into statements, or every fault with its line.

Only what is needed of them: which vulnerability, in what, what is said of it, why, by whom, when. Whatever makes a
statement one that nobody can answer for (no reason, no time, no product) is a fault, and not passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Any, Final
from urllib.parse import unquote

from shared.policy_file.policy_faults import Fault, Path, path_text
from shared.policy_file.tree import MAX_BYTES, Unreadable, read_tree

MAX_STATEMENTS: Final = 5_000
_DEEPEST: Final = 100
_OPENVEX: Final = "https://openvex.dev/ns"
_STATUSES: Final = ("not_affected", "affected", "fixed", "under_investigation")
_EXCUSING: Final = {"not_affected", "fixed"}
_STATES: Final = ("resolved", "resolved_with_pedigree", "exploitable", "in_triage", "false_positive", "not_affected")
_EXCUSING_STATES: Final = {"resolved", "resolved_with_pedigree", "false_positive", "not_affected"}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a statement is about: a package in whatever product (``product`` is None), or a product, or a part of it."""

    product: str | None
    package: str | None


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody says of a vulnerability. ``excuses`` unless it is affected or still looked into."""

    names: tuple[str, ...]
    """The vulnerability's id, then its aliases."""
    scopes: tuple[Scope, ...]
    excuses: bool
    reason: str
    at: datetime
    place: str
    """Where it stands in the document: ``statements[3]``."""


@dataclass(frozen=True, slots=True)
class VexDocument:
    """A document's statements, and who made it; ``author`` is empty when it does not say."""

    author: str
    statements: tuple[Statement, ...]


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
            raise VexFaults([Fault(1, 1, "", "leads out of the policy's folder")])
        with path.open("rb") as opened:
            body = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise VexFaults([Fault(1, 1, "", f"can't be read: {error.strerror}")]) from error
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
        raise VexFaults([Fault(1, 1, "", "is nested too deep")]) from error
    except ValueError as error:
        # Python converts no number of more than 4,300 digits (sys.set_int_max_str_digits).
        raise VexFaults([Fault(1, 1, "", "holds a number of thousands of digits")]) from error
    reader = _reader(document)
    found = reader.read()
    if reader.faults:
        raise VexFaults(_placed(reader.faults, text))
    return found


def _reader(document: Any) -> _Reader:
    if isinstance(document, dict):
        if str(document.get("@context", "")).startswith(_OPENVEX):
            return _OpenVex(document)
        if document.get("bomFormat") == "CycloneDX":
            return _CycloneDx(document)
    raise VexFaults([Fault(1, 1, "", "is neither OpenVEX (@context) nor CycloneDX (bomFormat) JSON")])


def _placed(faults: list[tuple[Path, str]], text: str) -> list[Fault]:
    try:
        # JSON is YAML but for tabs, which only stand between its parts: raw ones in strings are no JSON.
        _, places, _ = read_tree(text.removeprefix("\ufeff").replace("\t", " "))
    except Unreadable:
        return [Fault(1, 1, path_text(path), message) for path, message in faults]
    return [places.fault(path, message) for path, message in faults]


def _moment(text: str) -> datetime | None:
    """A time, in UTC where it does not say; None for what is none, and for years that no time can be added to."""
    try:
        at = datetime.fromisoformat(text)
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return at if 1970 <= at.year < 9000 else None


class _Reader:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.faults: list[tuple[Path, str]] = []

    def read(self) -> VexDocument:
        """The document, to be believed only when ``faults`` is empty."""
        raise NotImplementedError

    def _fault(self, path: Path, message: str) -> None:
        self.faults.append((path, message))

    def _items(self, section: Any, key: str, path: Path, *, needed: bool = False) -> Iterator[tuple[Path, Any]]:
        items = section.get(key) if isinstance(section, dict) else None
        here = (*path, key)
        if items is None and not needed:
            return
        if not isinstance(items, list):
            self._fault(here, "a list is expected")
        elif len(items) > MAX_STATEMENTS:
            self._fault(here, f"has {len(items)} entries; {MAX_STATEMENTS} are the most")
        else:
            yield from (((*here, index), item) for index, item in enumerate(items))

    def _text(self, section: Any, key: str, path: Path, *, needed: bool = False) -> str:
        value = section.get(key) if isinstance(section, dict) else None
        if value is None and not needed:
            return ""
        if not isinstance(value, str) or (needed and not value.strip()):
            self._fault((*path, key), "text is expected")
            return ""
        return value.strip()

    def _word(self, section: Any, key: str, path: Path, allowed: tuple[str, ...]) -> str:
        word = self._text(section, key, path, needed=True)
        if word and word not in allowed:
            self._fault((*path, key), f"{word[:40]!r} is none of {', '.join(allowed)}")
        return word

    def _time(self, candidates: list[tuple[Path, str]], path: Path) -> datetime:
        for place, text in candidates:
            if text:
                at = _moment(text)
                if at is None:
                    self._fault(place, f"{text[:40]!r} is no time at which anybody wrote this")
                return at or datetime.min.replace(tzinfo=UTC)
        self._fault(path, "says not when it was made: a timestamp is needed, here or for the whole document")
        return datetime.min.replace(tzinfo=UTC)


class _OpenVex(_Reader):
    def read(self) -> VexDocument:
        author = self._text(self.document, "author", ())
        items = self._items(self.document, "statements", (), needed=True)
        return VexDocument(author, tuple(self._statement(item, path) for path, item in items))

    def _statement(self, item: Any, path: Path) -> Statement:
        status = self._word(item, "status", path, _STATUSES)
        said = {key: self._text(item, key, path) for key in ("justification", "impact_statement", "status_notes")}
        reason = ": ".join(dict.fromkeys(part for part in said.values() if part))
        if status == "not_affected" and not (said["justification"] or said["impact_statement"]):
            self._fault((*path, "status"), "not_affected needs a justification or an impact_statement")
        times = [
            (place, self._text(section, key, place[:-1]))
            for section, place in (
                (item, (*path, "last_updated")),
                (item, (*path, "timestamp")),
                (self.document, ("last_updated",)),
                (self.document, ("timestamp",)),
            )
            for key in (str(place[-1]),)
        ]
        return Statement(
            names=self._names(item, path),
            scopes=tuple(self._scopes(item, path)),
            excuses=status in _EXCUSING,
            reason=reason or status,
            at=self._time(times, path),
            place=path_text(path),
        )

    def _names(self, item: Any, path: Path) -> tuple[str, ...]:
        # Before 0.2.0 the vulnerability is its name alone.
        given = item.get("vulnerability") if isinstance(item, dict) else None
        if isinstance(given, str) and given.strip():
            return (given.strip(),)
        name = self._text(given, "name", (*path, "vulnerability"), needed=True)
        aliases = [alias for _, alias in self._items(given, "aliases", (*path, "vulnerability"))]
        return (name, *(alias for alias in aliases if isinstance(alias, str)))

    def _scopes(self, item: Any, path: Path) -> Iterator[Scope]:
        beside = list(self._items(item, "subcomponents", path))
        some = False
        for place, product in self._items(item, "products", path, needed=True):
            some = True
            name = self._component(product, place)
            parts = [*self._items(product, "subcomponents", place), *beside]
            if parts:
                yield from (Scope(name, self._component(part, where)) for where, part in parts)
            elif name.startswith("pkg:"):
                yield Scope(None, name)
            else:
                yield Scope(name, None)
        if not some:
            self._fault((*path, "products"), "names no product")

    def _component(self, item: Any, path: Path) -> str:
        if isinstance(item, str) and item.strip():
            return item.strip()
        identifiers = item.get("identifiers") if isinstance(item, dict) else None
        purl = self._text(identifiers, "purl", (*path, "identifiers"))
        return purl or self._text(item, "@id", path, needed=True)


class _CycloneDx(_Reader):
    def read(self) -> VexDocument:
        self._components: dict[str, Any] = {}
        metadata = self.document.get("metadata")
        self._collect([metadata.get("component")] if isinstance(metadata, dict) else [], 0)
        self._collect(self.document.get("components"), 0)
        self._roots = self._root_refs(metadata)
        items = self._items(self.document, "vulnerabilities", (), needed=True)
        read = (self._statement(item, path) for path, item in items)
        return VexDocument(self._author(metadata), tuple(each for each in read if each is not None))

    def _collect(self, components: Any, depth: int) -> None:
        if not isinstance(components, list) or depth > _DEEPEST:
            return
        for component in components:
            if isinstance(component, dict):
                if isinstance(ref := component.get("bom-ref"), str):
                    self._components[ref] = component
                self._collect(component.get("components"), depth + 1)

    def _root_refs(self, metadata: Any) -> set[str]:
        root = metadata.get("component") if isinstance(metadata, dict) else None
        ref = root.get("bom-ref") if isinstance(root, dict) else None
        return {ref} if isinstance(ref, str) else set()

    def _author(self, metadata: Any) -> str:
        names = [self._text(author, "name", path) for path, author in self._items(metadata, "authors", ("metadata",))]
        for key in ("manufacturer", "manufacture", "supplier"):
            section = metadata.get(key) if isinstance(metadata, dict) else None
            names.append(self._text(section, "name", ("metadata", key)))
        return next((name for name in names if name), "")

    def _statement(self, item: Any, path: Path) -> Statement | None:
        """A vulnerability with an analysis; one without says only that there is a vulnerability."""
        if not isinstance(item, dict):
            self._fault(path, "an object is expected")
            return None
        analysis = item.get("analysis")
        if analysis is None:
            return None
        here = (*path, "analysis")
        state = self._word(analysis, "state", here, _STATES)
        justification, detail = (self._text(analysis, key, here) for key in ("justification", "detail"))
        if state in {"not_affected", "false_positive"} and not (justification or detail):
            self._fault((*here, "state"), f"{state} needs a justification or a detail")
        times: list[tuple[Path, str]] = [
            ((*here, key), self._text(analysis, key, here)) for key in ("lastUpdated", "firstIssued")
        ]
        times.append((("metadata", "timestamp"), self._text(self.document.get("metadata"), "timestamp", ("metadata",))))
        references = [reference for _, reference in self._items(item, "references", path)]
        aliases = (self._text(reference, "id", path) for reference in references)
        return Statement(
            names=(self._text(item, "id", path, needed=True), *(alias for alias in aliases if alias)),
            scopes=tuple(self._scopes(item, path)),
            excuses=state in _EXCUSING_STATES,
            reason=": ".join(part for part in (justification, detail) if part) or state,
            at=self._time(times, path),
            place=path_text(path),
        )

    def _scopes(self, item: Any, path: Path) -> Iterator[Scope]:
        if "affects" not in item:
            # Nothing is named, so the whole subject of the document is meant.
            yield from (self._scope(root) for root in self._roots)
        for place, affected in self._items(item, "affects", path):
            scope = self._scope(self._text(affected, "ref", place, needed=True))
            versions = [version for _, version in self._items(affected, "versions", place)]
            if not versions:
                yield scope
            elif scope.package is not None:
                # Ranges are left out: each kind of package compares versions in its own way.
                named = (version.get("version") for version in versions if isinstance(version, dict))
                bare = scope.package.split("?", 1)[0].rsplit("@", 1)[0]
                yield from (Scope(scope.product, f"{bare}@{each}") for each in named if isinstance(each, str))

    def _scope(self, ref: str) -> Scope:
        if ref.startswith("urn:cdx:"):
            ref = unquote(ref.partition("#")[2]) or ref
        component = self._components.get(ref, {})
        purl = component.get("purl")
        if ref not in self._roots and isinstance(purl, str):
            return Scope(None, purl)
        if not component and ref.startswith("pkg:"):
            return Scope(None, ref)
        name = component.get("name")
        return Scope(name if isinstance(name, str) else ref, None)
