"""Models -> HTML, and the headers that go with every page.

Everything from outside is escaped, and characters that steer (controls, changes of writing direction) are written out.
Nothing is loaded and no script runs: the style sheet stands in the page, and the policy names its digest.
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

from shared.domain.wording import printable
from shared.web.query_parameters import page_url

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES: Final = Path(__file__).with_name("templates")
_CVE: Final = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")
_GHSA: Final = re.compile(r"GHSA(-[0-9a-z]{4}){3}")


@dataclass(frozen=True, slots=True)
class Page:
    """What is sent to a browser: HTML in UTF-8, an HTTP status, and headers."""

    status: int
    body: str
    headers: Mapping[str, str]


def render(template: str, status: int = 200, **model: object) -> Page:
    """A page from a template and its model."""
    body = _environment().get_template(f"{template}.html").render(model)
    return Page(status, body, headers())


@cache
def headers() -> Mapping[str, str]:
    """What every page is sent with: it may load nothing, run nothing, be framed nowhere, and be kept by nobody."""
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
    """The address, if it is one of the web that may be followed; otherwise nothing."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return ""
    plain = url.isascii() and url.isprintable() and " " not in url
    return url if plain and parts.scheme in {"http", "https"} and host and "@" not in parts.netloc else ""


def advisory_link(name: str) -> str:
    """Where a vulnerability of this name is described, where its name tells."""
    if _CVE.fullmatch(name):
        return f"https://www.cve.org/CVERecord?id={name}"
    return f"https://github.com/advisories/{name}" if _GHSA.fullmatch(name) else ""


def count(number: int, one: str, many: str = "") -> str:
    """``1 finding``, ``12,345 findings``."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def clipped(text: str, most: int = 2000) -> str:
    """Text that may be long, for a place that isn't."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


@cache
def _style() -> str:
    return (_TEMPLATES / "style.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    # Imported with the first page: other triggers need not wait for it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters.update(count=count, clipped=clipped, web_link=web_link, advisory_link=advisory_link, at=_at)
    environment.globals.update(page_url=page_url, style=_TrustedText(_style()))
    return environment


class _TrustedText(str):
    """Our own text, which a browser must get as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def _finalize(value: Any) -> Any:
    """Any value as it goes into a page: texts without steering characters, large numbers with commas."""
    if type(value) is str:
        return printable(value)
    if type(value) is int:
        return f"{value:,}"
    return "" if value is None else value


def _at(moment: datetime | str) -> str:
    """A time, in UTC, to the minute."""
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{found.astimezone(UTC):%Y-%m-%d %H:%M}"
