"""The training loop: it learns, keeps its budget, resumes, and publishes what the stages can load."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hairline.stages import checkpoints
from hairline.stages.errors import HairlineError
from hairline.training import cli, loop
from hairline.training.loop import Plan, Stream, fit, loader, publish, save_weights


def _make(rng: np.random.Generator, progress: float) -> dict[str, np.ndarray]:
    x = rng.normal(0, 1, (3, 8, 8)).astype(np.float32)
    return {"x": x, "y": np.float32(x.mean() * 3)}


def _loss(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return (model(batch["x"])[:, 0].float() - batch["y"]).square().mean()


def _validate(model: nn.Module, run: Path) -> dict[str, float]:
    rng = np.random.default_rng(9)
    samples = [_make(rng, 0) for _ in range(64)]
    batch = {k: torch.from_numpy(np.stack([s[k] for s in samples])) for k in ("x", "y")}
    with torch.no_grad():
        return {"score": -float(_loss(model, batch))}


def _model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 1))


def _fit(run: Path, minutes: float) -> tuple[nn.Module, dict[str, float]]:
    stream = Stream(_make, seed=1)
    plan = Plan(minutes, run, lr=0.02, ema=0.9)
    return fit(_model(), loader(stream, 16, 0), _loss, _validate, "score", plan, stream.progress)


def test_it_learns_and_resumes_where_it_was(tmp_path: Path) -> None:
    before = _validate(_model(), tmp_path)["score"]
    _, metrics = _fit(tmp_path / "run", 0.03)
    assert metrics["score"] > before * 0.8
    first = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    _fit(tmp_path / "run", 0.05)
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert len(lines) > len(first) and lines[-1]["seen"] > first[-1]["seen"]


class _Encoded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(3, 4, 3)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x))


@pytest.mark.parametrize(("until", "moves"), [(0.0, False), (1.0, True)])
def test_an_encoder_learns_until_it_is_fixed(until: float, moves: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = _Encoded()
    before = {name: p.clone() for name, p in model.named_parameters()}
    stream = Stream(_make, seed=3)
    plan = Plan(0.02, tmp_path, lr=1e-2, encoder_until=until, threads=1)
    fit(model, loader(stream, 16, 0), _loss, _validate, "score", plan, stream.progress)
    changed = {name.split(".")[0] for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert changed == ({"encoder", "head"} if moves else {"head"})


def test_the_first_look_comes_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "FIRST_VALIDATION", 0.005)
    plan = Plan(0.03, tmp_path / "run", lr=0.02)
    fit(_model(), loader(Stream(_make, 1), 16, 0), _loss, _validate, "score", plan)
    looks = [json.loads(line)["seen"] for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert len(looks) == 2 and looks[0] < looks[1] / 2


def test_pictures_that_grow_keep_one_size_in_a_batch() -> None:
    stream = Stream(lambda rng, progress: {"x": np.zeros(4 if progress < 0.5 else 8, np.float32)}, seed=1)

    def made() -> Iterator[dict[str, np.ndarray]]:
        for index, sample in enumerate(iter(stream)):
            if index == 5:  # in the middle of the second batch
                stream.progress.fill_(0.9)
            yield sample

    batches = loader(stream, 4, 0)
    sizes = [next(batches)["x"].shape[1]]
    stream.progress.fill_(0.9)
    assert [*sizes, next(batches)["x"].shape[1]] == [4, 8]
    stream.progress.fill_(0.0)
    assert [len(s["x"]) for s, _ in zip(made(), range(12), strict=False)] == [4] * 8 + [8] * 4


@pytest.mark.parametrize(
    ("words", "told"),
    [(["fine", "--route", "animal"], "portrait, product, product_hollow"), (["coarse", "--route", "x"], "only fine")],
)
def test_a_route_that_is_not_there_is_told(words: list[str], told: str) -> None:
    with pytest.raises(HairlineError, match=told):
        cli.main(words)


def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: str) -> None:
        raise ModuleNotFoundError(name="pymatting")

    monkeypatch.setattr(cli, "import_module", missing)
    with pytest.raises(HairlineError, match=r"pymatting: pip install 'hairline-matting\[training\]'"):
        cli.main(["classify"])


def test_published_weights_load_and_their_hash_is_checked(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    monkeypatch.setattr(checkpoints, "INDEX", tmp_path / "index.json")
    checkpoints._index.cache_clear()
    model = _model()
    path = publish(model, "tiny-general", "# tiny")
    assert checkpoints.find("builtin", path.name) == path and path.with_suffix(".md").read_text() == "# tiny"
    again = checkpoints.load(_model(), path)
    assert torch.allclose(again[1].weight, model[1].weight, atol=1e-3)
    checkpoints._index.cache_clear()


def test_it_starts_from_given_weights_of_the_same_network(tmp_path: Path) -> None:
    trained, _ = _fit(tmp_path / "first", 0.02)
    save_weights(trained, trained.state_dict(), tmp_path / "start.safetensors")
    model, _ = fit(
        _model(),
        iter(()),
        _loss,
        _validate,
        "score",
        Plan(0, tmp_path / "second", start=tmp_path / "start.safetensors"),
    )
    for ours, theirs in zip(model.parameters(), trained.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-3)
    save_weights(nn.Linear(3, 1), nn.Linear(3, 1).state_dict(), tmp_path / "other.safetensors")
    for name, words in (("other", "do not fit"), ("missing", "not found")):
        plan = Plan(0, tmp_path / name, start=tmp_path / f"{name}.safetensors")
        with pytest.raises(HairlineError, match=words):
            fit(_model(), iter(()), _loss, _validate, "score", plan)
