"""What cluster/ takes from inside Ray is still there, and does what it is taken for."""

from __future__ import annotations

import inspect
import os
from pathlib import Path

import grpc
import pytest
import ray
from ray import _raylet
from ray._private import services, state, utils
from ray._private.authentication import authentication_token_setup as token_setup
from ray._private.authentication.authentication_utils import is_token_auth_enabled
from ray._private.grpc_utils import init_grpc_channel
from ray.core.generated import autoscaler_pb2, gcs_pb2, gcs_service_pb2, gcs_service_pb2_grpc
from ray.data._internal.execution.operators.actor_pool_map_operator import ActorPoolMapOperator
from ray.runtime_context import RuntimeContext

from hairline.cluster import nodes, session


def test_the_mode_and_the_token_are_read_anew_when_they_change() -> None:
    """`_read_environment`: without Config.initialize and reset_cache Ray keeps what it was first told."""
    before = is_token_auth_enabled()
    for mode, enabled in (("token", True), ("disabled", False), ("token", True)):
        with session._environment({"RAY_AUTH_MODE": mode, "RAY_AUTH_TOKEN": "a" * 64}):
            assert is_token_auth_enabled() is enabled
            if enabled:
                assert _raylet.AuthenticationTokenLoader.instance().has_token()
    assert is_token_auth_enabled() is before and os.environ.get("RAY_AUTH_TOKEN") is None


def test_where_the_logs_are_is_asked_of_the_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`logs_folder`: the name of the running node, None without one, and its method."""
    assert "_global_node" in vars(ray._private.worker)
    assert callable(ray._private.node.Node.get_logs_dir_path)

    class Running:
        def get_logs_dir_path(self) -> str:
            return str(tmp_path)

    monkeypatch.setattr(ray._private.worker, "_global_node", Running())
    assert session.logs_folder() == str(tmp_path.resolve())


def test_addresses_are_taken_apart_as_ray_does_it() -> None:
    """`check_cluster`: before anything is asked."""
    host, port = services.extract_ip_port(services.canonicalize_bootstrap_address("127.0.0.1:6379"))
    assert host and port == 6379  # loopback becomes the address by which the node is known
    assert services.extract_ip_port("127.0.0.1:6379") == ("127.0.0.1", 6379)
    with pytest.raises(ValueError, match="port"):
        services.extract_ip_port("127.0.0.1")
    assert isinstance(services.find_node_ids(), set)
    assert "warn_if_disabled" in inspect.signature(token_setup.maybe_enable_token_auth_if_token_available).parameters


def test_another_version_is_an_error() -> None:
    ours = dict(zip(("ray_version", "python_version"), utils.compute_version_info()[:2], strict=True))
    utils.check_version_info(ours, "here")
    with pytest.raises(RuntimeError, match=r"0\.1\.0"):
        utils.check_version_info({**ours, "ray_version": "0.1.0"}, "here")


def test_the_calls_of_the_clusters_head_are_as_they_were() -> None:
    """`_ask`: its two calls, their fields, and what an answer brings."""
    wanted = gcs_service_pb2.InternalKVGetRequest(namespace=b"cluster", key=b"CLUSTER_METADATA")
    assert wanted.SerializeToString()
    everyone = gcs_service_pb2.GetAllNodeInfoRequest(state_filter=gcs_pb2.GcsNodeInfo.ALIVE)
    assert everyone.HasField("state_filter")
    assert gcs_service_pb2.InternalKVGetReply(value=b"{}").value == b"{}"
    node = gcs_pb2.GcsNodeInfo(node_id=b"\x01\xff")
    assert gcs_service_pb2.GetAllNodeInfoReply(node_info_list=[node]).node_info_list[0].node_id.hex() == "01ff"
    with init_grpc_channel("127.0.0.1:1") as channel:
        for stub, name in (("InternalKVGcsServiceStub", "InternalKVGet"), ("NodeInfoGcsServiceStub", "GetAllNodeInfo")):
            assert callable(getattr(getattr(gcs_service_pb2_grpc, stub)(channel), name))
        with pytest.raises(grpc.RpcError):
            gcs_service_pb2_grpc.InternalKVGcsServiceStub(channel).InternalKVGet(wanted, timeout=0.2)


def test_what_cards_and_an_autoscaler_are_asked_by_is_there() -> None:
    """`cluster_nodes`, `nodes_of_autoscaler`, `Spread`, `workers_of`: what they call, and the fields that they read."""
    assert callable(state.available_resources_per_node) and callable(state.actors)
    assert callable(state.state.get_cluster_config)
    assert {"name", "resources", "max_count"} <= set(autoscaler_pb2.NodeGroupConfig.DESCRIPTOR.fields_by_name)
    assert callable(RuntimeContext.get_assigned_resources)
    names = (_raylet.RAY_NODE_ACCELERATOR_TYPE_KEY, _raylet.RAY_NODE_GROUP_KEY, _raylet.RAY_NODE_ID_KEY)
    assert names == (nodes.CARD_LABEL, nodes.GROUP_LABEL, nodes.ID_LABEL)


def test_each_process_of_a_pool_may_have_options_of_its_own() -> None:
    """`Spread` is called for every process that Ray Data starts, and what it says counts."""
    source = inspect.getsource(ActorPoolMapOperator._merge_ray_remote_args)
    assert "remote_args.update(self._ray_remote_args_fn())" in source
    assert "_merge_ray_remote_args" in inspect.getsource(ActorPoolMapOperator._start_actor)
