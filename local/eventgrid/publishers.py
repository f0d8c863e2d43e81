"""Who may publish to the custom topic: a key, a signed token, or a bearer token.

A bearer token is checked for its audience and its end, not for its signature: the identity platform's key is not ours.
"""

import base64
import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote

import jwt

from local.eventgrid.events import Refused

AUDIENCE = "https://eventgrid.azure.net"


def authorize(headers: Mapping[str, str], *, key: str, host: str, now: float) -> None:
    """Raise Refused (401) unless one of the three kinds of proof is there and good."""
    if "aeg-sas-key" in headers:
        if not hmac.compare_digest(headers["aeg-sas-key"].encode(), key.encode()):
            raise _refused(host, "the key does not match any of the topic's keys")
    elif "aeg-sas-token" in headers:
        _check_token(headers["aeg-sas-token"], key, host, now)
    elif headers.get("Authorization", "").lower().startswith("bearer "):
        _check_bearer(headers["Authorization"].split(" ", 1)[1], host, now)
    else:
        message = "Request must contain one of the following authorization signature: aeg-sas-token, aeg-sas-key."
        raise Refused(401, "Unauthorized", message)


def _check_token(token: str, key: str, host: str, now: float) -> None:
    """`r=<resource>&e=<end>&s=<HMAC-SHA256 of what stands before>`, each part URL-encoded (post-to-custom-topic.md)."""
    signed, _, signature = token.rpartition("&s=")
    wanted = base64.b64encode(hmac.new(base64.b64decode(key), signed.encode(), hashlib.sha256).digest()).decode()
    if not signed or not hmac.compare_digest(unquote(signature).encode(), wanted.encode()):
        raise _refused(host, "the signature does not verify")
    try:
        ends = dt.datetime.fromisoformat(parse_qs(signed)["e"][0])
    except (KeyError, ValueError) as error:
        raise _refused(host, "the token does not say when it ends") from error
    if ends.replace(tzinfo=ends.tzinfo or dt.UTC).timestamp() <= now:
        raise _refused(host, "the token has expired")


def _check_bearer(token: str, host: str, now: float) -> None:
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError as error:
        raise _refused(host, "the bearer token is not a JSON web token") from error
    if str(claims.get("aud", "")).rstrip("/") != AUDIENCE:
        raise _refused(host, f"the token's audience is {claims.get('aud')!r}, not {AUDIENCE}")
    if float(claims.get("exp", 0)) <= now:
        raise _refused(host, "the token has expired")


def _refused(host: str, why: str) -> Refused:
    message = f"The request authorization key is not authorized for {host.upper()}. This is due to the reason: {why}."
    return Refused(401, "Unauthorized", message)
