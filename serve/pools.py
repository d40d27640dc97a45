"""Pools as Ray Serve deployments. The only module that calls ray.serve, beside front.py.

A picture goes ingress -> first pool -> … -> last pool -> ingress: between pools its bytes pass from process to process
directly, for Serve resolves the answer of one call where it is the argument of the next. Serve's own HTTP proxies
are not used: they would be one more hop of megabytes, answer a full queue with 503, and fail what a process that
dies was working on. The ingress keeps the upload until it has the answer, and asks again.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import ray
from ray import serve
from ray.exceptions import RayActorError, RayError
from ray.serve.config import AutoscalingConfig
from ray.serve.exceptions import RayServeException
from ray.serve.schema import LoggingConfig

from ..cluster.placement import Placement
from ..cluster.stage_runner import pool_specs
from ..configs.service import Service, ServicePool
from ..stages.errors import HairlineError, PictureError
from .batcher import Batcher
from .engine import Engine, EngineSpec
from .keys import is_loopback
from .memory import processes
from .request_item import RequestItem

PREFIX = "hairline-"  # of the names of our Serve applications, one for each pool
DEATHS = 4  # of processes under one picture, before the picture is held to be the cause
PAUSE_S = 0.2  # before a picture is sent again
ANSWER_S = 20.0  # for a process to say what it is
STUCK_S = 300.0  # a batch that runs longer does not come to an end
QUIET = LoggingConfig(log_level="ERROR", enable_access_log=False)


class OtherModel(Exception):
    """The picture has been through a pool with other weights: an update is under way. The ingress starts again."""


class PoolReplica:
    """One process of a pool, as Serve calls it."""

    def __init__(self, spec: EngineSpec, health_s: float) -> None:
        _keep_to_loopback()
        self.spec, self.health_s = spec, health_s
        self.engine = Engine(spec)
        for _ in range(2):  # warm before Serve calls it ready: the first picture finds its kernels chosen
            self.engine.probe()
        self.batcher = Batcher(spec.pool.name, self.engine.run, spec.pool.batch, spec.pool.batch_pixels)

    async def __call__(self, work: RequestItem) -> RequestItem:
        if work.model not in ("", self.spec.model):
            raise OtherModel
        work.model = self.spec.model
        return await self.batcher.do(work)

    async def version(self) -> EngineSpec:
        """What this process was started with."""
        return self.spec

    async def check_health(self) -> None:
        """A picture goes through, or has lately: the check costs nothing under load. Raises where one is stuck."""
        now, began = time.monotonic(), self.batcher.began
        if began is not None and now - began > STUCK_S:
            raise RuntimeError(f"a batch has been running for {now - began:.0f} s")
        if began is not None or now - self.batcher.finished < self.health_s:
            return
        await self.batcher.call(self.engine.probe)


def _keep_to_loopback() -> None:
    """In a process of a Ray of our own: lets Serve open the port on which processes call each other on loopback alone.

    Serve opens it on every interface, wherever Ray listens, once this process is ready; there is no setting for it.
    """
    if not is_loopback(ray.util.get_node_ip_address()):  # type: ignore[no-untyped-call]
        return
    from ray.serve._private import replica

    internals: Any = replica
    add = internals.add_port_to_grpc_server
    internals.add_port_to_grpc_server = lambda server, address: add(server, f"127.0.0.1:{address.rpartition(':')[2]}")


def deploy(service: Service, placements: Sequence[Placement]) -> Sequence[Placement]:
    """Starts the pools, or changes the running ones into these, process by process; returns when all are healthy.

    Returns:
        How many processes each pool has.

    Raises:
        HairlineError: a process does not start.
    """
    logging.getLogger("ray.serve").setLevel(logging.CRITICAL)
    serve.start(proxy_location="Disabled", logging_config=QUIET)
    running = serve.status().applications
    specs = engine_specs(service, placements)
    changed = [spec for spec in specs if PREFIX + spec.pool.name in running and _running(spec.pool.name) != spec]
    if changed:
        _rehearse(changed)
    targets = [
        serve.RunTarget(_application(service, spec, placement), PREFIX + spec.pool.name, None, QUIET)
        for spec, placement in zip(specs, placements, strict=True)
    ]
    try:
        serve.run_many(targets)
    except (RuntimeError, RayError) as error:
        raise _explained(error) from error
    return placements


def memory() -> int:
    """Bytes that processes may take, on all nodes together: what Ray found free when it started, less its own store."""
    alive = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return int(sum(node["Resources"].get("memory", 0) for node in alive))


def _running(pool: str) -> EngineSpec | None:
    """What a running pool was started with; None where no process says so."""
    try:
        answer = serve.get_app_handle(PREFIX + pool).version.remote()
        return cast(EngineSpec, answer.result(timeout_s=ANSWER_S))
    except (RayError, RayServeException, TimeoutError):
        return None


def _rehearse(specs: Sequence[EngineSpec]) -> None:
    """Runs a picture through each of the pools in a process aside, on the CPU, before running ones are replaced."""
    try:
        for spec in specs:
            ray.get(
                ray.remote(num_cpus=0, max_calls=1, max_retries=0)(_try).remote(
                    replace(spec, pool=replace(spec.pool, gpu=0.0))
                )
            )
    except RayError as error:
        raise _explained(error) from error


def _try(spec: EngineSpec) -> None:
    Engine(spec).probe()


def _explained(error: Exception) -> HairlineError:
    """One line out of an error that a process raised, whose traceback comes as text."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line.partition("HairlineError: ")[2] for line in lines if "HairlineError: " in line]
    return HairlineError(f"the service does not start: {(told or lines or ['no answer'])[-1][:400]}")


def retire(pools: Iterable[str]) -> None:
    """Ends pools, by their names, that a service no longer has."""
    for name in pools:
        serve.delete(PREFIX + name)


def stop() -> None:
    """Ends everything of ours; Serve itself stays where somebody else has an application in it."""
    running = serve.status().applications
    ours = [name for name in running if name.startswith(PREFIX)]
    if len(ours) == len(running):
        serve.shutdown()  # type: ignore[no-untyped-call]
    for name in ours if len(ours) < len(running) else ():
        serve.delete(name)


def engine_specs(service: Service, placements: Sequence[Placement]) -> list[EngineSpec]:
    """What the processes of each pool of a service need to know."""
    model, code = service.model, code_version()
    return [EngineSpec(pool, model, code) for pool in pool_specs(service, placements)]


def _application(service: Service, spec: EngineSpec, placement: Placement) -> serve.Application:
    pool = placement.pool
    assert isinstance(pool, ServicePool)
    inside = 3 * pool.batch  # one batch in the stages, two to follow: Serve may take half a second to send more
    options: dict[str, Any] = {
        "name": pool.name,
        "max_ongoing_requests": inside,
        "ray_actor_options": {"num_cpus": pool.cpus, "num_gpus": placement.gpu, **_where(placement)},
        "health_check_period_s": service.times.health,
        "health_check_timeout_s": service.times.request,
        "graceful_shutdown_timeout_s": service.times.request,
        "graceful_shutdown_wait_loop_s": 0.5,
        "logging_config": QUIET,
    }
    if placement.smallest == placement.largest:
        options["num_replicas"] = placement.smallest
    else:
        options["autoscaling_config"] = AutoscalingConfig(
            min_replicas=placement.smallest,
            max_replicas=placement.largest,
            initial_replicas=max(placement.smallest, 1),
            target_ongoing_requests=1.5 * pool.batch,
            upscale_delay_s=pool.scale_up_s,
            downscale_delay_s=pool.scale_down_s,
            metrics_interval_s=1.0,
            look_back_period_s=max(2.0, pool.scale_up_s),
        )
    deployment: serve.Deployment = serve.deployment(**options)(PoolReplica)
    return deployment.bind(spec, service.times.health)


def _where(placement: Placement) -> dict[str, Any]:
    """Labels of the nodes with the kind of card that the share was worked out for."""
    selector = dict(pair for card in placement.cards for pair in card.selector)
    return {"label_selector": selector} if selector else {}


class Pools:
    """What the ingress sends pictures to."""

    def __init__(self, service: Service, placements: Sequence[Placement], room: int) -> None:
        self.room, self.processes = room, processes(placements)
        self.names = [pool.name for pool in service.pools]
        self._handles = [serve.get_app_handle(PREFIX + name) for name in self.names]
        self.retries = 0

    async def do(self, work: RequestItem) -> RequestItem:
        """A work, done by all pools. Asks again where a process dies; a cancellation reaches the processes.

        Raises:
            PictureError: `crashed_worker`, one process after the other died under this picture.
            HairlineError: the pools cannot be asked any more.
        """
        deaths = 0
        while True:
            responses: list[Any] = []
            passed: Any = work
            try:
                for handle in self._handles:
                    passed = handle.remote(passed)
                    responses.append(passed)
                done: RequestItem = await passed
                return done
            except asyncio.CancelledError:
                for response in responses:
                    response.cancel()
                raise
            except (RayActorError, RayServeException) as error:
                deaths += 1
                if deaths == DEATHS:
                    raise PictureError("crashed_worker", f"{deaths} processes ended under this picture") from error
            except RayError as error:
                if not isinstance(getattr(error, "cause", None), OtherModel):
                    raise HairlineError(f"a process failed: {type(error).__name__}") from error
            self.retries += 1
            await asyncio.sleep(PAUSE_S)

    async def replicas(self) -> dict[str, dict[str, int]]:
        """Processes of each pool by Serve's word for their state; RUNNING ones answer."""
        applications = (await asyncio.get_running_loop().run_in_executor(None, serve.status)).applications
        found: dict[str, dict[str, int]] = {}
        for name in self.names:
            overview = applications.get(PREFIX + name)
            deployment = overview.deployments.get(name) if overview else None
            found[name] = (
                {str(getattr(s, "value", s)): n for s, n in deployment.replica_states.items()} if deployment else {}
            )
        return found


def code_version() -> str:
    """A hash over Hairline's source files: Serve replaces processes when it has changed."""
    top = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for folder in ("stages", "configs", "cluster", "serve"):
        for path in sorted((top / folder).rglob("*.py")):
            digest.update(path.relative_to(top).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]
