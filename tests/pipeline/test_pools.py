"""What pipeline/pools.py changes inside Ray Data is still there and still used."""

from __future__ import annotations

import inspect
import re

import pytest
from ray.data._internal.execution import streaming_executor, streaming_executor_state

from hairline.pipeline import pools


def test_the_executor_waits_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "WAIT_FOR_TASK_COMPLETION_TIMEOUT_S"
    default = re.search(rf"^{name} = ([0-9.]+)", inspect.getsource(streaming_executor_state), re.MULTILINE)
    assert default and float(default[1]) < pools.POLL_S  # or nothing would be won
    monkeypatch.setattr(streaming_executor_state, name, float(default[1]))
    pools._poll_slowly()
    assert pools.POLL_S == streaming_executor_state.WAIT_FOR_TASK_COMPLETION_TIMEOUT_S
    waits = streaming_executor_state.process_completed_tasks
    assert name in waits.__code__.co_names  # read there when it waits, not bound before
    assert "process_completed_tasks" in inspect.getsource(streaming_executor)
