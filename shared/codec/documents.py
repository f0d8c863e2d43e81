"""Evidence as JSON: canonical, so that the same facts are the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from shared.codec.errors import Malformed, TooLarge, Unencodable, size_in_words
from shared.codec.plain import as_dict

LARGEST_DOCUMENT: Final = 16 * 1024 * 1024
"""Maximum size of an evidence document in bytes."""

_OBJECT: Final = msgspec.json.Decoder(dict[str, Any])


def encode_document(document: Mapping[str, Any]) -> bytes:
    """UTF-8 JSON with sorted keys and no spaces; times, enums and dataclasses in their usual JSON form.

    Raises Unencodable or TooLarge.
    """
    try:
        body = msgspec.json.encode(dict(document), order="sorted", enc_hook=as_dict)
    except (TypeError, UnicodeEncodeError, RecursionError) as error:
        raise Unencodable(f"the document cannot be written as JSON: {error}") from error
    if len(body) > LARGEST_DOCUMENT:
        limit = size_in_words(LARGEST_DOCUMENT)
        raise TooLarge(f"the document has {size_in_words(len(body))}; the maximum is {limit}")
    return body


def decode_document(body: bytes) -> Mapping[str, Any]:
    """Read a document. Raises Malformed."""
    try:
        return _OBJECT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the document is not a JSON object: {error}") from error
