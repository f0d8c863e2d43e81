"""Signs reports: HMAC-SHA-256 over timestamp and body.

Implemented independently of the code that verifies signatures.
"""

import hashlib
import hmac


def sign(key: bytes, timestamp: int, body: bytes) -> str:
    """The signature of `body`, sent at `timestamp` (seconds since the epoch)."""
    return "v1=" + hmac.new(key, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def headers_for(key: bytes, timestamp: int, body: bytes, *, scanner: str = "trivy") -> dict[str, str]:
    """The headers of a signed report. `scanner` selects the key."""
    return {
        "Content-Type": "application/json",
        "x-ringmaster-timestamp": str(timestamp),
        "x-ringmaster-signature": sign(key, timestamp, body),
        "x-ringmaster-scanner": scanner,
    }
