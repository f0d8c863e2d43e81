"""The local authority lasts, mends itself, and its certificates are accepted by a real TLS client."""

import asyncio
from pathlib import Path

import certifi
import pytest

from local.certificates import Certificates, ensure_ca, write_bundle


async def _handshake(certificates: Certificates, host: str) -> str:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.write_eof() if writer.can_write_eof() else None
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certificates.server_context())
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=certificates.client_context(), server_hostname=host
        )
        text = (await reader.read(5)).decode()
        writer.close()
        return text


def test_the_authority_stays_the_same(tmp_path: Path) -> None:
    first = ensure_ca(tmp_path).ca_file.read_bytes()
    assert ensure_ca(tmp_path).ca_file.read_bytes() == first


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_client_that_trusts_it_reaches_loopback(tmp_path: Path, host: str) -> None:
    assert await _handshake(ensure_ca(tmp_path), host) == "hello"


@pytest.mark.parametrize("name", ["ca.pem", "ca.key", "server.pem", "server.key"])
@pytest.mark.parametrize("damage", ["missing", "empty", "garbage"])
async def test_damage_is_mended(tmp_path: Path, name: str, damage: str) -> None:
    ensure_ca(tmp_path)
    if damage == "missing":
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text("" if damage == "empty" else "-----BEGIN NONSENSE-----\n")
    assert await _handshake(ensure_ca(tmp_path), "localhost") == "hello"


def test_a_lost_server_certificate_leaves_the_authority_alone(tmp_path: Path) -> None:
    before = ensure_ca(tmp_path).ca_file.read_bytes()
    (tmp_path / "server.key").unlink()
    assert ensure_ca(tmp_path).ca_file.read_bytes() == before


def test_private_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    ensure_ca(tmp_path)
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("ca.key", "server.key")} == {0o600}


def test_the_bundle_holds_the_world_s_the_company_s_and_our_authorities(tmp_path: Path) -> None:
    certificates = ensure_ca(tmp_path)
    company = tmp_path / "company.pem"
    company.write_text("-----BEGIN CERTIFICATE-----\ncompany\n-----END CERTIFICATE-----\n")
    text = write_bundle(certificates, tmp_path / "bundle.pem", extra=company).read_text()
    assert certificates.ca_file.read_text().strip() in text
    assert company.read_text().strip() in text
    assert Path(certifi.where()).read_text().strip() in text


def test_a_bundle_never_holds_its_former_self(tmp_path: Path) -> None:
    certificates, target = ensure_ca(tmp_path), tmp_path / "bundle.pem"
    first = write_bundle(certificates, target).read_text()
    assert write_bundle(certificates, target, extra=target).read_text() == first
