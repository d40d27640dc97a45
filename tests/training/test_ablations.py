"""The controls: of equal cost where they say so, answers of the right form, and results that end up in the table."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from hairline.stages.errors import HairlineError
from hairline.stages.networks.anchors import RATIOS, anchors
from hairline.stages.networks.coarse import SIZE, CoarseNet
from hairline.stages.networks.detector import LABELS
from hairline.stages.networks.fine import FineNet, FineOutput
from hairline.stages.networks.quality import DEFECTS, SEVERITIES, QualityNet
from hairline.training import fine, quality
from hairline.training.ablations import encoder, fusion, ordered, pyramid, signals, two_stages
from hairline.training.ablations.__main__ import IDEAS, main
from hairline.training.ablations.run import Run, gmacs
from hairline.training.ablations.tables import tables


def test_the_single_decoder_costs_what_the_fusion_does_and_learns_by_its_loss() -> None:
    tile = (1, 5, 256, 256)
    assert gmacs(fusion.SingleDecoder(), tile) == pytest.approx(gmacs(FineNet(), tile), rel=0.03)
    batch = {
        name: torch.randint(0, 256, (1, *shape), dtype=torch.uint8)
        for name, shape in (
            ("image", (3, 64, 64)),
            ("alpha", (64, 64)),
            ("coarse", (64, 64)),
            ("uncertainty", (64, 64)),
        )
    }
    model = fusion.SingleDecoder()
    matte: FineOutput = model(fine.inputs(batch))
    assert matte.alpha.shape == (1, 1, 64, 64) and torch.allclose(matte.foreground, 1 - matte.background)
    fine.loss(model, batch).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_one_network_costs_what_coarse_and_its_fine_tiles_do() -> None:
    both = two_stages.cost(CoarseNet(), FineNet())
    one = two_stages.OneNet()
    assert gmacs(one, (1, 3, two_stages.SIDE, two_stages.SIDE)) == pytest.approx(both, rel=0.05)
    with torch.no_grad():
        assert one.eval()(torch.rand(1, 3, 64, 96)).shape == (1, 1, 64, 96)
    batch = {"image": torch.zeros(2, 3, 64, 64), "alpha": torch.full((2, 64, 64), 255)}

    class Says(torch.nn.Module):
        def __init__(self, logit: float) -> None:
            super().__init__()
            self.logit = logit

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.full((2, 1, 64, 64), self.logit)

    assert (
        two_stages.loss(Says(9.0), batch) < 0.01 < two_stages.loss(Says(0.0), batch) < two_stages.loss(Says(-9), batch)
    )


@pytest.mark.parametrize(
    ("way", "ratios"), [("adjacent", RATIOS), ("fpn", RATIOS), ("none", RATIOS), ("adjacent", pyramid.THREE)]
)
def test_pyramids_answer_for_every_anchor(way: str, ratios: tuple[float, ...]) -> None:
    model = pyramid.Pyramid(way, ratios).eval()
    with torch.no_grad():
        answer = model(torch.rand(1, 3, 128, 192))
    assert answer.shape == (1, len(anchors(128, 192, ratios)), len(LABELS) + 4)
    assert float(answer[..., : len(LABELS)].sigmoid().mean()) < 0.05  # nearly all is background at first


def test_the_encoders_compared_cost_the_same_and_only_the_shipped_one_has_fixed_parts() -> None:
    shipped, scratch, residual = CoarseNet(), encoder.lite_from_scratch(), CoarseNet(encoder.ResidualEncoder())
    cost = [gmacs(net, (1, 3, SIZE, SIZE)) for net in (shipped, residual)]
    assert cost[1] == pytest.approx(cost[0], rel=0.1)
    assert all(p.requires_grad for net in (scratch, residual) for p in net.parameters())
    assert scratch.train().encoder.stem.training and not shipped.train().encoder.stem.training


def test_levels_hear_of_each_other_only_where_they_are_joined() -> None:
    def moved(way: str) -> list[bool]:
        """Whether each level's answer changes when the two coarsest maps are others."""
        torch.manual_seed(0)
        model = pyramid.Pyramid(way).eval()
        x = torch.rand(1, 3, 128, 128)
        with torch.no_grad():
            before = model(x)
            model.tops[0][0].weight.mul_(-3)
            after = model(x)
        cells = [(128 // s) ** 2 * len(RATIOS) * 2 for s in (8, 16, 32, 64)]
        return [not torch.equal(a, b) for a, b in zip(before.split(cells, 1), after.split(cells, 1), strict=True)]

    assert moved("none") == [False, False, True, True]
    assert moved("adjacent") == [False, True, True, True]
    assert moved("fpn") == [True, True, True, True]


def test_a_regressed_severity_reads_as_steps() -> None:
    steps = ordered.Steps(SEVERITIES - 1)(torch.tensor([[0.2, 1.6, 4.3]]))
    assert (steps.sigmoid() > 0.5).sum(-1).tolist() == [[0, 2, 4]]

    class Fixed(torch.nn.Module):
        def forward(self, image: torch.Tensor, signals: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return ordered.Steps(4)(self.severity), ordered.Steps(3)(torch.tensor([2.0]))

    model, severity = Fixed(), torch.tensor([[3, 0, -1, 1, 0]])
    batch = {"image": torch.zeros(1), "signals": torch.zeros(1), "severity": severity, "overall": torch.tensor([2])}
    model.severity = severity.float()
    assert ordered.regression_loss(model, batch) == pytest.approx(0, abs=1e-9)
    model.severity = model.severity + torch.tensor([[2.0, 0, 9, 0, 0]])
    assert float(ordered.regression_loss(model, batch)) == pytest.approx(4 / 4)


def test_each_half_of_the_quality_network_is_blind_to_the_other() -> None:
    torch.manual_seed(0)
    image, measured = torch.rand(2, 3, quality.SIZE, quality.SIZE), torch.rand(2, len(signals.signals.NAMES))

    def sees(network: Callable[[], QualityNet]) -> tuple[bool, bool]:
        model = network().eval()
        with torch.no_grad():
            answer = model(image, measured)[0]
            assert answer.shape == (2, len(DEFECTS), SEVERITIES - 1)
            other = model(image.flip(0), measured)[0], model(image, measured.flip(0))[0]
        return not torch.allclose(other[0], answer, atol=1e-6), not torch.allclose(other[1], answer, atol=1e-6)

    assert sees(QualityNet) == (True, True)
    assert sees(signals.SignalsAlone) == (False, True)
    assert sees(signals.NetworkAlone) == (True, False)


def test_a_run_is_seeded_and_notes_its_cost(tmp_path: Path) -> None:
    def make(rng: np.random.Generator, progress: float) -> dict[str, np.ndarray]:
        return {"x": rng.normal(size=4).astype(np.float32)}

    first = []

    def once(name: str, seed: int) -> Run:
        run = Run(tmp_path / name, seed, 0.02, threads=1, workers=0, batch=4)

        def loss(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
            if len(first) < 3:
                first.append((batch["x"].sum().item(), next(model.parameters()).sum().item()))
            return model(batch["x"]).square().mean()

        run.learn(lambda: torch.nn.Linear(4, 1), make, loss, lambda m, _: {"score": 1.0}, "score")
        return run

    start = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        first.clear()
        run = once(name, seed)
        start.append(first[0])
    assert start[0] == start[1] != start[2]
    assert run.cost["parameters"] == 5 and run.cost["seen"] > 0


def test_results_become_tables(tmp_path: Path) -> None:
    with pytest.raises(HairlineError, match="no results"):
        tables(tmp_path)
    for variant, seed, value in (("ours", 0, 0.2), ("ours", 1, 0.3), ("control", 0, 0.5)):
        path = tmp_path / "fusion" / f"{variant}-{seed}.json"
        path.parent.mkdir(exist_ok=True)
        row = {"idea": "fusion", "variant": variant, "seed": seed, "minutes": 10, "cost": {}, "figures": {"sad": value}}
        path.write_text(json.dumps(row))
    lines = tables(tmp_path).splitlines()
    assert "| | control | ours |" in lines and "| sad | 0.5 | 0.25 ± 0.05 |" in lines


def test_every_idea_has_its_variants() -> None:
    for idea in IDEAS:
        module = import_module(f"hairline.training.ablations.{idea}")
        assert len(module.VARIANTS) >= 2 and len(module.__doc__) > 50
    with pytest.raises(HairlineError, match="has no variant"):
        main(["fusion", "--variants", "other"])
