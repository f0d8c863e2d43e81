"""The folder of the evidence about a version."""

from __future__ import annotations

import re

from shared.domain.image import VersionId


def evidence_folder(version: VersionId, incarnation: str | None, *, unknown: str = "unknown") -> str:
    """The folder for one incarnation of a version number, without a trailing slash."""
    gallery = version.definition.gallery
    bearer = re.sub(r"[^0-9a-zA-Z]", "", incarnation or unknown)
    return (
        f"{gallery.subscription}/{gallery.resource_group}/{gallery.name}/{version.definition.name}"
        f"/{version.number}/{bearer}"
    )
