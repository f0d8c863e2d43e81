"""How a scanner proves who it is: HMAC-SHA-256 over time and body. Written apart from the code that verifies it."""

import hashlib
import hmac


def sign(key: bytes, timestamp: int, body: bytes) -> str:
    """The signature of `body` sent at `timestamp` (whole seconds since 1970)."""
    return "v1=" + hmac.new(key, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def headers_for(key: bytes, timestamp: int, body: bytes, *, scanner: str = "trivy") -> dict[str, str]:
    """The headers of a signed report; `scanner` names the key."""
    return {
        "Content-Type": "application/json",
        "x-ringmaster-timestamp": str(timestamp),
        "x-ringmaster-signature": sign(key, timestamp, body),
        "x-ringmaster-scanner": scanner,
    }
