"""Signatures of webhook bodies. They prove that the holder of a key sent the body recently.

Rules:

* The signed text is the timestamp as it stands in its header, a full stop, and the body as received:
  ``f"{timestamp}.".encode() + body``. HMAC-SHA-256, written as ``v1=<64 hex digits>``; several may stand in one
  header, separated by commas, so that a sender can change its key without a gap. So can a receiver: it gives all
  its valid keys.
* Every key is tried against every signature, with ``hmac.compare_digest`` and without stopping at a match, so the time
  taken says nothing of which key or how much of it was right.
* A timestamp (whole seconds since 1970) outside the tolerance is refused before the body is looked at.
* Neither a verdict nor its text ever contains a key or an expected signature.

This module does not know which signatures it saw before. ``SignatureVerdict.seen_as`` is the name under which the
caller remembers one for as long as ``tolerance`` allows it to come back.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

MAX_SIGNATURES: Final = 8
"""Maximum number of signatures in a header. A key rotation needs two; more would only cost time."""

_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE: Final = re.compile(r"v1=([0-9a-fA-F]{64})", re.ASCII)
_MAX_HEADER: Final = 1024


class SignatureRefusal(StrEnum):
    """Why a signature is refused."""

    MISSING = "missing"
    MALFORMED = "malformed"
    OLD = "old"
    FUTURE = "future"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """The verdict on a body. ``refusal`` is None if it is accepted; ``text`` is the reason for people."""

    refusal: SignatureRefusal | None
    text: str = ""
    key: int | None = None
    """Position of the key that matched, to see when an old key is no longer used."""
    seen_as: str = ""
    """A key to store, so that the same request is refused if it arrives again."""

    @property
    def ok(self) -> bool:
        return self.refusal is None


def sign(timestamp: int, body: bytes, key: bytes) -> str:
    """The signature header for a body, as a sender writes it. ``timestamp`` is in whole seconds since 1970."""
    return "v1=" + hmac.new(key, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def verify(
    timestamp: str | None,
    signature: str | None,
    body: bytes,
    keys: Sequence[bytes],
    *,
    now: datetime,
    tolerance: timedelta,
) -> SignatureVerdict:
    """Verify a complete body. Raises ValueError without a usable key."""
    check = SignatureCheck(timestamp, signature, keys, now=now, tolerance=tolerance)
    if check.refused is None:
        check.update(body)
    return check.finish()


class SignatureCheck:
    """The same for a body that comes in pieces: ask ``refused`` first, ``update`` with each piece, then ``finish``."""

    def __init__(
        self,
        timestamp: str | None,
        signature: str | None,
        keys: Sequence[bytes],
        *,
        now: datetime,
        tolerance: timedelta,
    ) -> None:
        """Raises ValueError if there is no key, or an empty one."""
        if not keys or not all(keys):
            raise ValueError("at least one key is needed to verify a signature, and none may be empty")
        self.refused: SignatureVerdict | None = _headers(timestamp, signature, now, tolerance)
        """The verdict if the headers alone are a reason to refuse the request, so that the body need not be read."""
        self._given = [] if self.refused else [match.lower() for match in _SIGNATURE.findall(signature or "")]
        # A refused timestamp may be any text, also one that no bytes stand for.
        signed = b"" if self.refused else f"{(timestamp or '').strip()}.".encode()
        self._macs = [hmac.new(key, signed, hashlib.sha256) for key in keys]
        self._signed = hashlib.sha256(signed)

    def update(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        self._signed.update(piece)
        for mac in self._macs:
            mac.update(piece)

    def finish(self) -> SignatureVerdict:
        """The verdict over all the pieces taken."""
        if self.refused is not None:
            return self.refused
        matched: int | None = None
        for index, mac in enumerate(self._macs):
            expected = mac.hexdigest()
            for given in self._given:
                if hmac.compare_digest(expected, given) and matched is None:
                    matched = index
        if matched is None:
            return SignatureVerdict(
                SignatureRefusal.WRONG,
                "the signature does not match the timestamp and the body with any configured key",
            )
        # Named by what was signed and not by the key that matched: a request with the signatures of two keys, sent
        # again with the other one alone, is the same request.
        return SignatureVerdict(None, key=matched, seen_as=self._signed.hexdigest())


def _headers(
    timestamp: str | None, signature: str | None, now: datetime, tolerance: timedelta
) -> SignatureVerdict | None:
    for header, value in (("timestamp", timestamp), ("signature", signature)):
        if value is None or not value.strip():
            return SignatureVerdict(SignatureRefusal.MISSING, f"the request has no {header}")
    assert timestamp is not None
    assert signature is not None
    if not _TIMESTAMP.fullmatch(timestamp.strip()):
        return SignatureVerdict(
            SignatureRefusal.MALFORMED, "the timestamp is not a whole number of seconds since 1970-01-01 (Unix time)"
        )
    parts = [part.strip() for part in signature[: _MAX_HEADER + 1].split(",")]
    if (
        len(signature) > _MAX_HEADER
        or len(parts) > MAX_SIGNATURES
        or not all(_SIGNATURE.fullmatch(part) for part in parts)
    ):
        return SignatureVerdict(
            SignatureRefusal.MALFORMED, f"the signature is not v1=<64 hex digits>, or up to {MAX_SIGNATURES} of them"
        )
    return _age(int(timestamp), now, tolerance)


def _age(timestamp: int, now: datetime, tolerance: timedelta) -> SignatureVerdict | None:
    age = now.astimezone(UTC).timestamp() - timestamp
    allowed = tolerance.total_seconds()
    if age > allowed:
        return SignatureVerdict(SignatureRefusal.OLD, f"signed {age:.0f} s ago; {allowed:.0f} s are allowed")
    if age < -allowed:
        return SignatureVerdict(
            SignatureRefusal.FUTURE, f"signed {-age:.0f} s in the future; {allowed:.0f} s are allowed. Check the clocks"
        )
    return None
