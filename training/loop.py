"""The training loop all networks share: time-budgeted, resumable, EMA, bf16, best checkpoint as it goes."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ..stages import checkpoints

Batch = dict[str, Tensor]

FIRST_VALIDATION = 1.0  # minutes until the first validation
LONGEST_STEP = 60.0  # seconds; more than that was no step but a process or a machine that slept


@dataclass
class Plan:
    """What one training run is given.

    Attributes:
        minutes: wall-clock budget in all; a resumed run goes on with what is left of it.
        run: folder for the log, the state to resume from and the contact sheets.
        lr: peak learning rate; rises over the first 3% and falls as a cosine to 2% of it.
        encoder_lr: share of it for any `encoder` within the model, which has already learned elsewhere.
        encoder_until: share of the budget after which an encoder stays as it is, and a step takes 0.6 of the time.
        validate_every: minutes between validations; the first comes after one at the latest: an early look.
        threads: of torch; 0: as many as there are cores.
        route: whose own weights are to be made, by a recipe that knows routes; empty: those for all.
        start: weight file that a new run starts from; not read by a run that is resumed.
        tell: is given the metrics of every validation, as JSON.
    """

    minutes: float
    run: Path
    lr: float = 1.5e-3
    encoder_lr: float = 0.25
    encoder_until: float = 1.0
    weight_decay: float = 0.02
    ema: float = 0.998
    validate_every: float = 5.0
    threads: int = 0
    route: str = ""
    start: Path | None = None
    tell: Callable[[str], None] = field(default=partial(print, flush=True))

    def device(self) -> torch.device:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Stream(IterableDataset):
    """An endless, seeded stream of samples; `make(rng, progress)` makes one.

    `progress` (0..1, shared with the loader's processes) lets a recipe grow its pictures over time; the samples of a
    batch are made at the same one, so that all have one size.
    """

    batch = 1  # samples in a batch, set by `loader`

    def __init__(self, make: Callable[[np.random.Generator, float], dict[str, np.ndarray]], seed: int) -> None:
        self.make, self.seed = make, seed
        self.progress = torch.zeros(1).share_memory_()

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            progress = float(self.progress)
            for _ in range(self.batch):
                yield self.make(rng, progress)


def loader(stream: Stream, batch: int, workers: int) -> Iterator[Batch]:
    """Batches of the stream, made by `workers` processes (0: in this one)."""
    stream.batch = batch
    return iter(
        DataLoader(
            stream,
            batch_size=batch,
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_one_thread,
        )
    )


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)


def fit(
    model: nn.Module,
    batches: Iterator[Batch],
    loss: Callable[[nn.Module, Batch], Tensor],
    validate: Callable[[nn.Module, Path], dict[str, float]],
    score: str,
    plan: Plan,
    progress: Tensor | None = None,
) -> tuple[nn.Module, dict[str, float]]:
    """Trains until the budget is spent and returns the best averaged model with its metrics.

    Args:
        loss: (model, batch on the device) to a scalar; runs under bf16 autocast.
        validate: (averaged model, folder for pictures) to metrics; `score` names the one to maximise.
        progress: shared tensor [1] that is kept at the share of the budget spent.
    """
    if plan.threads:
        torch.set_num_threads(plan.threads)
    plan.run.mkdir(parents=True, exist_ok=True)
    device = plan.device()
    if plan.start:
        load_start(model, plan.start)
    model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(_groups(model, plan), lr=plan.lr, fused=device.type == "cuda")
    state: dict[str, Any] = {"spent": 0.0, "step": 0, "seen": 0, "best": -math.inf, "metrics": {}}
    best = deepcopy(average.state_dict())
    path = plan.run / "state.pt"
    if path.exists():
        saved = torch.load(path, map_location=device, weights_only=True)
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        best, state = saved["best_model"], saved["state"]
    log = open(plan.run / "log.jsonl", "a", encoding="utf-8")  # noqa: SIM115  (open for the whole run)
    budget, last, validated, total = plan.minutes * 60, time.monotonic(), state["spent"], 0.0
    while state["spent"] < budget:
        share = state["spent"] / budget
        if progress is not None:
            progress.fill_(share)
        if share >= plan.encoder_until:
            _fix_encoder(model)
        for group in optimizer.param_groups:
            group["lr"] = plan.lr * _schedule(share) * group["scale"]
        batch = {k: _to_device(v, device) for k, v in next(batches).items()}
        model.train()
        with torch.autocast(device.type, dtype=torch.bfloat16):
            value = loss(model, batch)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        state["step"] += 1
        state["seen"] += len(next(iter(batch.values())))
        _update_average(average, model, min(plan.ema, (1 + state["step"]) / (10 + state["step"])))
        total += (float(value.detach()) - total) * 0.02 if total else float(value.detach())
        now = time.monotonic()
        state["spent"] += min(now - last, LONGEST_STEP)
        last = now
        wait = plan.validate_every if validated else min(plan.validate_every, FIRST_VALIDATION)
        if state["spent"] - validated > wait * 60 or state["spent"] >= budget:
            validated = state["spent"]
            metrics = validate(average.eval(), plan.run)
            if metrics[score] >= state["best"]:
                state.update(best=metrics[score], metrics=metrics)
                best = deepcopy(average.state_dict())
            torch.save(
                {
                    "model": model.state_dict(),
                    "average": average.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "best_model": best,
                    "state": state,
                },
                path.with_suffix(".tmp"),
            )
            path.with_suffix(".tmp").replace(path)
            save_weights(average, best, plan.run / "best.safetensors")
            line = {"minutes": round(state["spent"] / 60, 1), "seen": state["seen"], "loss": round(total, 4), **metrics}
            print(json.dumps(line), file=log, flush=True)
            plan.tell(json.dumps(line))
            last = time.monotonic()  # time spent on validation is not counted
    average.load_state_dict(best)
    return average.eval(), state["metrics"]


def load_start(model: nn.Module, start: Path) -> nn.Module:
    """The model with the weights that a run starts from. Raises HairlineError where they are missing or of another."""
    return checkpoints.load(model, checkpoints.find(str(start), ""))


def save_weights(model: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Writes a state as safetensors in fp16 (integer buffers, which only training needs, are left at their size)."""
    kept = {k: (v.half() if v.is_floating_point() else v).contiguous().cpu() for k, v in state.items()}
    temporary = path.with_suffix(".tmp")
    save_file(kept, temporary)
    temporary.chmod(0o644)  # safetensors leaves it readable by its owner alone
    temporary.replace(path)


def publish(model: nn.Module, name: str, card: str) -> Path:
    """Puts a trained model into `stages/weights/` with its model card and its hash in the index."""
    path = checkpoints.FOLDER / f"{name}.safetensors"
    save_weights(model, model.state_dict(), path)
    path.with_suffix(".md").write_text(card, encoding="utf-8")
    index = json.loads(checkpoints.INDEX.read_text()) if checkpoints.INDEX.is_file() else {}
    index[path.name] = checkpoints.digest(path)
    checkpoints.INDEX.write_text(json.dumps(dict(sorted(index.items())), indent=1) + "\n")
    return path


def _schedule(share: float) -> float:
    rise = min(1.0, share / 0.03 + 0.02)
    return rise * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


def _groups(model: nn.Module, plan: Plan) -> list[dict[str, Any]]:
    """Weights decay, norms and biases do not; an encoder learns more slowly than the rest."""
    groups: list[dict[str, Any]] = []
    for inside, scale in ((True, plan.encoder_lr), (False, 1.0)):
        learned = [p for n, p in model.named_parameters() if ("encoder." in n) == inside and p.requires_grad]
        groups.append({"params": [p for p in learned if p.ndim > 1], "weight_decay": plan.weight_decay, "scale": scale})
        groups.append({"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0, "scale": scale})
    return groups


def _fix_encoder(model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if "encoder." in name:
            parameter.requires_grad_(False)
            parameter.grad = None  # a gradient of before would be applied again and again


@torch.no_grad()
def _update_average(average: nn.Module, model: nn.Module, keep: float) -> None:
    for a, b in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if a.is_floating_point():
            a.lerp_(b.detach(), 1 - keep)
        else:
            a.copy_(b)


def _to_device(tensor: Tensor, device: torch.device) -> Tensor:
    tensor = tensor.to(device, non_blocking=True)
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
