"""Service files: mistakes name the key and the line, and what the model's name depends on."""

from __future__ import annotations

from pathlib import Path

import pytest

from hairline.configs.service import load_service
from hairline.stages.errors import HairlineError


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("prot=80", "did you mean port?"),
        ("queue.request=1", "did you mean requests?"),
        ("pools.0.worker=1", "did you mean workers?"),
        ("stages.fine.max_sid=1", "did you mean max_side?"),
        ("products=[cutot]", "did you mean 'cutout'?"),
        ("products=[{jobs: {product: mask}}]", "another route"),
        ("cors=['*']", "no origin"),
        ("fetch.allow=[nonsense]", "fetch.allow"),
    ],
)
def test_mistakes_in_a_service_file_name_the_right_key(change: str, told: str) -> None:
    with pytest.raises(HairlineError, match=r"--set ") as error:
        load_service("service-laptop.yaml", [change])
    assert told in str(error.value)


def test_mistakes_in_a_file_name_the_line(tmp_path: Path) -> None:
    text = Path(__file__).parents[2].joinpath("configs/service-laptop.yaml").read_text()
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace("  drain: 60 ", "  drian: 60 "))
    line = next(n for n, words in enumerate(file.read_text().splitlines(), 1) if "drian" in words)
    with pytest.raises(HairlineError, match=rf"mine.yaml:{line}: times.drian: unknown key; did you mean drain"):
        load_service(str(file))


def test_the_gpu_service_reads() -> None:
    service = load_service("service-gpu.yaml")
    assert [pool.name for pool in service.pools] == ["read", "networks", "write"]


def test_the_model_depends_on_what_changes_an_alpha() -> None:
    model = load_service("service-laptop.yaml").model
    assert load_service("service-laptop.yaml", ["port=1", "products=[mask]", "pools.0.batch=4"]).model == model
    assert load_service("service-laptop.yaml", ["stages.fine.sure=0.05"]).model != model


def test_which_model_finds_the_subject() -> None:
    for model, name in (("null", "own"), ("u2netp", "u2netp"), ("{path: shop/ours.onnx}", "ours.onnx")):
        assert load_service("service-laptop.yaml", [f"stages.coarse.model={model}"]).coarse_model == name
