"""OpenVEX, 0.2 and before: https://github.com/openvex/spec."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from shared.policy_file.vex_statements import (
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

_EXCUSING: Final = {"not_affected", "fixed"}


class Identifiers(Part):
    """Other names of a component."""

    purl: str | None = None


class Component(Part):
    """A product, or a part of one: by its package URL where there is one, else by its id."""

    id: str | None = Field(None, alias="@id")
    identifiers: Identifiers | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_id(cls, value: Any) -> Any:
        return {"@id": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not self.name:
            raise ValueError("has no identifier: add @id or identifiers.purl")
        return self

    @property
    def name(self) -> str:
        return (self.identifiers and self.identifiers.purl) or self.id or ""


class Product(Component):
    """A product, and the parts of it that are meant, where it is not all of it."""

    subcomponents: Items[Component] = ()


class Vulnerability(Part):
    """A vulnerability; before 0.2.0, its name alone."""

    name: Text = needed()
    aliases: Items[str] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) or value is None else value

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *filter(None, self.aliases))


class OpenVexStatement(Part):
    """What is said of one vulnerability in some products."""

    vulnerability: Vulnerability = needed()
    products: Annotated[Needed[Product], Field(min_length=1)] = needed()
    subcomponents: Items[Component] = ()
    justification: str | None = None
    impact_statement: str | None = None
    status_notes: str | None = None
    status: Annotated[Literal["not_affected", "affected", "fixed", "under_investigation"], Word] = needed()
    last_updated: Time = None
    timestamp: Time = needed()

    @field_validator("status")
    @classmethod
    def _justified(cls, value: str, info: ValidationInfo) -> str:
        said = [info.data.get(name, "unreadable") for name in ("justification", "impact_statement")]
        if value == "not_affected" and not any(said):
            raise ValueError("not_affected requires a justification or an impact_statement")
        return value

    @field_validator("timestamp")
    @classmethod
    def _dated(cls, value: Time, info: ValidationInfo) -> Time:
        return dated(value, info, unless="last_updated")

    @property
    def reason(self) -> str:
        said = (self.justification, self.impact_statement, self.status_notes)
        return ": ".join(dict.fromkeys(part for part in said if part)) or self.status

    def scopes(self) -> Iterator[Scope]:
        """The products that are meant, or their parts."""
        for product in self.products:
            parts = [*product.subcomponents, *self.subcomponents]
            if parts:
                yield from (Scope(product.name, part.name) for part in parts)
            elif product.name.startswith("pkg:"):
                yield Scope(None, product.name)
            else:
                yield Scope(product.name, None)


class OpenVex(Part):
    """A document."""

    author: str | None = None
    last_updated: Time = None
    timestamp: Time = None
    statements: Needed[OpenVexStatement] = needed()

    def document(self) -> VexDocument:
        """What it says."""
        return VexDocument(self.author or "", tuple(map(self._statement, range(len(self.statements)))))

    def _statement(self, number: int) -> Statement:
        given = self.statements[number]
        at = given.last_updated or given.timestamp or self.last_updated or self.timestamp
        assert at is not None, "a statement without a time, in a document without one, was refused"
        return Statement(
            names=given.vulnerability.names,
            scopes=tuple(given.scopes()),
            excuses=given.status in _EXCUSING,
            reason=given.reason,
            at=at,
            place=f"statements[{number}]",
        )
