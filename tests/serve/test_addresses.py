"""The address check by itself: nothing here opens a connection."""

import pytest

from hairline.configs.network import Allowed
from hairline.serve.addresses import may_reach

PORTS = (80, 443)

REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # IPv4-compatible, out of use
    "::ffff:127.0.0.1",  # mapped
    "::ffff:a9fe:a9fe",
    "::ffff:0:127.0.0.1",  # translated (SIIT)
    "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
    "64:ff9b::a9fe:a9fe",  # and of 169.254.169.254
    "64:ff9b:1::a00:1",  # local NAT64
    "100::1",  # discard
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:808:808::1",  # 6to4 of a public address all the same
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # a cloud's metadata
    "fe80::1",
    "fe80::1%1",
    "2606:4700::1111%1",  # a zone has no place in a public address
    "fec0::1",  # site-local
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "198.20.0.1", "223.255.255.255"]
PUBLIC += ["2606:4700:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not may_reach(address, 443, PORTS)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_reached_on_these_ports_only(address: str) -> None:
    assert may_reach(address, 443, PORTS)
    assert not may_reach(address, 22, PORTS)


@pytest.mark.parametrize(
    ("exception", "yes", "no"),
    [
        ("127.0.0.1:9000", [("127.0.0.1", 9000)], [("127.0.0.1", 80), ("127.0.0.2", 9000), ("8.8.8.8", 9000)]),
        ("10.1.0.0/16", [("10.1.2.3", 443)], [("10.1.2.3", 22), ("10.2.0.1", 443)]),
        ("10.1.0.0/16:8080", [("10.1.2.3", 8080)], [("10.1.2.3", 80)]),
        ("[fd00::1]:8080", [("fd00::1", 8080)], [("fd00::2", 8080), ("::ffff:10.0.0.1", 8080)]),
        ("fd00::/64", [("fd00::5", 80)], [("fe80::5", 80)]),
    ],
)
def test_exceptions_are_as_wide_as_they_are_written(
    exception: str, yes: list[tuple[str, int]], no: list[tuple[str, int]]
) -> None:
    allow = (Allowed.parse(exception),)
    assert all(may_reach(*place, PORTS, allow) for place in yes)
    assert not any(may_reach(*place, PORTS, allow) for place in no)


@pytest.mark.parametrize("text", ["", "example.com", "10.0.0.0/33", "10.0.0.1:0", "10.0.0.1:http", "10.0.0.5/8"])
def test_an_exception_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Allowed.parse(text)
