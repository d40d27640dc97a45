"""What serve/pools.py changes inside Ray Serve is still there and still used."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import CodeType

import grpc
import pytest
import ray
from ray.serve._private import replica

from hairline.serve import pools


def names(code: CodeType) -> Iterator[str]:
    """Every name that code looks up, in nested functions and classes too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names(constant)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that Ray's own function is asked to open; it opens them all the same."""
    asked: list[str] = []
    real = replica.add_port_to_grpc_server

    def watched(server: grpc.Server, address: str) -> int:
        asked.append(address)
        return int(real(server, address))

    monkeypatch.setattr(replica, "add_port_to_grpc_server", watched)
    return asked


@pytest.mark.parametrize(("node", "opened"), [("127.0.0.1", "127.0.0.1:0"), ("192.0.2.7", "[::]:0")])
def test_on_this_machine_alone_processes_call_each_other_on_loopback(
    node: str, opened: str, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray.util, "get_node_ip_address", lambda: node)
    pools._keep_to_loopback()
    server = grpc.server(ThreadPoolExecutor(1))
    assert replica.add_port_to_grpc_server(server, "[::]:0") > 0
    assert told == [opened]
    server.stop(0)


def test_a_replica_opens_its_port_by_the_function_that_is_replaced() -> None:
    source = replica.__loader__.get_code(replica.__name__)  # type: ignore[union-attr]
    inside = [name for constant in source.co_consts if isinstance(constant, CodeType) for name in names(constant)]
    assert "add_port_to_grpc_server" in inside
