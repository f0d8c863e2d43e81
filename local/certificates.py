"""The local stack's own certificate authority, kept on disk so that clients that trust it once go on trusting it.

`azure-core` refuses to send a token over plain http (azure-facts §7), so the ARM simulator and the Event Grid topic
listen over HTTPS with a certificate of this authority. It is for loopback alone and is worth nothing elsewhere.
"""

import datetime as dt
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import certifi
import trustme
from cryptography import x509
from cryptography.exceptions import InvalidSignature

HOSTS = ("localhost", "127.0.0.1", "::1")
_RENEW_BEFORE = dt.timedelta(days=30)


@dataclass(frozen=True)
class Certificates:
    """Files in PEM form: the authority to trust, and a server's certificate chain with its private key."""

    ca_file: Path
    cert_file: Path
    key_file: Path

    def server_context(self) -> ssl.SSLContext:
        """The TLS context for a server on loopback."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.cert_file, self.key_file)
        return context

    def client_context(self) -> ssl.SSLContext:
        """The TLS context for a client that trusts this authority and nobody else."""
        return ssl.create_default_context(cafile=str(self.ca_file))


def ensure_ca(directory: Path) -> Certificates:
    """Return the certificates in `directory`, making what is missing, damaged or about to expire.

    The authority's files are `ca.pem` and `ca.key`, as the ARM simulator keeps them: given the same folder, both use
    one authority.
    """
    authority = _authority(directory / "ca.pem", directory / "ca.key")
    found = Certificates(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    if not _is_usable(found):
        server = authority.issue_cert(*HOSTS, common_name="localhost")
        _write(found.key_file, server.private_key_pem.bytes().decode(), mode=0o600)
        _write(found.cert_file, b"".join(blob.bytes() for blob in server.cert_chain_pems).decode(), mode=0o644)
    return found


def write_bundle(certificates: Certificates, target: Path, *, extra: Path | None = None) -> Path:
    """Write to `target` certifi's authorities, those in the file `extra` (where it exists) and ours.

    Tools that trust only the bundle that REQUESTS_CA_BUNDLE names can then still reach the rest of the world, also from
    behind a company's proxy whose authority `extra` holds.
    """
    parts = [Path(certifi.where()).read_text(encoding="utf-8")]
    if extra is not None and extra.is_file() and extra.resolve() != target.resolve():
        parts.append(extra.read_text(encoding="utf-8"))
    parts.append(certificates.ca_file.read_text(encoding="utf-8"))
    _write(target, "\n".join(part.strip() for part in parts) + "\n", mode=0o644)
    return target


def _authority(certificate: Path, key: Path) -> trustme.CA:
    """The authority in these files, made when they are missing, damaged or no longer valid."""
    try:
        known = x509.load_pem_x509_certificate(certificate.read_bytes())
        if known.not_valid_after_utc > dt.datetime.now(dt.UTC) + _RENEW_BEFORE:
            return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    except (OSError, ValueError, TypeError):
        pass  # made again below: it is ours alone, and its clients read it anew at every start
    made = trustme.CA(organization_name="Ringmaster local stack")
    _write(key, made.private_key_pem.bytes().decode(), mode=0o600)
    _write(certificate, made.cert_pem.bytes().decode(), mode=0o644)
    return made


def _is_usable(files: Certificates) -> bool:
    try:
        authority = x509.load_pem_x509_certificate(files.ca_file.read_bytes())
        server = x509.load_pem_x509_certificate(files.cert_file.read_bytes())
        server.verify_directly_issued_by(authority)
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.cert_file, files.key_file)
    except (OSError, ValueError, TypeError, InvalidSignature):  # ssl.SSLError is an OSError
        return False
    return server.not_valid_after_utc > dt.datetime.now(dt.UTC) + _RENEW_BEFORE


def _write(target: Path, text: str, *, mode: int) -> None:
    """Replace `target` at once, so that a process that starts meanwhile never reads half a certificate."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(target)
