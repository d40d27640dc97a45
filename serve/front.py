"""The service as one application of Ray Serve's, for clusters where KubeRay starts it (RayService).

The application is the front alone: one process that keeps `hairline serve` running beside it, which answers on its own
port and starts the pools as it always does. Serve's own HTTP stays off.
"""

from __future__ import annotations

import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from ray import serve

START_S = 900.0  # longest that the service may take until it answers
ANSWER_S = 5.0
STOP_S = 90.0  # for what is inside when it is to go; beyond it the process is killed
NOT_ON_HEAD = {"ray.io/node-group": "!headgroup"}  # KubeRay's name of the head's group, which gets no requests


class Front:
    """Keeps one `hairline serve` running; Serve asks whether it is well, and replaces it where it is not."""

    def __init__(self, command: Sequence[str], port: int, host: str = "") -> None:
        """Starts it and waits until it answers.

        Args:
            command: `hairline serve …`.
            port: where it listens.
            host: a name that it answers to, where it wants one.

        Raises:
            RuntimeError: it ended, or does not answer in time; its words are in the log of this process.
        """
        self._request = urllib.request.Request(
            f"http://127.0.0.1:{port}/readyz", headers={"Host": host} if host else {}
        )
        self._process = subprocess.Popen(list(command))
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None:
                raise RuntimeError(f"hairline serve ended with exit code {self._process.returncode}")
            if time.monotonic() > deadline:
                self.__del__()
                raise RuntimeError(f"hairline serve did not answer within {START_S:g} s")
            time.sleep(0.5)

    async def __call__(self) -> str:
        """That it is there; requests go to its own port."""
        return "the service answers on its own port"

    def check_health(self) -> None:
        """Raises RuntimeError: it has ended. A pool that is not ready is the service's own business."""
        if self._process.poll() is not None:
            raise RuntimeError(f"hairline serve ended with exit code {self._process.returncode}")

    def __del__(self) -> None:
        """Lets what is inside end."""
        process = getattr(self, "_process", None)
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self._request, timeout=ANSWER_S) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def app(arguments: dict[str, Any]) -> serve.Application:
    """The application, as a Serve config names it: `import_path: hairline.serve.front:app`.

    Args:
        arguments: `command`, `port` and `host` as of `Front`; `anywhere` lets it come to the head node too.
    """
    where = {} if arguments.get("anywhere") else {"label_selector": NOT_ON_HEAD}
    deployment: serve.Deployment = serve.deployment(
        name="front",
        num_replicas=1,
        ray_actor_options={"num_cpus": 0, **where},
        health_check_period_s=10,
        graceful_shutdown_timeout_s=STOP_S + 10,
    )(Front)
    return deployment.bind(arguments["command"], int(arguments["port"]), arguments.get("host", ""))
