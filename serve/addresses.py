"""Which addresses a URL from outside may lead to: the public internet, and what the settings allow by name.

Nothing here reads host names or odd notations. An address is judged in the form in which a socket would use
it, so that there is one form only, whatever the URL said.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from ..configs.network import Allowed

Address = IPv4Address | IPv6Address

GLOBAL_UNICAST = IPv6Network("2000::/3")  # all of IPv6 that is handed out
NAT64 = IPv6Network("64:ff9b::/96")  # how a network with IPv6 alone reaches the IPv4 internet (RFC 6052)
# Not public, or not to be reached, beyond what `ipaddress` of every supported Python says:
REFUSED = tuple(
    ip_network(text)
    for text in (
        "168.63.129.16/32",  # a cloud's host agent, in the midst of public addresses
        "192.0.0.0/24",  # protocol assignments, some clouds' metadata among them
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "2001::/23",  # Teredo and other protocol assignments
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: any IPv4 address in another coat
        "3fff::/20",  # documentation
    )
)


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet.

    Refused are private, shared, loopback, link-local (cloud metadata), multicast, unspecified and reserved
    addresses of both versions, and IPv4 ones in an IPv6 coat: a mapped or NAT64 one is judged by what it
    holds, 6to4, Teredo and the rest have no honest use left.
    """
    if isinstance(address, IPv6Address):
        if address.scope_id:
            return False
        if address in NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.ipv4_mapped:
            return is_public(address.ipv4_mapped)
        if address not in GLOBAL_UNICAST:
            return False
    if any(address in network for network in REFUSED if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast


def may_reach(host: str, port: int, ports: tuple[int, ...], allow: tuple[Allowed, ...] = ()) -> bool:
    """Whether a socket may connect to this numeric address and port.

    Args:
        ports: what may be asked of public addresses, and of exceptions that name no port.

    Raises:
        ValueError: `host` is no numeric address.
    """
    address = ip_address(host)
    for network, only in allow:
        inside = network.version == address.version and address in network
        if inside and (only == port or (only is None and port in ports)):
            return True
    return port in ports and is_public(address)
