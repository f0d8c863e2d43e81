"""Sessions as signed cookies. The host stores no sessions, and accepts only cookies that it has signed."""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta

COOKIE = "AppServiceAuthSession"
"""The name of App Service Authentication's session cookie."""
LIFETIME = timedelta(hours=8)
"""The default lifetime of a session (`cookieExpiration.timeToExpiration` is 08:00:00)."""
_LONGEST = 4096


class Sessions:
    """Issues and verifies cookies. Without `key`, a random key is used, so that sessions end with the host."""

    def __init__(self, key: bytes | None = None, lifetime: timedelta = LIFETIME) -> None:
        self._key = key or secrets.token_bytes(32)
        self.lifetime = lifetime

    def issue(self, person: str, now: datetime) -> str:
        """The value of a cookie for a user, valid from `now` for `lifetime`."""
        content = f"{int((now + self.lifetime).timestamp())}:{person}".encode()
        return f"{_text(content)}.{_text(self._signature(content))}"

    def holder(self, cookie: str, now: datetime) -> str | None:
        """The id of the cookie's user. None for a cookie that is forged, altered or expired."""
        content, _, signature = cookie[:_LONGEST].partition(".")
        try:
            signed, given = _bytes(content), _bytes(signature)
        except ValueError:
            return None
        if not hmac.compare_digest(self._signature(signed), given):
            return None
        expires, _, person = signed.decode().partition(":")  # the signature proves that this host wrote the value
        return person if now.timestamp() < int(expires) else None

    def _signature(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, "sha256")


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")  # padding would require quotes in a cookie


def _bytes(text: str) -> bytes:
    found = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _text(found) != text:  # the decoder ignores invalid characters; accept only the canonical form
        raise ValueError("not in canonical form")
    return found
