"""The path of a request, as Kestrel and ASP.NET Core read and show it.

Escapes are decoded once, but a `%2F` stays as it is, so that a slash never appears within a segment; then `.` and `..`
are resolved (Kestrel's PathDecoder and PathNormalizer). A path is shown with what a URL cannot hold escaped again
(PathString.ToUriComponent), so `%2B` comes out as `+`.
"""

import re
from urllib.parse import quote

_ESCAPES = re.compile(r"(?:%(?!2[Ff])[0-9A-Fa-f]{2})+")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SHOWN_AS_THEY_ARE = "!$&'()*+,;=:@/%"


def request_path(raw: str) -> str:
    """The path that routes are matched with, from the one in the request line."""
    return _without_dots(_ESCAPES.sub(_decoded, raw))


def shown_path(path: str) -> str:
    """A path of `request_path` as part of a URL."""
    return quote(_LONE_PERCENT.sub("%25", path), safe=_SHOWN_AS_THEY_ARE)


def _decoded(escapes: re.Match[str]) -> str:
    try:
        return bytes.fromhex(escapes[0].replace("%", "")).decode()
    except UnicodeDecodeError:
        return escapes[0]  # not UTF-8: Kestrel leaves it


def _without_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.removeprefix("/").split("/")
    for segment in segments:
        if segment == ".." and kept:
            kept.pop()
        if segment not in (".", ".."):
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
