"""Trains the coarse and the fine network on from the shipped weights, held back from forgetting what they know.

Coarse: the encoder stays as it is, and so do the moments of all batch normalisations; where the teacher says what the
shipped weights say, these are a second teacher. In the end the weights are met part of the way, as far as pictures that
were not learned from say (WiSE-FT, see `pretrained.interpolate`). Fine likewise, with its own recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...evaluation import matte
from ...stages import checkpoints
from ...stages.coarse import predict_alpha
from ...stages.networks.coarse import CoarseNet
from ...stages.networks.fine import FineNet
from .. import coarse, coarse_samples, fine
from ..loop import Batch, Plan, Stream, fit, loader, save_weights
from ..pretrained import interpolate
from .samples import CoarseSampler, FineSampler, old_pictures
from .teaching import Known
from .work import Tell, Wish, Work

RATES = {"coarse": 4e-4, "fine": 2e-4}  # peak learning rates
SHARES = (0.75, 0.5, 0.25)  # of the shipped weights in the mixtures that are tried, beside these and the learned ones
ANCHOR = 0.5  # weight of what the shipped weights say
EVERY = 3.0  # minutes between looks at the pictures that weights are picked by
CROPS = 36  # that the fine network's weights are picked by; a multiple of nine
LEARNING_SHARE = 0.85  # of the rest of the budget is for learning, the last of it for judging
OF_COARSE = 0.65  # of that is the coarse network's
LOOKING = 0.8  # share of a network's time in which it learns; in the rest it is looked at


def plan(work: Work) -> None:
    """Shares what is left of the budget among the two networks, once."""
    if not work.training:
        left = max(work.minutes - work.seconds / 60, 0.15 * work.minutes) * LEARNING_SHARE * LOOKING
        work.training = {"coarse": left * OF_COARSE, "fine": left * (1 - OF_COARSE)}
        work.save()


def learn_coarse(known: Sequence[Known], wish: Wish, work: Work, tell: Tell) -> Path:
    """Trains the coarse network; where its weights are, whether or not they are better."""
    path = work.inside / "coarse.safetensors"
    if path.is_file():
        return path
    shipped = checkpoints.load(CoarseNet(), checkpoints.find("builtin", "coarse-general.safetensors"))
    model = coarse.add_subject_bias(deepcopy(shipped), -coarse.SUBJECT_BIAS)  # as it learned; it comes back in the end
    sampler = CoarseSampler(part(known, "train"), old_pictures(coarse_samples.Sampler))
    pick = Pick(part(known, "val") or part(known, "train")[:8])
    settings = _plan("coarse", wish, work, tell)
    stream = Stream(sampler, seed=31)
    batches = loader(stream, wish.batch, wish.workers)
    told = deepcopy(model).to(settings.device())
    learned, _ = fit(model, batches, anchored(told), pick, "score", settings, stream.progress)
    _spend(work, "coarse")
    coarse.add_subject_bias(learned, coarse.SUBJECT_BIAS)
    best = mixed(learned.cpu(), shipped, lambda m: pick(m, work.inside)["score"], tell, "coarse")
    save_weights(best, best.state_dict(), path)
    return path


def learn_fine(
    known: Sequence[Known],
    coarse_file: Path,
    wish: Wish,
    work: Work,
    tell: Tell,
    start: Path | None = None,
    rate: float = RATES["fine"],
) -> Path | None:
    """Trains the fine network on the answers of a coarse one; None where there is nothing to learn edges from.

    Args:
        start: weights that it starts from, and that are mixed in; None: those in the tree.
        rate: peak learning rate.
    """
    path = work.inside / "fine.safetensors"
    if path.is_file():
        return path
    learned_from = part(known, "train")
    sampler = FineSampler(learned_from, coarse_file, None)
    apart = FineSampler(part(known, "val"), coarse_file, None)
    if not sampler.foregrounds and not sampler.sharp:
        return None
    apart.foregrounds, apart.sharp = apart.foregrounds or sampler.foregrounds, apart.sharp or sampler.sharp
    pick = fine.Validation(CROPS, apart)
    sampler.old = old_pictures(fine.Sampler)
    shipped = checkpoints.load(FineNet(), start or checkpoints.find("builtin", "fine-general.safetensors"))
    stream = Stream(sampler, seed=32)
    batches = loader(stream, wish.batch, wish.workers)
    settings = replace(_plan("fine", wish, work, tell), lr=rate)
    learned, _ = fit(deepcopy(shipped), batches, _held(fine.loss), pick, "score", settings, stream.progress)
    _spend(work, "fine")
    best = mixed(learned.cpu(), shipped, lambda m: pick(m, work.inside)["score"], tell, "fine")
    save_weights(best, best.state_dict(), path)
    return path


class Pick:
    """How well the coarse network does on labelled pictures: mean IoU and mean closeness of its answers."""

    def __init__(self, known: Sequence[Known]) -> None:
        self.known = list(known)

    @torch.no_grad()
    def __call__(self, model: nn.Module, run: Path) -> dict[str, float]:
        device = next(model.parameters()).device
        with torch.autocast(device.type, dtype=torch.bfloat16):
            answers = predict_alpha(model, [each.photo.rgb for each in self.known], device)
        ious, near = [], []
        for each, (alpha, _) in zip(self.known, answers, strict=True):
            truth = cv2.resize(each.photo.alpha, alpha.shape[::-1], interpolation=cv2.INTER_AREA)
            ious.append(matte.iou(alpha > 127, truth > 127))
            near.append(1 - float(np.abs(alpha.astype(np.float32) - truth).mean()) / 255)
        found = {"iou": float(np.mean(ious)), "near": float(np.mean(near))}
        return {"score": round((found["iou"] + found["near"]) / 2, 5)} | {k: round(v, 4) for k, v in found.items()}


def anchored(told: nn.Module) -> Callable[[nn.Module, Batch], Tensor]:
    """The coarse recipe's loss, and on samples with an anchor the cross-entropy with what `told` says of them."""
    told.eval().requires_grad_(False)

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        hold_norms(model)
        image = batch["image"].float() / 255
        said = model(image).float()
        value = coarse.loss_of(said, batch)
        kept = batch["anchor"] > 0
        if kept.any():
            with torch.no_grad():
                wanted = told(image[kept]).float()[:, 0].sigmoid()
            share = kept.float().mean()
            value = value + ANCHOR * share * F.binary_cross_entropy_with_logits(said[kept, 0], wanted)
        return value

    return loss


def _held(inner: Callable[[nn.Module, Batch], Tensor]) -> Callable[[nn.Module, Batch], Tensor]:
    def loss(model: nn.Module, batch: Batch) -> Tensor:
        hold_norms(model)
        return inner(model, batch)

    return loss


def hold_norms(model: nn.Module) -> None:
    """Batch normalisations keep their moments: those of a few hundred pictures would not do for others."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def mixed(
    learned: nn.Module, shipped: nn.Module, score: Callable[[nn.Module], float], tell: Tell, name: str
) -> nn.Module:
    """The best mixture of learned and shipped weights; of equals the one with more of the shipped."""
    best, best_score, best_share = shipped, score(shipped.eval()), 1.0
    before = best_score
    for share in (*SHARES, 0.0):
        mixture = deepcopy(learned)
        interpolate(mixture, shipped, share)
        if (found := score(mixture.eval())) > best_score:
            best, best_score, best_share = mixture, found, share
    tell(f"{name}: {before:.4f} before, {best_score:.4f} with {1 - best_share:.0%} of what was learned")
    return best


def part(known: Sequence[Known], name: str) -> list[Known]:
    return [each for each in known if each.part == name]


def _plan(name: str, wish: Wish, work: Work, tell: Tell) -> Plan:
    return Plan(
        minutes=work.training[name],
        run=work.inside / name,
        lr=RATES[name],
        encoder_lr=0.0,
        encoder_until=0.0,
        validate_every=min(EVERY, max(work.training[name] / 3, 1 / 600)),
        threads=wish.threads,
        tell=tell,
    )


def _spend(work: Work, name: str) -> None:
    work.spent[name] = work.training[name] * 60 / LOOKING
    work.begin()
    work.save()
