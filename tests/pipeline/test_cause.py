"""What the user reads of an error that came through Ray: its cause, and none of Ray's advice."""

from __future__ import annotations

import pickle

import pytest
from ray.exceptions import ActorDiedError, RayTaskError, UserCodeException, WorkerCrashedError

from hairline.pipeline.cause import explain
from hairline.stages.errors import HairlineError, OutageError

ADVICE = "To change retry attempts, backoff, or which errors are retried, configure `ray.data.DataContext`"
TRACEBACK = f"""Traceback (most recent call last):
  File "/x/worker.py", line 3, in finish
    raise {{kind}}({{text!r}}) from error
{{name}}: {{text}}

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/x/ray/data/plan_udf_map_op.py", line 9, in call
ray.exceptions.UserCodeException: UDF failed to process a data block.
Failed to apply UDF transform after 1/1 attempts (total backoff 0.0s).
{ADVICE}
"""
DIED = """The actor died unexpectedly before finishing this task.
\tclass_name: MapWorker(MapBatches(PoolWorker))
\tactor_id: c3162f3665fbfef2918cdd3701000000
The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: Worker \
unexpectedly exits with a connection error code 2. End of file. Some common causes include: (1) the OOM killer"""


def traceback(kind: type[Exception], text: str) -> str:
    name = f"{kind.__module__}.{kind.__name__}" if kind.__module__ != "builtins" else kind.__name__
    return TRACEBACK.format(kind=kind.__name__, name=name, text=text)


def task_error(text: str, cause: Exception) -> RayTaskError:
    return RayTaskError("finish", text, cause, proctitle="ray::worker", pid=1, ip="10.0.0.1")


@pytest.mark.parametrize("kind", [HairlineError, OutageError])
def test_a_worker_s_own_error_comes_through_whole(kind: type[HairlineError]) -> None:
    raised = kind("output s3://b/out: cannot be written: Access Denied")
    text = traceback(kind, str(raised))
    ways = [
        task_error(text, raised),
        task_error(text, raised).as_instanceof_cause(),
        task_error(text, UserCodeException("UDF failed")).as_instanceof_cause(),  # the cause is in the text alone
        ActorDiedError(cause=task_error(text, raised)),
    ]
    for error in [*ways, pickle.loads(pickle.dumps(ways[0]))]:
        found = explain(error, "/logs")
        assert (type(found), str(found)) == (kind, str(raised)), type(error)
    outer = RuntimeError("the plan failed")
    outer.__cause__ = ways[1]
    assert str(explain(outer, "/logs")) == str(raised)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (task_error(traceback(KeyError, "'colour'"), UserCodeException("UDF failed")), "KeyError: 'colour'"),
        (task_error(traceback(KeyError, "'colour'"), KeyError("colour")).as_instanceof_cause(), "KeyError: 'colour'"),
        (task_error("x", ImportError("No module named 'hairline'")), "ImportError: No module named 'hairline'"),
        (WorkerCrashedError(), "The worker died unexpectedly while executing this task"),
    ],
)
def test_another_error_is_named_without_advice(error: Exception, told: str) -> None:
    assert str(explain(error, "/logs")) == f"a worker cannot go on: {told} (Ray's logs: /logs)"


def test_a_process_that_was_killed() -> None:
    class Died(ActorDiedError):
        def __str__(self) -> str:
            return DIED

    assert str(explain(Died(), "/logs")) == (
        "a worker cannot go on: its process ended: Worker unexpectedly exits with a connection error code 2. End of "
        "file. (Ray's logs: /logs)"
    )
