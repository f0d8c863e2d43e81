"""Which IP addresses may be connected to on somebody else's word: public ones, and no others.

Rules:

* Loopback, link-local (the instance metadata service), private, shared, reserved, multicast and unspecified addresses
  are refused (the registries of RFC 6890, as ``ipaddress`` knows them).
* An IPv6 address that carries an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo) is as good as what it carries.
* 168.63.129.16 is a public address that every Azure virtual network answers by itself: the platform's wire server and
  resolver ("What is IP address 168.63.129.16?", Azure Virtual Network). It is refused too.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

type Address = IPv4Address | IPv6Address

_PLATFORM: Final = frozenset({IPv4Address("168.63.129.16")})
_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE: Final = IPv6Network("::/96")
_NOTHING: Final = IPv4Network("0.0.0.0/8")


def why_not_public(text: str) -> str | None:
    """Why this address is never connected to, or None when it is a public one. A scope (``%eth0``) is no public one."""
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
    """The address, and every other one that it stands for."""
    if isinstance(address, IPv4Address):
        yield address
        return
    carried = list(_carried(address))
    yield from carried
    # A mapped address is IPv4 in other words; the others are addresses in their own right besides.
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
