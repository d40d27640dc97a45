"""Nothing of a service for this machine listens beyond it: neither the ingress nor anything of Ray's."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path

import pytest

from serve_kit import Server

LISTENS = "0A"


def family(pid: int) -> set[int]:
    """A process and all that it has started, directly or not."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # gone meanwhile
                continue
    found, more = {pid}, True
    while more:
        grown = found | {child for child, parent in parents.items() if parent in found}
        found, more = grown, grown != found
    return found


def listening(pids: set[int]) -> dict[str, str]:
    """address:port -> command, as `ss -ltnp` has them."""
    sockets = {}
    for pid in pids:
        try:
            for fd in Path(f"/proc/{pid}/fd").iterdir():
                sockets[str(fd.readlink())] = Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            continue
    found = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            owner = sockets.get(f"socket:[{fields[9]}]")
            if fields[3] == LISTENS and owner:
                raw, port = fields[1].split(":")
                words = [bytes.fromhex(raw[i : i + 8])[::-1] for i in range(0, len(raw), 8)]
                found[f"{ipaddress.ip_address(b''.join(words))} {int(port, 16)}"] = owner
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_listens_beyond_this_machine(service: Server) -> None:
    found = listening(family(service.process.pid))
    assert f"127.0.0.1 {service.url.rpartition(':')[2]}" in found
    assert len(found) > 3  # Ray's processes are among them
    beyond = {}
    for place, owner in found.items():
        address = ipaddress.ip_address(place.split()[0])
        mapped = getattr(address, "ipv4_mapped", None)
        if not (mapped or address).is_loopback:
            beyond[place] = owner
    assert beyond == {}
