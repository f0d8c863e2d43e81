"""What Event Grid must not forget: subscriptions, deliveries that are pending, and what happened lately.

SQLite in WAL mode: a publisher gets its 200 after the commit, and a killed process loses nothing that was answered.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS subscriptions (topic TEXT, name TEXT, document TEXT, PRIMARY KEY (topic, name));
CREATE TABLE IF NOT EXISTS deliveries (
    key INTEGER PRIMARY KEY, subscription TEXT NOT NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL, published REAL NOT NULL, last_status INTEGER, last_attempt REAL, dead TEXT);
CREATE INDEX IF NOT EXISTS by_due ON deliveries (due);
CREATE TABLE IF NOT EXISTS events (key INTEGER PRIMARY KEY, topic TEXT, received REAL, body TEXT);
CREATE TABLE IF NOT EXISTS attempts (
    key INTEGER PRIMARY KEY, at REAL, subscription TEXT, event_id TEXT, attempt INTEGER, status INTEGER, verdict TEXT);
CREATE TABLE IF NOT EXISTS counts (subscription TEXT, what TEXT, number INTEGER, PRIMARY KEY (subscription, what));
"""
_KEPT = 5000  # rows of history


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one subscription. Times are seconds since the epoch; `dead` is why it was given up."""

    key: int
    subscription: str
    body: dict[str, Any]
    attempts: int
    due: float
    published: float
    last_status: int | None
    last_attempt: float | None
    dead: str | None


class Store:
    """The database, in a file or (None) in memory."""

    def __init__(self, file: Path | None) -> None:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(str(file or ":memory:"), autocommit=False)
        self._db.row_factory = sqlite3.Row
        self._db.commit()
        self._db.autocommit = True
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.executescript(_TABLES)
        self._db.autocommit = False

    def close(self) -> None:
        self._db.commit()
        self._db.close()

    def commit(self) -> None:
        self._db.commit()

    def put_subscription(self, topic: str, name: str, document: str) -> None:
        self._db.execute("REPLACE INTO subscriptions VALUES (?, ?, ?)", (topic, name, document))

    def remove_subscription(self, topic: str, name: str) -> bool:
        """Forget a subscription and all that is on its way to it; False when there is none."""
        self._db.execute("DELETE FROM deliveries WHERE subscription = ?", (f"{topic}/{name}",))
        return self._db.execute("DELETE FROM subscriptions WHERE topic = ? AND name = ?", (topic, name)).rowcount > 0

    def subscriptions(self) -> list[tuple[str, str, Any]]:
        rows = self._db.execute("SELECT * FROM subscriptions ORDER BY topic, name")
        return [(row["topic"], row["name"], json.loads(row["document"])) for row in rows]

    def add_event(self, topic: str, body: dict[str, Any], now: float) -> None:
        self._db.execute("INSERT INTO events (topic, received, body) VALUES (?, ?, ?)", (topic, now, json.dumps(body)))
        self._trim("events")

    def events(self, topic: str | None) -> Iterator[dict[str, Any]]:
        """The events received, oldest first."""
        for row in self._db.execute("SELECT * FROM events WHERE ? IS NULL OR topic = ? ORDER BY key", (topic, topic)):
            yield {"topic": row["topic"], "received": row["received"], "event": json.loads(row["body"])}

    def add_deliveries(self, subscription: str, body: dict[str, Any], published: float, due: Iterable[float]) -> None:
        rows = [(subscription, json.dumps(body), published, at) for at in due]
        self._db.executemany("INSERT INTO deliveries (subscription, body, published, due) VALUES (?, ?, ?, ?)", rows)

    def due(self, now: float, limit: int, without: set[int]) -> list[Delivery]:
        """Deliveries whose time has come, the most urgent first, except those in flight."""
        rows = self._db.execute(
            "SELECT * FROM deliveries WHERE due <= ? ORDER BY due, key LIMIT ?", (now, limit + len(without))
        )
        found = (Delivery(**{**dict(row), "body": json.loads(row["body"])}) for row in rows)
        return [one for one in found if one.key not in without][:limit]

    def next_due(self, without: set[int]) -> float | None:
        """When the next delivery that is not in flight is due, or None."""
        rows = self._db.execute("SELECT key, due FROM deliveries ORDER BY due LIMIT ?", (len(without) + 1,))
        return next((row["due"] for row in rows if row["key"] not in without), None)

    def postpone(self, one: Delivery, *, due: float, status: int | None, now: float, dead: str | None = None) -> None:
        """Note a failed attempt and when to take the delivery up again (with `dead`: to make it a dead letter)."""
        self._db.execute(
            "UPDATE deliveries SET attempts = ?, due = ?, last_status = ?, last_attempt = ?, dead = ? WHERE key = ?",
            (one.attempts + 1, due, status, now, dead, one.key),
        )

    def finish(self, one: Delivery, what: str) -> None:
        """Forget a delivery and count how it ended."""
        if self._db.execute("DELETE FROM deliveries WHERE key = ?", (one.key,)).rowcount:
            self._count(one.subscription, what)

    def log_attempt(self, one: Delivery, at: float, status: int | None, verdict: str) -> None:
        row = (at, one.subscription, one.body["id"], one.attempts + 1, status, verdict)
        columns = "at, subscription, event_id, attempt, status, verdict"
        self._db.execute(f"INSERT INTO attempts ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row)  # noqa: S608
        self._trim("attempts")

    def attempts(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self._db.execute("SELECT * FROM attempts ORDER BY key")]

    def counts(self) -> dict[str, dict[str, int]]:
        """Per subscription: how many deliveries are pending and how many ended in which way."""
        found: dict[str, dict[str, int]] = {}
        pending = "SELECT subscription, 'pending' AS what, COUNT(*) AS number FROM deliveries GROUP BY subscription"
        for row in (*self._db.execute(pending), *self._db.execute("SELECT * FROM counts")):
            found.setdefault(row["subscription"], {})[row["what"]] = row["number"]
        return found

    def _count(self, subscription: str, what: str) -> None:
        self._db.execute(
            "INSERT INTO counts VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET number = number + 1", (subscription, what)
        )

    def _trim(self, table: str) -> None:
        self._db.execute(f"DELETE FROM {table} WHERE key <= (SELECT MAX(key) FROM {table}) - ?", (_KEPT,))  # noqa: S608
