"""One trial of a search, as Ray Tune runs it: learns, reports its score, and leaves a checkpoint to go on from."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..stages.networks.exported import Form, Head, most_probable, pooled, probabilities
from . import heads
from .clean import score
from .examine import encoder

STEPS = 6  # reports of one trial
STEP_PICTURES = 4096  # that a tuned trial learns from between two reports, at most
BATCH = 32
CHECKPOINT = "trial.pt"


@dataclass(frozen=True)
class Data:
    """What all trials learn from.

    Attributes:
        features: start -> float16 [N, P].
        targets: int64 [N].
        train, val: numbers of the pictures.
        labels: the classes.
        ordered: whether they are.
        thumbnails: JPEG of each picture; empty for heads.
    """

    features: dict[str, NDArray[np.float16]]
    targets: NDArray[np.int64]
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    labels: tuple[str, ...]
    ordered: bool
    thumbnails: list[bytes]


def form_of(config: dict[str, Any], labels: tuple[str, ...], ordered: bool) -> Form:
    """The form of the classifier that a trial makes."""
    size, levels = config.get("size", 224), config.get("levels", 5)
    if "form" in config:
        size, levels = map(int, config["form"].split("x"))
    return Form(labels=labels, ordered=ordered, size=size, levels=levels, hidden=config.get("hidden", 0))


def recipe_of(config: dict[str, Any]) -> heads.Recipe:
    """The recipe of a head from a trial's choices."""
    known = ("lr", "weight_decay", "hidden", "dropout", "smoothing", "balance", "levels")
    return heads.Recipe(**{name: config[name] for name in known if name in config})


def run_trial(config: dict[str, Any], data: Data) -> None:
    """Runs a trial from its start, or from its last checkpoint."""
    from ray import tune

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    given = tune.get_checkpoint()
    state: dict[str, Any] = {}
    if given:
        with given.as_directory() as folder:
            state = torch.load(Path(folder, CHECKPOINT), weights_only=True)
    (_tuned if config["tuned"] else _head)(config, data, state)


def _report(data: Data, found: NDArray[np.float32], state: dict[str, Any]) -> None:
    from ray import tune

    truth = data.targets[data.val]
    likelihood = np.maximum(found[np.arange(len(truth)), truth], 1e-6)
    predicted = most_probable(torch.from_numpy(found), data.ordered).numpy()
    metrics = {
        "score": score(predicted, truth, len(data.labels), data.ordered),
        "log_loss": float(-np.log(likelihood).mean()),
        "step": state["step"],
    }
    metrics["curve"] = state["curve"] = [*state.get("curve", []), round(metrics["score"], 5)]
    with tempfile.TemporaryDirectory() as folder:
        torch.save(state, Path(folder, CHECKPOINT))
        tune.report(metrics, checkpoint=tune.Checkpoint.from_directory(folder))


def _head(config: dict[str, Any], data: Data, state: dict[str, Any]) -> None:
    """A head on cached features. A killed one begins anew: it takes seconds."""
    features, recipe = data.features[config["start"]], recipe_of(config)
    inside, targets = features[data.train].astype(np.float32), data.targets[data.train]
    outside = features[data.val]
    every = recipe.epochs // STEPS

    def after(epoch: int, head: Head) -> None:
        if epoch % every == 0 and epoch // every > state.get("step", 0):
            found = heads.predict(head, outside, data.ordered)
            state.update(step=epoch // every, head=head.state_dict())
            _report(data, found, state)

    heads.fit(inside, targets, len(data.labels), recipe, data.ordered, after=after)


def _tuned(config: dict[str, Any], data: Data, state: dict[str, Any]) -> None:
    """Encoder and head, from a head that has learned on the cached features of that encoder."""
    form = form_of(config, data.labels, data.ordered)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = nn.Module()
    network.encoder = shortened(config["start"], form.levels)
    if state:
        network.head = Head(heads.width(form.levels), len(form.labels), form.hidden, 0.2, form.ordered)
        network.load_state_dict(state["network"])
    else:
        recipe = heads.Recipe(levels=form.levels, balance=config["balance"], smoothing=config["smoothing"])
        inside = data.features[config["start"]][data.train].astype(np.float32)
        network.head = heads.fit(inside, data.targets[data.train], len(form.labels), recipe, form.ordered)[0]
    network.to(device)
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in network.encoder.parameters() if p.requires_grad], "share": 0.3},
            {"params": network.head.parameters(), "share": 1.0},
        ],
        lr=config["lr"],
        weight_decay=config["weight_decay"],
    )
    if state:
        optimizer.load_state_dict(state["optimizer"])
    weights = heads.class_weights(data.targets[data.train], len(form.labels), config["balance"]).to(device)
    for step in range(state.get("step", 0), STEPS):
        rng = np.random.default_rng(step)
        order = rng.permutation(data.train)[:STEP_PICTURES]
        network.train()
        for at in range(0, len(order), BATCH):
            done = (step + at / len(order)) / STEPS
            rate = config["lr"] * (0.5 * (1 + np.cos(np.pi * done)) if config["schedule"] == "cosine" else 1.0)
            for group in optimizer.param_groups:
                group["lr"] = rate * group["share"]
            rows = order[at : at + BATCH]
            if len(rows) < 2:
                continue
            images = np.stack([augmented(data.thumbnails[row], form.size, config["augment"], rng) for row in rows])
            optimizer.zero_grad()
            logits = _logits(network, images, device)
            target = torch.from_numpy(data.targets[rows]).to(device)
            heads.loss(logits, target, config["smoothing"], form.ordered, weights).backward()
            optimizer.step()
        network.eval()
        state.update(step=step + 1, network=network.state_dict(), optimizer=optimizer.state_dict())
        _report(data, _predict(network, data, form, device), state)


def shortened(start: str, levels: int) -> nn.Module:
    """An encoder with the first levels of a start's weights."""
    from ..stages.networks.lite import LiteEncoder

    network = LiteEncoder(levels)
    known = network.state_dict()
    network.load_state_dict({name: value for name, value in encoder(start).state_dict().items() if name in known})
    return network


def _logits(network: nn.Module, images: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    x = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255
    with torch.autocast(device.type, dtype=torch.bfloat16):
        features = pooled(network.encoder, x.contiguous(memory_format=torch.channels_last))  # type: ignore[arg-type]
    logits: torch.Tensor = network.head(features.float())  # type: ignore[operator]
    return logits


@torch.no_grad()
def _predict(network: nn.Module, data: Data, form: Form, device: torch.device) -> NDArray[np.float32]:
    found = []
    for at in range(0, len(data.val), BATCH):
        images = np.stack([plain(data.thumbnails[row], form.size) for row in data.val[at : at + BATCH]])
        found.append(probabilities(_logits(network, images, device), form.ordered).cpu())
    answer: NDArray[np.float32] = torch.cat(found).numpy()
    return answer


def plain(jpeg: bytes, size: int) -> NDArray[np.uint8]:
    """A small copy as a network sees it, uint8 [size, size, 3]."""
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return cv2.resize(bgr, (size, size), interpolation=cv2.INTER_AREA)[..., ::-1]  # type: ignore[index, return-value]


def augmented(jpeg: bytes, size: int, strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A small copy, cut, mirrored, in other light, the more so the stronger: uint8 [size, size, 3]."""
    bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    height, width = bgr.shape[:2]
    share = 1 - 0.4 * strength * rng.random(2)
    rows, columns = max(1, round(height * share[0])), max(1, round(width * share[1]))
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    cut = cv2.resize(bgr[top : top + rows, left : left + columns], (size, size), interpolation=cv2.INTER_AREA)
    rgb = cut[:, ::-1, ::-1] if rng.random() < 0.5 else cut[..., ::-1]
    gain = 1 + strength * rng.uniform(-0.3, 0.3) + strength * rng.uniform(-0.08, 0.08, 3)
    shift = 255 * strength * rng.uniform(-0.1, 0.1)
    return np.clip(rgb * gain + shift, 0, 255).astype(np.uint8)
