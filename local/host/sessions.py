"""Sessions as signed cookies: nothing is kept here, and a cookie that this very host did not sign is none."""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta

COOKIE = "AppServiceAuthSession"
"""The name of App Service Authentication's own session cookie."""
LIFETIME = timedelta(hours=8)
"""How long a session lasts where nothing else is configured (`cookieExpiration.timeToExpiration` is 08:00:00)."""
_LONGEST = 4096


class Sessions:
    """Issues and checks cookies. Without `key` one is made, so that sessions end with the host."""

    def __init__(self, key: bytes | None = None, lifetime: timedelta = LIFETIME) -> None:
        self._key = key or secrets.token_bytes(32)
        self.lifetime = lifetime

    def issue(self, person: str, now: datetime) -> str:
        """A cookie's value that stands for the person with this id, from `now` on for `lifetime`."""
        content = f"{int((now + self.lifetime).timestamp())}:{person}".encode()
        return f"{_text(content)}.{_text(self._signature(content))}"

    def holder(self, cookie: str, now: datetime) -> str | None:
        """The id of the person whom the cookie stands for; None for a cookie that is forged, altered or has expired."""
        content, _, signature = cookie[:_LONGEST].partition(".")
        try:
            signed, given = _bytes(content), _bytes(signature)
        except ValueError:
            return None
        if not hmac.compare_digest(self._signature(signed), given):
            return None
        expires, _, person = signed.decode().partition(":")  # as we wrote it: the signature says so
        return person if now.timestamp() < int(expires) else None

    def _signature(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")  # with it, a cookie's value would need quotes


def _bytes(text: str) -> bytes:
    found = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _text(found) != text:  # the decoder overlooks what doesn't belong there; a cookie has one form only
        raise ValueError("not as it was written")
    return found
