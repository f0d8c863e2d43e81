"""Resolves the name of a release: a full resource id, or a unique part of ``gallery/definition/1.2.3``."""

from __future__ import annotations

from collections.abc import Sequence

from shared.cli.exit_codes import ReleaseNotFound
from shared.cli.responses import Summary
from shared.domain.image import InvalidId, VersionId, VersionNumber


def full_id(name: str) -> str | None:
    """Return the canonical id for a full resource id, or None for a short name.

    Raises ReleaseNotFound for anything else.
    """
    text = name.strip()
    try:
        if text.lower().startswith("/subscriptions/"):
            return str(VersionId.parse(text))
        VersionNumber.parse(text.rpartition("/")[2])
    except InvalidId as error:
        raise ReleaseNotFound(
            f"{error}. You can also use gallery/definition/1.2.3, definition/1.2.3 or 1.2.3."
        ) from error
    return None


def resolve(name: str, releases: Sequence[Summary]) -> str:
    """Return the id of the one release that a short name matches.

    Raises ReleaseNotFound when it matches none or several.
    """
    wanted = name.strip().strip("/").lower().split("/")
    found = [each for each in releases if each.name.lower().split("/")[-len(wanted) :] == wanted]
    if len(found) == 1:
        return found[0].version_id
    if not found:
        raise ReleaseNotFound(f"no release exists for {name.strip()!r}. Run `ringmaster status` to list all releases.")
    several = "\n".join(f"  {each.version_id}" for each in found)
    raise ReleaseNotFound(f"{name.strip()!r} matches {len(found)} releases. Use the id of one of them:\n{several}")
