"""What the reference is made of: the only module here that knows where things are in the code."""

from pathlib import Path

import hairline
from hairline.autoclassify.cli import parser as autoclassify
from hairline.autoclassify.cli import step_parsers as autoclassify_steps
from hairline.cli import parser as command_line
from hairline.configs.job import Job
from hairline.configs.service import Service, load_service
from hairline.pipeline.ledger import SCHEMA
from hairline.serve.openapi import describe_api
from hairline.serve.reference.page import fields, kind, resolved
from hairline.serve.reference.samples import call_of
from hairline.stages.classify import ROUTE_OF
from hairline.stages.products.registry import PRESETS, PRODUCTS
from hairline.stages.reasons import FAILED, FILTERED, MEANINGS, Meaning
from hairline.stages.registry import STAGES, stage_class
from hairline.training.cli import parser as training
from hairline.training.label import parser as labelling

ROOT = Path(__file__).parents[2]
VERSION = hairline.__version__
CONFIGURATIONS = sorted((ROOT / "configs").glob("*.yaml"))
EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.is_file())
MODEL_CARDS = sorted((ROOT / "stages" / "weights").glob("*.md"))

__all__ = [
    "CONFIGURATIONS",
    "EXAMPLES",
    "FAILED",
    "FILTERED",
    "MEANINGS",
    "MODEL_CARDS",
    "PRESETS",
    "PRODUCTS",
    "ROOT",
    "ROUTE_OF",
    "SCHEMA",
    "STAGES",
    "VERSION",
    "Job",
    "Meaning",
    "Service",
    "autoclassify",
    "autoclassify_steps",
    "call_of",
    "command_line",
    "describe_api",
    "fields",
    "kind",
    "labelling",
    "load_service",
    "resolved",
    "stage_class",
    "training",
]
