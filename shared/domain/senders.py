"""Who may send scan reports, of which formats, and about which images.

Rules:

* A sender is a scanner with keys of its own, or a principal of Microsoft Entra. Both are held to the same permissions.
* A permission names an image definition as ``gallery/definition``, in which ``*`` stands for any text, or by its whole
  resource id. Without permissions a sender may speak of every definition that the policy covers.
* The short form holds for a gallery of that name in any subscription; use the id where two have the same name.

This module does not authenticate anybody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from shared.domain.image import DefinitionId, InvalidId

_SHORT: Final = re.compile(r"[a-z0-9_.*]{1,80}/[a-z0-9_.*-]{1,80}")


def definition_pattern(text: str) -> str:
    """A permission in its canonical form. Raises InvalidId when it names no image definition."""
    pattern = text.strip().lower()
    if pattern.startswith("/"):
        return str(DefinitionId.parse(pattern))
    if not _SHORT.fullmatch(pattern):
        raise InvalidId(f"{text[:200]!r} is not an image definition: use gallery/definition, or its resource id")
    return pattern


@dataclass(frozen=True, slots=True)
class Sender:
    """A scanner or principal. ``formats`` None allows all formats; empty ``definitions`` allow all definitions."""

    name: str
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    """Newest first; empty for a principal, whom the platform authenticates."""
    formats: frozenset[str] | None = None
    definitions: tuple[str, ...] = ()
    """As ``definition_pattern`` gives them."""

    def may_send(self, scan_format: str) -> bool:
        """Whether this sender may send reports of this format."""
        return self.formats is None or scan_format in self.formats

    def may_send_for(self, definition: DefinitionId) -> bool:
        """Whether this sender may send reports for versions of this definition."""
        short = f"{definition.gallery.name}/{definition.name}"
        return not self.definitions or any(_matches(each, short, str(definition)) for each in self.definitions)


def _matches(pattern: str, short: str, whole: str) -> bool:
    if pattern.startswith("/"):
        return pattern == whole
    # Only * has a meaning: names may hold dots, and fnmatch would also read [ and ?.
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), short) is not None
