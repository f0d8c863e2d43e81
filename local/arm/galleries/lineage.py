"""What an image really is, whatever its definition says: its character, passed on from source to version to copy.

A character is one or more words, separated by commas: `clean` (the default), `never-generalized`, `panics-at-boot`,
`agent-never-ready` and others of the machines' side, `slow` (replication takes six times as long; `slow:300`: three
hundred times), `replication-fails:<region>`, `replication-fails-once:<region>` and
`replication-fails-until-readded:<region>`.
"""

from local.arm.kernel.store import Resource, Store

CLEAN = "clean"
TAG = "sim-character"


def character(resource: Resource) -> str:
    """The character of a resource: its own tag, else what it was given or inherited, else `clean`."""
    tags = {key.lower(): value for key, value in (resource.document.get("tags") or {}).items()}
    return tags.get(TAG) or resource.sim.get("character") or CLEAN


def character_of(store: Store, resource_id: str) -> str:
    """The character of an image, version, disk or machine by id; `clean` for what is not (or no longer) there."""
    found = store.get(resource_id)
    if found is None:
        gone = store.table("soft_deleted").get(resource_id.lower())
        found = Resource(gone["document"], gone["sim"]) if gone else None
    return character(found) if found else CLEAN


def words(text: str) -> list[str]:
    """The single words of a character."""
    return [word.strip() for word in text.split(",") if word.strip()]


def is_generalized(machine: Resource) -> bool:
    """Whether a machine has been generalized (the machines' side keeps it in `sim`)."""
    return bool(machine.sim.get("generalized") or machine.sim.get("machine", {}).get("generalized"))
