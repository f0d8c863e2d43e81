"""From VEX statements to exceptions of one definition.

* A statement is of a definition when it names a package, or names as its product the definition: by its name in the
  policy, or by its resource id. What is said of other products, or of one version of an image, is left out.
* Of several statements on one vulnerability in one package the newest counts; of two of one time, the less favourable.
* It holds for the policy's ``maxAge`` from the day it was made or renewed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from shared.domain.image import DefinitionId, InvalidId
from shared.domain.policy import ScanException
from shared.policy_file.vex_statements import Scope, Statement, VexDocument

_ARM: Final = "https://management.azure.com"


@dataclass(frozen=True, slots=True)
class VexSource:
    """A document as the policy takes it."""

    file: str
    owner: str
    max_age: timedelta
    document: VexDocument


def exceptions_for(name: str, source: DefinitionId, documents: Iterable[VexSource]) -> tuple[ScanException, ...]:
    """The exceptions that documents grant to the definition of that name."""
    newest: dict[tuple[str, str], tuple[VexSource, Statement, str | None]] = {}
    for document in documents:
        for statement in document.document.statements:
            for scope in statement.scopes:
                if not _is_about(scope, name, source):
                    continue
                key = statement.names[0].casefold(), (scope.package or "").casefold()
                known = newest.get(key)
                if known is None or _takes_precedence(statement, known[1]):
                    newest[key] = document, statement, scope.package
    found = (
        _exception(document, statement, package)
        for document, statement, package in newest.values()
        if statement.excuses
    )
    return tuple(dict.fromkeys(found))


def _takes_precedence(statement: Statement, other: Statement) -> bool:
    return (statement.at, not statement.excuses) > (other.at, not other.excuses)


def _is_about(scope: Scope, name: str, source: DefinitionId) -> bool:
    if scope.product is None:
        return True
    if scope.product.casefold() == name.casefold():
        return True
    text = scope.product[len(_ARM) :] if scope.product.casefold().startswith(_ARM) else scope.product
    try:
        return DefinitionId.parse(text) == source
    except InvalidId:
        return False


def _exception(document: VexSource, statement: Statement, package: str | None) -> ScanException:
    return ScanException(
        id=statement.names[0],
        owner=document.owner or document.document.author,
        reason=statement.reason,
        expires=statement.at + document.max_age,
        package=package,
        aliases=statement.names[1:],
        source=f"{document.file}: {statement.place}",
    )
