"""All stages with the weights that come along."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from hairline.stages.base import Stage
from hairline.stages.registry import STAGES, stage_class


@pytest.fixture(scope="session")
def stages() -> list[Stage[Any]]:
    ready = [stage_class(name)(stage_class(name).Settings()) for name in STAGES]
    for stage in ready:
        stage.setup(torch.device("cpu"))
    return ready
