"""Rendering of pages with Jinja2, and the HTTP headers of every page.

All values are escaped. Control characters and characters that change the writing direction are shown as escape
sequences. Pages load no resources and run no scripts: the style sheet is inline, and the Content-Security-Policy
contains its digest.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from shared.domain.display import count, printable
from shared.web.query_parameters import page_url

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES: Final = Path(__file__).with_name("templates")
_CVE: Final = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")
_GHSA: Final = re.compile(r"GHSA(-[0-9a-z]{4}){3}")


@dataclass(frozen=True, slots=True)
class Page:
    """An HTTP response with an HTML body in UTF-8."""

    status: int
    body: str
    headers: Mapping[str, str]


def render(template: str, status: int = 200, **model: object) -> Page:
    """Render a template with its view model."""
    body = _environment().get_template(f"{template}.html").render(model)
    return Page(status, body, headers())


@cache
def headers() -> Mapping[str, str]:
    """The headers of every page: it loads and runs nothing, and browsers neither frame nor cache it."""
    digest = base64.b64encode(sha256(_style().encode()).digest()).decode()
    return {
        "content-security-policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }


def web_link(url: str) -> str:
    """The URL if it is an HTTP or HTTPS URL without credentials. Otherwise an empty string."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return ""
    plain = url.isascii() and url.isprintable() and " " not in url
    return url if plain and parts.scheme in {"http", "https"} and host and "@" not in parts.netloc else ""


def advisory_link(name: str) -> str:
    """The URL of the advisory for a CVE or GHSA id. An empty string for other ids."""
    if _CVE.fullmatch(name):
        return f"https://www.cve.org/CVERecord?id={name}"
    return f"https://github.com/advisories/{name}" if _GHSA.fullmatch(name) else ""


def clipped(text: str, most: int = 2000) -> str:
    """Text that is cut to ``most`` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


@cache
def _style() -> str:
    return (_TEMPLATES / "style.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    # Imported when the first page is rendered, to keep the cold start of the other triggers short.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters.update(
        count=count, clipped=clipped, web_link=web_link, advisory_link=advisory_link, at=_format_time
    )
    environment.globals.update(page_url=page_url, style=_TrustedText(_style()))
    return environment


class _TrustedText(str):
    """Text that is inserted without escaping."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def _finalize(value: Any) -> Any:
    """Prepare a value for output: escape control characters in text, and add separators to large numbers."""
    if type(value) is str:
        return printable(value)
    if type(value) is int:
        return f"{value:,}"
    return "" if value is None else value


def _format_time(moment: datetime | str) -> str:
    """A time, in UTC, to the minute."""
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{found.astimezone(UTC):%Y-%m-%d %H:%M}"
