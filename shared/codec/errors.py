"""Errors of decoding and encoding. Each text has the problem, its place and the action."""

from __future__ import annotations


class CodecError(ValueError):
    """Bytes that cannot be read as what they should be, or a value that cannot be written."""


class NotOurs(CodecError):
    """Not written by this app at all."""


class NewerVersion(CodecError):
    """Written by a newer version of the app than this one."""

    def __init__(self, what: str, version: int, ours: int) -> None:
        super().__init__(
            f"{what} is from a newer version of the app (format {version}; this version reads formats up to {ours}): "
            "deploy the newer version, then send it again"
        )


class Malformed(CodecError):
    """A document of this app that does not match its format."""


class TooLarge(CodecError):
    """More bytes than the format allows."""


class Unencodable(CodecError):
    """A value that JSON cannot carry without loss: a fault of the program that made it."""


def size_in_words(size: int) -> str:
    """``123 bytes`` or ``48 KiB``."""
    return f"{size} bytes" if size < 10 * 1024 else f"{size // 1024} KiB"
