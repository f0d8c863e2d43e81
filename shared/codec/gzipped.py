"""Decompression of gzip in chunks and with limits, so that a small body cannot fill the memory.

Deflate packs at most 1,032 bytes into one; reports of scanners, which are JSON, go down to about a twentieth of their
size. What is far beyond that was not written by a scanner and is refused early; the absolute bound holds in any case.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Final

from shared.codec.errors import Malformed, TooLarge
from shared.domain.limits import CHUNK_BYTES

MOST_RATIO: Final = 200
"""Maximum ratio of decompressed to compressed bytes."""
RATIO_FROM: Final = 8 * 1024 * 1024
"""Number of bytes from which the ratio is checked: small reports with a repeated line can have any ratio."""
MOST_MEMBERS: Final = 10_000
"""Maximum number of members of a body; bgzip writes one for every 64 KiB. Empty members only cost time."""
_GZIP: Final = 16 + zlib.MAX_WBITS


class Gunzip:
    """One gzip stream (of one or more members), undone piece by piece: ``feed`` what comes in, then ``finish``."""

    def __init__(self, *, most_bytes: int) -> None:
        """``most_bytes`` bounds what comes out."""
        self._most = most_bytes
        self._taken = self._given = 0
        self._member = zlib.decompressobj(_GZIP)
        self._members = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """What these further bytes stand for. Raises Malformed or TooLarge."""
        self._taken += len(piece)
        rest: bytes | memoryview = piece
        while rest:
            self._next_member()
            try:
                out = self._member.decompress(rest, CHUNK_BYTES)
            except zlib.error as error:
                raise Malformed(f"the body is not valid gzip data: {error}") from error
            self._count(len(out))
            if out:
                yield out
            rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def finish(self) -> None:
        """Raise Malformed unless the stream came to its end."""
        if not self._member.eof:
            raise Malformed("the gzip body is incomplete")

    def _next_member(self) -> None:
        if not self._member.eof:
            return
        self._members += 1
        if self._members >= MOST_MEMBERS:
            raise TooLarge(f"the gzip body has more than {MOST_MEMBERS} members")
        self._member = zlib.decompressobj(_GZIP)

    def _count(self, size: int) -> None:
        self._given += size
        if self._given > self._most:
            raise TooLarge(f"the gzip body expands to more than {self._most} bytes, the maximum size of a report")
        if self._given > RATIO_FROM and self._given > self._taken * MOST_RATIO:
            raise TooLarge(f"the gzip body expands to more than {MOST_RATIO} times its size, which is the maximum")


def gunzipped(body: bytes, *, most_bytes: int) -> bytes:
    """A whole gzip body undone. Raises Malformed or TooLarge.

    Holds the result once: ``BytesIO`` grows in place and hands out its own buffer.
    """
    gunzip, whole = Gunzip(most_bytes=most_bytes), io.BytesIO()
    view = memoryview(body)
    for start in range(0, len(view), CHUNK_BYTES):
        # In chunks, because zlib copies the remaining input at each step.
        for out in gunzip.feed(bytes(view[start : start + CHUNK_BYTES])):
            whole.write(out)
    gunzip.finish()
    return whole.getvalue()
