"""Where the evidence about a version lies."""

from __future__ import annotations

import re

from shared.domain.image import VersionId


def evidence_folder(version: VersionId, incarnation: str | None, *, unknown: str = "unknown") -> str:
    """The folder for one bearer of a version's number, without a slash at its end."""
    gallery = version.definition.gallery
    bearer = re.sub(r"[^0-9a-zA-Z]", "", incarnation or unknown)
    return (
        f"{gallery.subscription}/{gallery.resource_group}/{gallery.name}/{version.definition.name}"
        f"/{version.number}/{bearer}"
    )
