"""Whether the cluster that RAY_ADDRESS names can be joined.

Asked with single calls that have a time limit, before Ray itself connects: its own attempts go on for minutes, end
without saying what the matter was, and abort the process where a token is missing.
"""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from typing import Any

from ..stages.errors import HairlineError

ANSWER_S = 8.0  # longest that one question waits; there are at most two
CHOICES = "give HOST:PORT of the cluster's head (a port from 1024 to 65535), auto, or nothing to run here alone"
TOKEN = "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN to the cluster's (ray get-auth-token on its head shows it)"


def check_cluster(address: str) -> None:
    """Asks a cluster whether we may join it.

    Args:
        address: as RAY_ADDRESS has it: HOST:PORT or auto.

    Raises:
        HairlineError: the address is none, nobody answers there, its token is not ours, its Ray or Python is another,
            or this machine is none of its nodes. It comes within 20 s.
    """
    if "://" in address:
        raise _Refusal(
            address, "a run is steered from a node of the cluster, not through Ray Client; give HOST:PORT of its head"
            " there, or submit the command with ray job submit"
        )  # fmt: skip
    from ray._private import services
    from ray._private.utils import check_version_info
    from ray.exceptions import AuthenticationError

    try:
        if address == "auto":
            from ray._private.authentication.authentication_token_setup import (
                maybe_enable_token_auth_if_token_available,
            )

            maybe_enable_token_auth_if_token_available(warn_if_disabled=False)  # as ray.init does for auto alone
        found = str(services.canonicalize_bootstrap_address(address))
        services.extract_ip_port(found)
    except AuthenticationError as error:
        raise _Refusal(address, f"RAY_AUTH_MODE is token, but there is none here; {TOKEN}") from error
    except ConnectionError as error:
        raise _Refusal(address, "no cluster runs on this machine; start one with ray start --head") from error
    except ValueError as error:
        raise _Refusal(address, f"that is no address; {CHOICES}") from error
    where = address if found == address else f"{address} ({found})"
    facts, nodes = _ask(where, found)
    try:
        if facts:
            check_version_info(facts, "here")
    except RuntimeError as error:
        theirs = "Ray {ray_version} and Python {python_version}".format_map(facts)
        ours = f"Ray {version('ray')} and Python {platform.python_version()}"
        raise _Refusal(where, f"the cluster has {theirs}, this environment {ours}; they must be the same") from error
    if nodes.isdisjoint(services.find_node_ids()):  # type: ignore[no-untyped-call]
        raise _Refusal(
            where, "this machine is no node of the cluster; run the command on one of its nodes, or make it one"
            f" with ray start --address={found}"
        )  # fmt: skip


class _Refusal(HairlineError):
    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"cannot join the Ray cluster at RAY_ADDRESS={address}: {why}")


def _ask(where: str, address: str) -> tuple[dict[str, Any], set[str]]:
    """The cluster's versions, and the ids of its living nodes."""
    import grpc
    from ray._private.grpc_utils import init_grpc_channel
    from ray.core.generated import gcs_pb2, gcs_service_pb2, gcs_service_pb2_grpc
    from ray.exceptions import AuthenticationError

    types: Any = gcs_pb2
    requests: Any = gcs_service_pb2
    calls: Any = gcs_service_pb2_grpc
    try:
        with init_grpc_channel(address) as channel:
            wanted = requests.InternalKVGetRequest(namespace=b"cluster", key=b"CLUSTER_METADATA")
            facts = calls.InternalKVGcsServiceStub(channel).InternalKVGet(wanted, timeout=ANSWER_S)
            everyone = requests.GetAllNodeInfoRequest(state_filter=types.GcsNodeInfo.ALIVE)
            nodes = calls.NodeInfoGcsServiceStub(channel).GetAllNodeInfo(everyone, timeout=ANSWER_S)
    except AuthenticationError as error:  # before anything is sent: token mode, and no token
        raise _Refusal(where, f"RAY_AUTH_MODE is token, but there is none here; {TOKEN}") from error
    except grpc.RpcError as error:
        raise _Refusal(where, _why(error)) from error
    return json.loads(facts.value or b"{}"), {node.node_id.hex() for node in nodes.node_info_list}


def _why(error: Any) -> str:
    """What a failed call means."""
    from grpc import StatusCode
    from ray._private.authentication.authentication_utils import is_token_auth_enabled

    said = " ".join((error.details() or "no reason given").rpartition(": ")[2].split())[:120]
    match error.code():
        case StatusCode.UNAUTHENTICATED if is_token_auth_enabled():
            return f"its token is another than the one found here; {TOKEN}"
        case StatusCode.UNAUTHENTICATED:
            return f"it asks for a token, and none was sent; {TOKEN}"
        case StatusCode.DEADLINE_EXCEEDED:
            return f"something is there, but does not answer as Ray does within {ANSWER_S:g} s; is it the right port?"
        case StatusCode.UNAVAILABLE:
            return f"nobody answers there ({said}); is it running, and the address right?"
    return f"what answers there is no Ray such as ours ({said})"
