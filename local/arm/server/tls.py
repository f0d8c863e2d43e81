"""The simulator's certificate: an authority that is kept with the state, and a fresh leaf for every start."""

import ssl
from pathlib import Path

import trustme

HOSTS = ("localhost", "127.0.0.1", "::1")


def authority(directory: Path) -> tuple[trustme.CA, Path]:
    """The certificate authority kept in `directory` (made on first use) and the PEM file that clients shall trust."""
    certificate, key = directory / "ca.pem", directory / "ca.key"
    if certificate.exists() and key.exists():
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes()), certificate
    made = trustme.CA(organization_name="Ringmaster local stack")
    key.touch(mode=0o600)
    made.private_key_pem.write_to_path(key)
    made.cert_pem.write_to_path(certificate)
    return made, certificate


def server_context(ca: trustme.CA) -> ssl.SSLContext:
    """A TLS context for a server on loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*HOSTS).configure_cert(context)
    return context
