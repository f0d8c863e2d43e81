"""Which release a name means: a full resource id, or as much of ``gallery/definition/1.2.3`` as is unique."""

from __future__ import annotations

from collections.abc import Sequence

from shared.cli.exit_codes import ReleaseNotFound
from shared.cli.responses import Summary
from shared.domain.image import InvalidId, VersionId, VersionNumber


def full_id(name: str) -> str | None:
    """The canonical id when the name is a full one, None when it is short. Raises NoSuchRelease when it is neither."""
    text = name.strip()
    try:
        if text.lower().startswith("/subscriptions/"):
            return str(VersionId.parse(text))
        VersionNumber.parse(text.rpartition("/")[2])
    except InvalidId as error:
        raise ReleaseNotFound(f"{error}. gallery/definition/1.2.3, definition/1.2.3 or 1.2.3 will do, too.") from error
    return None


def resolve(name: str, releases: Sequence[Summary]) -> str:
    """The id of the one release that a short name means. Raises NoSuchRelease when it is none or several."""
    wanted = name.strip().strip("/").lower().split("/")
    found = [each for each in releases if each.name.lower().split("/")[-len(wanted) :] == wanted]
    if len(found) == 1:
        return found[0].version_id
    if not found:
        raise ReleaseNotFound(f"no release of {name.strip()!r}: `ringmaster status` lists those that there are.")
    several = "\n".join(f"  {each.version_id}" for each in found)
    raise ReleaseNotFound(f"{name.strip()!r} means {len(found)} releases; name one by its id:\n{several}")
