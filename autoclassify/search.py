"""The search on Ray Tune with Optuna and ASHA, under a budget; it survives killed workers and a killed driver."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from ..stages.errors import HairlineError
from . import files
from .clean import state
from .prepare import Prepared
from .space import HeadSpace, Limits, TunedSpace, cost
from .trial import CHECKPOINT, STEPS, Data, form_of, run_trial

HEADS, TUNED = "heads", "tuned"
TRIALS = "trials.json"
SEED = 0


@dataclass(frozen=True)
class Budget:
    """What a search may take.

    Attributes:
        trials: how many there are.
        minutes: in all, over all calls that go on with it.
        concurrent: trials at the same time; 0: as many as there are cores or shares of GPUs.
        gpu: share of a GPU for each trial; 0 where there is none.
        limits: of the classifier.
    """

    trials: int = 24
    minutes: float = 10.0
    concurrent: int = 0
    gpu: float = 0.0
    limits: Limits = field(default_factory=Limits)


class Clock(tune.Stopper):
    """Stops all trials when the minutes are used up, also those that earlier calls used."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.path, self.seconds = path, seconds
        self._begin()

    def _begin(self) -> None:
        self.before, self.started, self.noted = float(files.read_json(self.path, 0.0)), time.monotonic(), 0.0

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        gone = time.monotonic() - self.started
        if gone - self.noted > 2:
            files.write_json(self.path, round(self.before + gone, 1))
            self.noted = gone
        return self.before + gone > self.seconds

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "seconds": self.seconds}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()


def search(
    prepared: Prepared,
    folder: Path,
    kind: Literal["heads", "tuned"],
    budget: Budget,
    tell: Callable[[str], None],
    sampler: Any = None,
    seed: int = SEED,
) -> list[dict[str, Any]]:
    """Runs or goes on with a search, in the Ray session that is there.

    Args:
        folder: its place below OUT; what is finished there is read, not done again.
        kind: heads on cached features, or encoders that learn along.
        sampler: of Optuna; by default TPE with the seed.

    Returns:
        The trials, the best first, as rows for people and for `best`: config, score, steps, seconds, milliseconds,
        parameters, status and the folder of the checkpoint.

    Raises:
        HairlineError: no trial came to an end.
    """
    done = files.read_json(folder / TRIALS)
    if done is not None:
        return list(done)
    for name in ("ray.tune", "ray.train", "optuna"):
        logging.getLogger(name).setLevel(logging.ERROR)
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # their files are not read by anybody
    import ray

    way = folder / kind
    data = ray.put(_data(prepared, kind))
    trainable = tune.with_resources(
        tune.with_parameters(_run, data=data), {"cpu": 1, "gpu": budget.gpu} if budget.gpu else {"cpu": 1}
    )
    if tune.Tuner.can_restore(str(way)):
        tell(f"search {kind}: goes on where it was")
        tuner = tune.Tuner.restore(str(way), trainable, resume_unfinished=True, resume_errored=True)
    else:
        space = (HeadSpace if kind == HEADS else TunedSpace).within(prepared.starts, budget.limits)
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        chosen = sampler or optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=8)
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=OptunaSearch(space=space, metric="score", mode="max", sampler=chosen),
                scheduler=ASHAScheduler(
                    time_attr="training_iteration", metric="score", mode="max", max_t=STEPS, grace_period=2,
                    reduction_factor=3,
                ),
                num_samples=budget.trials,
                max_concurrent_trials=budget.concurrent or _at_once(budget.gpu),
                reuse_actors=True,
                trial_dirname_creator=_folder_name,
            ),
            run_config=tune.RunConfig(
                name=kind,
                storage_path=str(folder),
                verbose=0,
                stop=Clock(folder / f"{kind}-seconds.json", 60 * budget.minutes),
                failure_config=tune.FailureConfig(max_failures=5),
                checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
            ),
        )  # fmt: skip
    files.write_json(folder / f"{kind}-budget.json", asdict(budget))
    rows = [_row(result, prepared) for result in tuner.fit()]
    rows = sorted((row for row in rows if row["steps"]), key=lambda row: (-row["score"], row["log_loss"]))
    if not rows:
        raise HairlineError(
            f"search {kind}: no trial came to its first report in {budget.minutes:g} minutes; give more --minutes"
        )
    files.write_json(folder / TRIALS, rows)
    return rows


def _run(config: dict[str, Any], data: Any) -> None:
    import ray

    run_trial(config, ray.get(data) if isinstance(data, ray.ObjectRef) else data)


def _folder_name(trial: Any) -> str:
    return f"trial-{trial.trial_id}"


def _at_once(gpu: float) -> int:
    import ray

    there = ray.cluster_resources()
    cores = int(there.get("CPU", 1))
    return max(1, min(cores, int(there.get("GPU", 0) / gpu)) if gpu else cores)


def _data(prepared: Prepared, kind: str) -> Data:
    now, parts = state(prepared), prepared.column("split")
    train, val = (np.nonzero((parts == part) & now.used)[0] for part in ("train", "val"))
    thumbnails: list[bytes] = []
    if kind == TUNED:
        thumbnails = prepared.thumbnails(np.arange(len(parts)))
    features = {start: prepared.features(start) for start in prepared.starts}
    return Data(features, now.targets, train, val, prepared.labels, prepared.ordered, thumbnails)


def _row(result: tune.Result, prepared: Prepared) -> dict[str, Any]:
    metrics, config = result.metrics or {}, result.config or {}
    form = form_of(config, prepared.labels, prepared.ordered)
    milliseconds, parameters = cost(form.size, form.levels, form.hidden)
    return {
        "config": config,
        "score": round(float(metrics.get("score", float("-inf"))), 5) if "score" in metrics else None,
        "log_loss": round(float(metrics["log_loss"]), 5) if "log_loss" in metrics else None,
        "steps": int(metrics.get("step", 0)),
        "seconds": round(float(metrics.get("time_total_s", 0.0)), 2),
        "milliseconds": milliseconds,
        "parameters": parameters,
        "curve": metrics.get("curve", []),
        "status": "failed" if result.error else "finished" if metrics.get("step") == STEPS else "stopped early",
        "checkpoint": result.checkpoint.path if result.checkpoint else "",
    }


def pareto(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The trials to which none is both better and as fast: fastest first."""
    found: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: (row["milliseconds"], -row["score"])):
        if not found or row["score"] > found[-1]["score"]:
            found.append(row)
    return found


def load_checkpoint(row: dict[str, Any]) -> dict[str, Any]:
    """What a trial left: `head`, or `network`. Raises HairlineError: it is not there any more."""
    path = Path(row["checkpoint"], CHECKPOINT)
    if not path.is_file():
        raise HairlineError(f"{path}: the trial's checkpoint is not there; delete {path.parents[2]} and search again")
    found: dict[str, Any] = torch.load(path, weights_only=True)
    return found
