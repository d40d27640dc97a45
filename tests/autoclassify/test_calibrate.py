"""Calibration: temperature, thresholds, strangeness; and the file that an export is."""

import numpy as np
import torch
from safetensors.torch import save

from hairline.autoclassify.calibrate import calibrate, fit_temperature, fit_thresholds
from hairline.autoclassify.export import packed
from hairline.evaluation.labels import calibration_error
from hairline.stages.networks import exported
from hairline.stages.networks.exported import ExportedNet, Form


def test_temperature_makes_probabilities_honest() -> None:
    torch.manual_seed(0)
    logits = torch.randn(4000, 3) * 1.5
    targets = torch.multinomial(logits.softmax(1), 1)[:, 0]
    assert abs(fit_temperature(logits * 3, targets, False) - 3) < 0.2
    above = torch.randn(4000, 1) - torch.tensor([-1.0, 1.0])
    grades = (torch.rand(4000, 1) < above.sigmoid()[:, :1]).long()[:, 0] * 2
    assert fit_temperature(above * 4, grades, True) > 1


def test_thresholds_bring_precision_and_leave_half() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(4000)
    right = rng.random(4000) < scores
    found = np.stack([scores, 1 - scores], 1)
    limits = fit_thresholds(found, np.zeros(4000, int), np.where(right, 0, 1), 2)
    kept = scores >= limits[0]
    assert kept.mean() > 0.499 and right[kept].mean() > right.mean() and limits[1] == 0
    assert fit_thresholds(found, np.zeros(4000, int), np.zeros(4000, int), 2)[0] == 0


def made(ordered: bool = False) -> tuple[ExportedNet, torch.Tensor, torch.Tensor]:
    """A calibrated classifier, features it learned on, and its targets."""
    torch.manual_seed(0)
    network = ExportedNet(Form(labels=("a", "b", "c"), ordered=ordered, size=64, levels=3)).eval()
    basis = torch.randn(6, 80)
    inside = torch.randn(300, 6) @ basis + 0.1 * torch.randn(300, 80)
    targets = torch.randint(0, 3, (300,))
    network.head.mean.copy_(inside.mean(0))
    network.head.deviation.copy_(inside.std(0))
    calibrate(network, inside[:200], inside[200:], targets[200:].numpy())
    return network, inside, targets


def test_what_is_like_nothing_seen_is_unsure() -> None:
    network, inside, _ = made()
    assert (network.strangeness(inside) > 1).float().mean() < 0.03
    away = [network.judge(row[None])[0] for row in torch.randn(50, 80) * 5]
    assert all(one.unsure and one.strangeness > 1 for one in away)


def test_an_export_is_one_file_that_says_what_it_is(tmp_path) -> None:
    for ordered in (False, True):
        network, inside, targets = made(ordered)
        path = tmp_path / "model.safetensors"
        path.write_bytes(packed(network))
        form = exported.read_form(path)
        assert form == network.form
        again = exported.load(path, form, torch.device("cpu"))
        for row in inside[:20]:
            one, two = network.judge(row[None])[0], again.judge(row[None])[0]
            assert one.label == two.label and np.allclose(one.probabilities, two.probabilities, atol=1e-5)
            assert abs(sum(one.probabilities) - 1) < 1e-5 and min(one.probabilities) > -1e-6
        confidence = np.array([max(network.judge(row[None])[0].probabilities) for row in inside])
        assert 0 <= calibration_error(confidence, targets.numpy() == 0) <= 1


def test_other_weights_are_no_export(tmp_path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(save({"a": torch.zeros(1)}))
    assert exported.read_form(path) is None
