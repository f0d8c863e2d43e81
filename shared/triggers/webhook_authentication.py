"""Authentication of scan reports: by a scanner's signature, or by a Microsoft Entra token that App Service
Authentication has validated.
"""

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
    """Who sent a report.

    ``replay_key`` identifies the request for replay detection; None when no detection is needed.
    """

    sender: Sender
    replay_key: str | None = None


def authenticate(req: func.HttpRequest, scan_format: str, body: bytes, settings: Settings, now: datetime) -> Caller:
    """Return who sent the request. Raises HttpError (401) when the sender cannot be authenticated.

    A signature takes precedence. Without one, the principal from App Service Authentication is used, if the settings
    allow any; otherwise its header is ignored. Error messages do not reveal anything about the report.
    """
    signed = TIMESTAMP in req.headers or SIGNATURE in req.headers
    if settings.principals and not signed and PRINCIPAL in req.headers:
        return Caller(_principal(req.headers[PRINCIPAL], settings))
    return _signer(req, scan_format, body, settings, now)


def _principal(header: str, settings: Settings) -> Sender:
    try:
        principal = decode_principal(header)
    except Malformed as error:
        log.warning("scan report denied: %s", error)
        raise HttpError(401, "principal_unreadable", str(error)) from error
    known = next((settings.principals[each] for each in principal.ids if each in settings.principals), None)
    if known is None:
        log.warning("scan report denied: principal %s is not in RINGMASTER_WEBHOOK_PRINCIPALS", principal.ids)
        raise HttpError(
            401,
            "unknown_principal",
            "this principal may not send reports; add it to the setting RINGMASTER_WEBHOOK_PRINCIPALS",
        )
    return known


def _signer(req: func.HttpRequest, scan_format: str, body: bytes, settings: Settings, now: datetime) -> Caller:
    name = req.headers.get(SCANNER, scan_format).strip().lower()
    sender = settings.scanners.get(name)
    if sender is None:
        raise HttpError(
            401,
            "unknown_scanner",
            f"no key is configured for this scanner. Send the scanner's name in the header {SCANNER} (the default is "
            "the format), and add its key to the setting RINGMASTER_WEBHOOK_KEYS",
        )
    stamp, signature = req.headers.get(TIMESTAMP), req.headers.get(SIGNATURE)
    verdict = verify(stamp, signature, body, sender.keys, now=now, tolerance=settings.webhook_tolerance)
    if not verdict.ok:
        log.warning("scan report of %s denied: %s", name, verdict.text)
        raise HttpError(401, f"signature_{verdict.refusal}", verdict.text)
    if verdict.key:
        log.info("scanner %s signs with key %d, which is not its newest key", name, verdict.key + 1)
    return Caller(sender, verdict.seen_as)
