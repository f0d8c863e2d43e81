"""Who sends a scan report: a scanner by its signature, or a principal of Entra by App Service Authentication."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import azure.functions as func

from shared.codec import Malformed
from shared.codec.principals import HEADER as PRINCIPAL
from shared.codec.principals import decode_principal
from shared.domain.senders import Sender
from shared.domain.signature import verify
from shared.settings import Settings
from shared.triggers.http_responses import HttpError

log = logging.getLogger("ringmaster.http")

TIMESTAMP: Final = "x-ringmaster-timestamp"
SIGNATURE: Final = "x-ringmaster-signature"
SCANNER: Final = "x-ringmaster-scanner"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent this, and under which name the very request is remembered (None: it need not be)."""

    sender: Sender
    replay_key: str | None = None


def authenticate(req: func.HttpRequest, scan_format: str, body: bytes, settings: Settings, now: datetime) -> Caller:
    """Who sent this. Raises Problem (401) when nobody can be sure, and says nothing of what was sent.

    A signature is looked at first. Without one, the principal counts, if any are allowed; the header proves nothing
    otherwise.
    """
    signed = TIMESTAMP in req.headers or SIGNATURE in req.headers
    if settings.principals and not signed and PRINCIPAL in req.headers:
        return Caller(_principal(req.headers[PRINCIPAL], settings))
    return _signer(req, scan_format, body, settings, now)


def _principal(header: str, settings: Settings) -> Sender:
    try:
        principal = decode_principal(header)
    except Malformed as error:
        log.warning("scan webhook refused: %s", error)
        raise HttpError(401, "principal_unreadable", str(error)) from error
    known = next((settings.principals[each] for each in principal.ids if each in settings.principals), None)
    if known is None:
        log.warning("scan webhook refused: the principal %s is not on the list", principal.ids)
        raise HttpError(
            401, "unknown_principal", "this principal may not send reports: see RINGMASTER_WEBHOOK_PRINCIPALS"
        )
    return known


def _signer(req: func.HttpRequest, scan_format: str, body: bytes, settings: Settings, now: datetime) -> Caller:
    name = req.headers.get(SCANNER, scan_format).strip().lower()
    sender = settings.scanners.get(name)
    if sender is None:
        raise HttpError(
            401,
            "unknown_scanner",
            f"no key is configured for this scanner: name it in the header {SCANNER} (without it, the format counts), "
            "and set RINGMASTER_WEBHOOK_KEYS",
        )
    stamp, signature = req.headers.get(TIMESTAMP), req.headers.get(SIGNATURE)
    verdict = verify(stamp, signature, body, sender.keys, now=now, tolerance=settings.webhook_tolerance)
    if not verdict.ok:
        log.warning("scan webhook refused for %s: %s", name, verdict.text)
        raise HttpError(401, f"signature_{verdict.refusal}", verdict.text)
    if verdict.key:
        log.info("%s signs with its key %d: it is an older one", name, verdict.key + 1)
    return Caller(sender, verdict.seen_as)
