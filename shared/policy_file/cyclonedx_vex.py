"""CycloneDX with analyses of its vulnerabilities: https://cyclonedx.org/docs/1.6/json/#vulnerabilities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from shared.policy_file.vex_statements import (
    All,
    Items,
    Needed,
    Part,
    Scope,
    Statement,
    Text,
    Time,
    VexDocument,
    Word,
    dated,
    needed,
)

type State = Literal["resolved", "resolved_with_pedigree", "exploitable", "in_triage", "false_positive", "not_affected"]
_EXCUSING: Final = {"resolved", "resolved_with_pedigree", "false_positive", "not_affected"}
_GROUNDS_NEEDED: Final = {"not_affected", "false_positive"}


class Component(Part):
    """What the document is of, or a part of it."""

    ref: str | None = Field(None, alias="bom-ref")
    name: str | None = None
    purl: str | None = None
    components: All[Component] = ()

    def all(self) -> Iterator[Component]:
        """Itself and all within it."""
        yield self
        for each in self.components:
            yield from each.all()


class Named(Part):
    """An author, a supplier."""

    name: str | None = None


class Metadata(Part):
    """Of what, when and by whom the document is."""

    timestamp: Time = None
    component: Component | None = None
    authors: Items[Named] = ()
    manufacturer: Named | None = None
    manufacture: Named | None = None
    supplier: Named | None = None

    @property
    def author(self) -> str:
        """The first that is named."""
        makers = (*self.authors, self.manufacturer, self.manufacture, self.supplier)
        return next((maker.name for maker in makers if maker and maker.name), "")


class Analysis(Part):
    """What is said of a vulnerability."""

    justification: str | None = None
    detail: str | None = None
    state: Annotated[State, Word] = needed()
    firstIssued: Time = None  # noqa: N815
    lastUpdated: Time = needed()  # noqa: N815

    @field_validator("state")
    @classmethod
    def _justified(cls, value: str, info: ValidationInfo) -> str:
        said = [info.data.get(name, "unreadable") for name in ("justification", "detail")]
        if value in _GROUNDS_NEEDED and not any(said):
            raise ValueError(f"{value} requires a justification or a detail")
        return value

    @field_validator("lastUpdated")
    @classmethod
    def _dated(cls, value: Time, info: ValidationInfo) -> Time:
        return dated(value, info, unless="firstIssued")

    @property
    def reason(self) -> str:
        return ": ".join(part for part in (self.justification, self.detail) if part) or self.state


class Version(Part):
    """A version that is affected. Ranges are left out: each kind of package compares versions in its own way."""

    version: str | None = None


class Affected(Part):
    """What a vulnerability is in."""

    ref: Text = needed()
    versions: Items[Version] = ()


class Reference(Part):
    """Another name of the vulnerability."""

    id: str | None = None


class Vulnerability(Part):
    """A vulnerability, and what is said of it."""

    id: Text = needed()
    references: Items[Reference] = ()
    analysis: Analysis = needed()
    affects: Items[Affected] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.id, *(reference.id for reference in self.references if reference.id))


def _stated(value: Any) -> Any:
    """None for a vulnerability without an analysis: it says only that there is one."""
    if not isinstance(value, dict):
        raise ValueError("an object is expected")  # noqa: TRY004
    return value if value.get("analysis") is not None else None


class CycloneDx(Part):
    """A document."""

    metadata: Metadata | None = None
    components: All[Component] = ()
    vulnerabilities: Needed[Annotated[Vulnerability | None, BeforeValidator(_stated)]] = needed()

    def document(self) -> VexDocument:
        """What it says."""
        about = self.metadata or Metadata()
        root = about.component
        every = [*(root.all() if root else ()), *(inner for each in self.components for inner in each.all())]
        subjects = _Subjects(root.ref if root else None, every)
        found = (
            _statement(f"vulnerabilities[{number}]", each, subjects, about.timestamp)
            for number, each in enumerate(self.vulnerabilities)
            if each is not None
        )
        return VexDocument(about.author, tuple(found))


def _statement(place: str, given: Vulnerability, subjects: _Subjects, otherwise: Time) -> Statement:
    at = given.analysis.lastUpdated or given.analysis.firstIssued or otherwise
    assert at is not None, "an analysis without a time, in a document without one, was refused"
    return Statement(
        names=given.names,
        scopes=tuple(subjects.meant(given)),
        excuses=given.analysis.state in _EXCUSING,
        reason=given.analysis.reason,
        at=at,
        place=place,
    )


class _Subjects:
    """What vulnerabilities may be in: the document's own subject, and its components by their references."""

    def __init__(self, root: str | None, components: Iterable[Component]) -> None:
        self._root = root
        self._components = {each.ref: each for each in components if each.ref is not None}

    def meant(self, given: Vulnerability) -> Iterator[Scope]:
        if "affects" not in given.model_fields_set and self._root is not None:
            yield self._scope(self._root)  # nothing is named, so the whole subject of the document is meant
        for affected in given.affects:
            scope = self._scope(affected.ref)
            if not affected.versions:
                yield scope
            elif scope.package is not None:
                bare = scope.package.split("?", 1)[0].rsplit("@", 1)[0]
                yield from (
                    Scope(scope.product, f"{bare}@{each.version}") for each in affected.versions if each.version
                )

    def _scope(self, ref: str) -> Scope:
        if ref.startswith("urn:cdx:"):
            ref = unquote(ref.partition("#")[2]) or ref
        component = self._components.get(ref)
        if component is None:
            return Scope(None, ref) if ref.startswith("pkg:") else Scope(ref, None)
        if component.purl is not None and ref != self._root:
            return Scope(None, component.purl)
        return Scope(ref if component.name is None else component.name, None)
