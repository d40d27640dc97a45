"""Where work runs: with a Ray of our own, started quietly, or in the cluster that RAY_ADDRESS names."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..configs.nodes import NodeType
from ..stages.errors import HairlineError
from .join import check_cluster
from .nodes import Node, cluster_nodes, nodes_at_most, nodes_of_autoscaler, this_machine

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what Ray's C++ would print on our terminal
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_worker_niceness": "0",  # workers as urgent as the command that starts them: `nice hairline run` is polite
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # its future default; without it Ray warns
}
# settings of all processes of a cluster: for a Ray of our own only, for in a foreign one they must be as it has them
OWN = {
    "RAY_enable_metrics_collection": "0",  # nobody looks at them in a batch job, and they cost a share of a core
    "RAY_event_stats": "0",
}
# A Ray of our own is nobody else's: it listens on the loopback interface alone, and only who has its token may ask.
# The token is in the environment of our processes; left to itself, Ray 2.60 would write one into ~/.ray/auth_token,
# which a later `ray start` then demands of everybody.
PRIVATE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # what Ray calls listening on loopback alone; read when ray is imported
    "RAY_AUTH_MODE": "token",
    "RAY_ENABLE_K8S_TOKEN_AUTH": "0",
}
SOCKET = "ray/session_2026-01-01_00-00-00_000000_9999999/sockets/plasma_store"  # below Ray's temporary folder
ROOM_BYTES = 4 << 20  # that Ray writes below its temporary folder, at least
LONGEST = 107  # bytes of a socket's path; the kernel's limit


@dataclass(frozen=True)
class Cluster:
    """Where work runs; made once, at the start of a command.

    Attributes:
        machine: this machine, for a Ray of our own; None: a cluster is joined.
        address: of the head of that cluster, as RAY_ADDRESS has it.
    """

    machine: Node | None
    address: str = ""

    @classmethod
    def of_environment(cls) -> Cluster:
        """The cluster that RAY_ADDRESS names; without one, or with `local`, this machine alone."""
        address = os.environ.get("RAY_ADDRESS", "")
        return cls(this_machine()) if address in ("", "local") else cls(None, address)

    @property
    def nodes(self) -> list[Node]:
        """What there is to work on. That of a joined cluster is asked for inside its session."""
        return [self.machine] if self.machine else cluster_nodes()

    def room(self, types: Sequence[NodeType]) -> tuple[list[Node], list[Node]]:
        """The nodes that there are, and all that there may be: of declared types, else as the autoscaler says.

        The second is empty where no more may come. Of a joined cluster it is asked inside its session.
        """
        if self.machine:
            return [self.machine], []
        present = cluster_nodes(types)
        return present, nodes_at_most(types) if types else nodes_of_autoscaler(present)

    @contextmanager
    def session(self) -> Iterator[None]:
        """Ray, for as long as the block lasts; a program of which we are a part, and which has started it, keeps it.

        Raises:
            HairlineError: the cluster cannot be joined, or Ray does not start.
        """
        if "ray" in sys.modules and sys.modules["ray"].is_initialized():
            yield
            return
        for name, value in (QUIET | OWN if self.machine else QUIET).items():
            os.environ.setdefault(name, value)
        with ExitStack() as stack:
            if self.machine:
                stack.enter_context(_environment({**PRIVATE, "RAY_AUTH_TOKEN": secrets.token_hex(32)}))
            import ray

            try:
                with _muted_stderr(), _own_sigterm():
                    self._start(stack)
            except SystemExit:  # a SIGTERM while Ray starts
                raise KeyboardInterrupt from None
            except HairlineError:
                raise
            except Exception as error:  # whatever keeps Ray from starting: its traceback helps nobody
                where = "on this machine" if self.machine else f"at RAY_ADDRESS={self.address}"
                raise HairlineError(f"Ray does not start {where}: {_reason(error)}") from error
            try:
                with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # where Ray tells of workers that died
                    yield
            finally:
                ray.shutdown()

    def _start(self, stack: ExitStack) -> None:
        import ray

        if self.machine is None:
            check_cluster(self.address)
            ray.init(address=self.address, log_to_driver=False, logging_level=logging.FATAL)
            return
        folder = _temporary()
        _check_room(folder)
        ray.init(
            address="local",  # never a cluster that happens to run here
            num_cpus=int(self.machine.cpus),
            num_gpus=self.machine.gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.FATAL,
            _temp_dir=f"{_short_enough(folder, stack)}/ray",
        )


def logs_folder() -> str:
    """Where Ray's logs of the session that lasts are, on this machine."""
    import ray

    node = ray._private.worker._global_node
    return str(Path(node.get_logs_dir_path()).resolve()) if node else "/tmp/ray/session_latest/logs"


def _reason(error: Exception) -> str:
    line = " ".join(str(error).split())[:200] or type(error).__name__
    if "memory" in line:
        return f"too little memory is free ({line}); stop what takes it, or give the machine or container more"
    if "timed out during startup" in line:
        return "its processes were not up within its 30 s; the machine is busy: stop what keeps it so, or try later"
    return line


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """The environment with other values, for us and the processes that we start."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    _read_environment()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        _read_environment()


def _read_environment() -> None:
    """Ray's C++ keeps the mode and the token as they were when they were first asked for."""
    from ray import _raylet

    ray_core: Any = _raylet
    ray_core.Config.initialize("")
    ray_core.AuthenticationTokenLoader.instance().reset_cache()


def _temporary() -> str:
    return str(Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp").absolute())


def _check_room(folder: str) -> None:
    """Raises HairlineError: Ray could not write there. It would wait for half a minute, and not say why."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM_BYTES))
            file.flush()
    except OSError as error:
        raise HairlineError(
            f"Ray does not start on this machine: its temporary folder {folder} cannot be written: {error.strerror}; "
            "make room there, or set RAY_TMPDIR to another folder"
        ) from error


def _short_enough(folder: str, stack: ExitStack) -> str:
    """A way to the folder that is short enough for Ray's sockets: the folder itself, or a link in /tmp."""
    if len(os.fsencode(f"{folder}/{SOCKET}")) <= LONGEST:
        return folder
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        link = stack.enter_context(tempfile.TemporaryDirectory(prefix="hairline-", dir="/tmp"))
        Path(f"{link}/t").symlink_to(folder)
    except OSError as error:
        raise HairlineError(
            f"Ray does not start on this machine: {folder} is too long a path for its sockets, and no link to it can"
            f" be made in /tmp ({error.strerror}); set RAY_TMPDIR to a folder with a short path"
        ) from error
    return f"{link}/t"


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keeps our way to end on SIGTERM; Ray puts in its own, which exits at once with code 15."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _muted_stderr() -> Iterator[None]:
    """Keeps what Ray's C++ says while it starts off the terminal; its failures come as exceptions all the same."""
    sys.stderr.flush()
    before = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
