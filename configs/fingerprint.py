"""What an answer depends on, as one hash: settings, products, limits, weights and the version.

Not the pools: how the work is spread must not change an answer.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from .. import __version__
from ..stages.registry import stage_class
from .pipeline import PipelineConfig


def ingredients(config: PipelineConfig) -> dict[str, Any]:
    """Everything that goes into the fingerprint, as plain data.

    Raises:
        HairlineError: weights are missing, or are not the ones that the settings say.
    """
    return {
        "version": __version__,
        "limits": config.limits.model_dump(mode="json"),
        "stages": {name: settings.model_dump(mode="json") for name, settings in config.stages.items()},
        "weights": {name: stage_class(name).weight_hashes(settings) for name, settings in config.stages.items()},
    }


def fingerprint(parts: dict[str, Any]) -> str:
    """SHA-256, hex, over canonical JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
