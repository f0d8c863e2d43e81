"""What the simulator remembers: tables of JSON documents, written through to SQLite before a request is answered.

The whole state is also held in memory, so reading costs nothing. With a file, a killed process loses nothing that it
had acknowledged (SQLite's journal); without one, everything is gone when the simulator ends.
"""

import json
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.arm.kernel.ids import parent_key, plain

type Document = dict[str, Any]

_SCHEMA = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
CREATE TABLE IF NOT EXISTS documents (kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID;
"""


@dataclass(slots=True)
class Resource:
    """One resource. `document` is what a GET answers; `sim` holds what only the simulator knows (character, times)."""

    document: Document
    sim: Document = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The id in the casing that it was created with."""
        return self.document["id"]

    @property
    def kind(self) -> str:
        """The full resource type."""
        return self.document["type"]

    @property
    def name(self) -> str:
        """The last segment of its id."""
        return self.document["name"]

    @property
    def location(self) -> str:
        """Its region's short name."""
        return self.document.get("location", "")

    @property
    def properties(self) -> Document:
        """The `properties` object of the document."""
        return self.document.setdefault("properties", {})


class Table:
    """A persistent dictionary of documents; assign again after changing a document in place."""

    def __init__(self, kind: str, connection: sqlite3.Connection) -> None:
        """Load what was stored under `kind`."""
        self._kind = kind
        self._connection = connection
        self._dirty: set[str] = set()
        rows = connection.execute("SELECT key, body FROM documents WHERE kind = ?", (kind,))
        self._documents: dict[str, Document] = {key: json.loads(body) for key, body in rows}

    def __getitem__(self, key: str) -> Document:
        """The document under `key`; KeyError without it."""
        return self._documents[key]

    def __setitem__(self, key: str, document: Document) -> None:
        """Store `document`; it reaches the disk with the next `commit`."""
        self._documents[key] = document
        self._dirty.add(key)

    def __contains__(self, key: str) -> bool:
        """Whether there is a document under `key`."""
        return key in self._documents

    def __len__(self) -> int:
        """How many documents there are."""
        return len(self._documents)

    def get(self, key: str) -> Document | None:
        """The document under `key`, or None."""
        return self._documents.get(key)

    def pop(self, key: str) -> Document | None:
        """Remove and answer the document under `key`, or None."""
        found = self._documents.pop(key, None)
        if found is not None:
            self._dirty.add(key)
        return found

    def trim(self, most: int) -> None:
        """Remove the oldest documents until there are no more than `most`."""
        while len(self._documents) > most:
            self.pop(next(iter(self._documents)))

    def items(self) -> list[tuple[str, Document]]:
        """All keys and documents, safe to change meanwhile."""
        return list(self._documents.items())

    def clear(self) -> None:
        """Remove everything."""
        self._dirty.update(self._documents)
        self._documents.clear()

    def write(self) -> None:
        """Write what changed; the caller commits."""
        gone = [(self._kind, key) for key in self._dirty if key not in self._documents]
        kept = [(self._kind, key, json.dumps(self._documents[key])) for key in self._dirty if key in self._documents]
        self._connection.executemany("DELETE FROM documents WHERE kind = ? AND key = ?", gone)
        self._connection.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", kept)
        self._dirty.clear()

    @property
    def is_dirty(self) -> bool:
        """Whether something is not on disk yet."""
        return bool(self._dirty)


class Store:
    """Resources by id, indexed by type and parent, and further tables by name."""

    def __init__(self, file: Path | None) -> None:
        """Open (or make) the database `file`; None keeps all in memory."""
        self._connection = sqlite3.connect(file or ":memory:", isolation_level=None, check_same_thread=False)
        # A store that nobody closes, as one in memory, closes its connection when it goes.
        weakref.finalize(self, self._connection.close)
        self._connection.executescript(_SCHEMA)
        self._tables: dict[str, Table] = {}
        self._resources: dict[str, Resource] = {}
        self._by_kind: dict[str, dict[str, Resource]] = {}
        self._by_parent: dict[str, dict[str, Resource]] = {}
        self.on_change: Callable[[str, Resource | None], None] = lambda _key, _resource: None
        """Hears of every resource that is written, and of every one that is removed (None), by its key."""
        for key, row in self.table("resource").items():
            self._index(key, Resource(row["document"], row["sim"]))

    def table(self, name: str) -> Table:
        """The table called `name`, made on first use."""
        if name not in self._tables:
            self._tables[name] = Table(name, self._connection)
        return self._tables[name]

    def get(self, resource_id: str) -> Resource | None:
        """The resource with this id, in any casing, with or without its first slash or doubled ones, or None."""
        return self._resources.get("/" + plain(resource_id.lower()).strip("/"))

    def put(self, resource: Resource) -> Resource:
        """Add or replace a resource; call it again after changing one in place."""
        key = resource.id.lower()
        self._index(key, resource)
        self.table("resource")[key] = {"document": resource.document, "sim": resource.sim}
        self.on_change(key, resource)
        return resource

    def delete(self, resource_id: str) -> Resource | None:
        """Remove and answer the resource, or None; what is nested in it stays (see `descendants`)."""
        key = resource_id.lower()
        found = self._resources.pop(key, None)
        if found is not None:
            del self._by_kind[found.kind.lower()][key]
            self._by_parent[parent_key(key)].pop(key, None)
            self.table("resource").pop(key)
            self.on_change(key, None)
        return found

    def of_kind(self, kind: str, scope: str = "/subscriptions/") -> list[Resource]:
        """All resources of a full type whose id starts with `scope` (a subscription or a resource group)."""
        prefix = scope.lower().rstrip("/") + "/"
        return [found for key, found in self._by_kind.get(kind.lower(), {}).items() if key.startswith(prefix)]

    def children(self, parent: str, kind: str | None = None) -> list[Resource]:
        """The resources directly in a parent resource or resource group, of one full type or of any."""
        found = self._by_parent.get(parent.lower(), {}).values()
        return [one for one in found if kind is None or one.kind.lower() == kind.lower()]

    def descendants(self, scope: str) -> list[Resource]:
        """All resources below an id, at any depth, deepest first."""
        prefix = scope.lower() + "/"
        found = [one for key, one in self._resources.items() if key.startswith(prefix)]
        return sorted(found, key=lambda one: one.id.count("/"), reverse=True)

    def __iter__(self) -> Iterator[Resource]:
        """All resources."""
        return iter(list(self._resources.values()))

    def commit(self) -> None:
        """Make every change durable, in one transaction."""
        dirty = [table for table in self._tables.values() if table.is_dirty]
        if not dirty:
            return
        self._connection.execute("BEGIN")
        for table in dirty:
            table.write()
        self._connection.execute("COMMIT")

    def clear(self) -> None:
        """Forget everything, on disk as well."""
        for table in self._tables.values():
            table.clear()
        self._resources.clear()
        self._by_kind.clear()
        self._by_parent.clear()
        self.commit()

    def close(self) -> None:
        """Write what is left and close the file."""
        self.commit()
        self._connection.close()

    def _index(self, key: str, resource: Resource) -> None:
        self._resources[key] = resource
        self._by_kind.setdefault(resource.kind.lower(), {})[key] = resource
        self._by_parent.setdefault(parent_key(key), {})[key] = resource
