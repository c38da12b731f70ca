"""Which addresses may be connected to: those of the public internet, and networks that the user has named.

What feeds and pages link to is other people's choice. Without this, a feed could have the machine that reads it ask
its own services, its neighbours or its cloud's metadata, and put the answers into an index. Names are no help in
telling: whoever owns one lets it lead anywhere, and elsewhere a moment later. So what is judged is the address that
a connection is about to be made to.
"""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from index.errors import UsageError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# All that is handed out of IPv6 to be reached from everywhere; loopback, local and mapped addresses lie outside.
_HANDED_OUT = IPv6Network("2000::/3")
# An IPv4 address in the last four bytes: how a network without IPv4 reaches what has nothing else (RFC 6052).
_TRANSLATED = IPv6Network("64:ff9b::/96")
# An IPv4 address somewhere inside, and a relay that nobody runs any more: 6to4 (RFC 7526) and Teredo (RFC 4380).
_TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/32"))
# Neither private in the registries nor of the internet: between a provider and its customers (RFC 6598).
_SHARED = IPv4Network("100.64.0.0/10")


def network_of(text: str) -> Network:
    """The network that a user has named: `10.0.0.0/8`, `fd00::/8`, or one address. Raises UsageError."""
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise UsageError(
            f"'{text}' is no network: give an address or a range of them, such as 127.0.0.1 or 10.0.0.0/8."
        ) from error


def reason_against(written: str, allowed: Sequence[Network] = ()) -> str:
    """What kind of address this is, where it may not be connected to; an empty text where it may."""
    address = ip_address(written.partition("%")[0])  # behind it stands an interface of this machine
    meant = _meant(address)
    if any(one in network for one in (address, meant) for network in allowed):
        return ""
    kinds = {
        "unspecified": meant.is_unspecified, "loopback": meant.is_loopback, "link-local": meant.is_link_local,
        "multicast": meant.is_multicast, "shared": meant in _SHARED, "private": meant.is_private,
        "tunnelled": any(meant in network for network in _TUNNELS),
    }  # fmt: skip
    named = next((kind for kind, is_one in kinds.items() if is_one), "")
    if isinstance(meant, IPv6Address) and not named:
        return "" if meant in _HANDED_OUT else "reserved"
    return named or ("" if meant.is_global else "reserved")


def resolved(host: str, port: int) -> list[str]:
    """The addresses of a host, in the order in which the system would try them. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]) for *_, where in found))


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, or the address itself."""
    if not isinstance(address, IPv6Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address
