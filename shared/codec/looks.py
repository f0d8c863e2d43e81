"""Documents of a look for users: what one hop read, and what is left to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from shared.codec import plain
from shared.codec.errors import Malformed, NewerVersion
from shared.domain.look import Look
from shared.domain.usage import Mention

LOOK_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class LookDocument:
    """What one hop of a look read. ``before`` is the name of the document of the hop before."""

    look: Look
    mentions: tuple[Mention, ...]
    before: str | None = None


def look_document(document: LookDocument, head: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document as JSON values. ``head`` says what it is about."""
    body: dict[str, Any] = msgspec.to_builtins(document)
    return {"schema": LOOK_SCHEMA, **head, **body}


def read_look(document: Mapping[str, Any]) -> LookDocument:
    """Read a document. Raises NewerVersion or Malformed."""
    schema = document.get("schema")
    if isinstance(schema, int) and schema > LOOK_SCHEMA:
        raise NewerVersion("the document of a look", schema, LOOK_SCHEMA)
    try:
        return msgspec.convert(document, LookDocument)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Malformed(f"the document of a look does not match its format: {plain.error_text(error)}") from error
