"""The parts of a service file that concern the network: where it listens, and what it may fetch.

Light to import: the address is listened on while the rest of the program is still being loaded.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

Network = IPv4Network | IPv6Network


class Address(BaseModel):
    """Where a service listens."""

    host: str = Field("127.0.0.1", description="where to listen; beyond loopback it takes keys")
    port: int = Field(8000, ge=0, le=65535, description="0: any free one, told at the start")
    keys: str = Field("", description="file of API keys, see `hairline keys`; needed beyond loopback")


class Allowed(NamedTuple):
    """An inner network that may be reached, and the one port it holds for; None: the ports that are open to anybody."""

    network: Network
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Allowed:
        """From `10.1.2.0/24`, `10.1.2.3:8080` or `[fd00::1]:8080`. Raises ValueError."""
        host, port = text.strip(), ""
        if host.startswith("["):
            host, _, port = host[1:].partition("]")
            port = port.removeprefix(":")
        elif host.count(":") == 1:
            host, _, port = host.partition(":")
        if port and not 0 < int(port) < 65536:
            raise ValueError(f"{text}: no such port")
        return cls(ip_network(host), int(port) if port else None)


class FetchLimits(BaseModel):
    """What fetching may reach, take and last."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_bytes: int = Field(50 << 20, gt=0, description="largest answer, bytes")
    seconds: float = Field(15.0, gt=0, description="from the question to the last byte, redirects included")
    redirects: int = Field(3, ge=0, le=10, description="how many are followed")
    ports: tuple[int, ...] = Field((80, 443), description="ports that may be asked on public addresses")
    allow: tuple[Allowed, ...] = Field(
        (), description="inner addresses that may be reached all the same, such as 10.1.2.0/24 or 10.1.2.3:8080"
    )

    @field_validator("allow", mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise ValueError("a list of addresses or networks, such as [10.1.2.0/24]")
        return tuple(Allowed.parse(v) if isinstance(v, str) else v for v in value)
