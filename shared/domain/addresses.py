"""Which IP addresses may be connected to for a URL from outside: public addresses only.

Rules:

* Loopback, link-local (the instance metadata service), private, shared, reserved, multicast and unspecified addresses
  are refused (the registries of RFC 6890, as ``ipaddress`` knows them).
* An IPv6 address that carries an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo) is treated like that address.
* 168.63.129.16 is a public address at which every Azure virtual network has platform services: the wire server and
  resolver ("What is IP address 168.63.129.16?", Azure Virtual Network). It is refused too.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

type Address = IPv4Address | IPv6Address

LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})
"""Host names of this computer, as URLs have them."""
_PLATFORM: Final = frozenset({IPv4Address("168.63.129.16")})
_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE: Final = IPv6Network("::/96")
_NOTHING: Final = IPv4Network("0.0.0.0/8")


def why_not_public(text: str) -> str | None:
    """Why the address is not allowed, or None if it is public. An address with a scope (``%eth0``) is not public."""
    try:
        address = ip_address(text)
    except ValueError:
        return f"{text[:60]!r} is not an IP address"
    for each in _meant(address):
        if each in _PLATFORM:
            return f"{address} is an address of the Azure platform"
        if not _is_public(each):
            return f"{address} is not a public address"
    return None


def _meant(address: Address) -> Iterator[Address]:
    """The address, and all addresses that it represents."""
    if isinstance(address, IPv4Address):
        yield address
        return
    carried = list(_carried(address))
    yield from carried
    # A mapped address is only an IPv4 address; the other forms are also IPv6 addresses.
    if address.ipv4_mapped is None and not (carried and address in _NAT64[0]):
        yield address


def _carried(address: IPv6Address) -> Iterator[IPv4Address]:
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if any(address in network for network in (*_NAT64, _COMPATIBLE)):
        yield IPv4Address(int(address) & 0xFFFFFFFF)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address) and address in _NOTHING:
        return False
    if isinstance(address, IPv6Address) and (address.scope_id or address.is_site_local):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
