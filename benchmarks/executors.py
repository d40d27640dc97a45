"""The same stage classes on the same pictures under other ways to run them, one after the other in one go.

    python benchmarks/executors.py [--pictures N] [--rounds R] [--only WAY ...]

`hairline` is `hairline run`. `naive` is Ray Data as its guides begin: one actor pool for each stage, decoded pictures
between them. `one-pool` is Ray Data with all stages in one `map_batches`. `curator` and `xenna` are NeMo Curator's
Ray Data and Xenna executors with one processing stage for each stage of ours (they need `pip install nemo-curator`;
left out where it is not there). All write the same cut-outs; none but `hairline` keeps a ledger, survives a bad
picture's process or can be continued. Rates are between the 10th and the 90th percent of the products, by the
files' times, so that start-up does not count; `wall_s` is everything. Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import pickle
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hairline.cluster.nodes import cores

sys.path.insert(0, str(Path(__file__).parent))
from command import finished, hairline_run
from pictures import make
from record import ratios, record, spread

BATCH = 8
WAYS = ("hairline", "naive", "one-pool", "curator", "xenna")
JOB = "laptop.yaml"


class Stages:
    """Some stages of the shipped job, ready, over rows {path, item}; an item travels with its decoded picture."""

    def __init__(self, names: tuple[str, ...], output: str) -> None:
        import cv2
        import torch

        from hairline.configs.job import load_job
        from hairline.stages.registry import stage_class

        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        job = load_job(JOB, input="unused", output=output)
        self.names, self.output = names, Path(output)
        self.last = names[-1] == job.stage_names[-1]
        self.stages = [stage_class(name)(job.stages[name]) for name in names]
        for stage in self.stages:
            stage.setup(torch.device("cpu"))

    def __call__(self, packed: list[bytes | str]) -> list[bytes]:
        """Takes a batch through the stages; paths come in, items travel packed, nothing is left at the end."""
        from hairline.stages.base import run_stages

        items = [self._item(each) for each in packed]
        run_stages(self.stages, items)
        if not self.last:
            return [pickle.dumps(item.__dict__) for item in items]  # past Item.__getstate__, which drops the pixels
        for item in items:
            for product, made in item.outputs.items():
                target = self.output / product / f"{Path(item.id).stem}.{made.ext}"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(made.data)
        return [b"" for _ in items]

    @staticmethod
    def _item(packed: bytes | str) -> Any:
        from hairline.stages.item import Item

        if isinstance(packed, str):
            return Item(packed, packed, data=Path(packed).read_bytes())
        item = Item.__new__(Item)
        item.__dict__.update(pickle.loads(packed))
        return item


class Batches:
    """`Stages` as Ray Data calls it."""

    def __init__(self, names: tuple[str, ...], output: str) -> None:
        self.stages = Stages(names, output)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        made = self.stages(batch["item"].tolist())
        return {"item": np.array(made, dtype=object)}


def ray_data(paths: list[str], output: str, pools: list[tuple[str, ...]], workers: int) -> None:
    """Ray Data with an actor pool for each group of stages; they share the cores evenly."""
    import ray

    ray.init(num_cpus=cores(), include_dashboard=False, logging_level="error")
    ray.data.DataContext.get_current().enable_progress_bars = False
    found = ray.data.from_items([{"item": path} for path in paths], override_num_blocks=-(-len(paths) // BATCH))
    for names in pools:
        found = found.map_batches(
            Batches,
            fn_constructor_args=(names, output),
            batch_size=BATCH,
            concurrency=workers,
            num_cpus=round(cores() / len(pools) / workers * 0.99, 3),
        )
    for _ in found.iter_batches():
        pass


def curator(paths: list[str], output: str, names: list[str], executor: str) -> None:
    """NeMo Curator, one processing stage for each stage of ours."""
    from dataclasses import dataclass, field

    from nemo_curator.pipeline import Pipeline
    from nemo_curator.stages.base import ProcessingStage
    from nemo_curator.stages.resources import Resources
    from nemo_curator.tasks import Task

    free = max(1, cores() - (executor == "xenna"))  # Xenna keeps a core for itself

    @dataclass
    class Pictures(Task[list]):
        data: list = field(default_factory=list)

        @property
        def num_items(self) -> int:
            return len(self.data)

        def validate(self) -> bool:
            return True

    def stage(each: str) -> ProcessingStage:
        class One(ProcessingStage[Pictures, Pictures]):
            name = each
            resources = Resources(cpus=round(free / len(names) * 0.99, 3))

            def inputs(self) -> tuple[list[str], list[str]]:
                return [], []

            def outputs(self) -> tuple[list[str], list[str]]:
                return [], []

            def setup(self, _: Any = None) -> None:
                self.stages = Stages((each,), output)

            def process(self, task: Pictures) -> Pictures:
                return Pictures(dataset_name=task.dataset_name, data=self.stages(task.data))

        return One()

    if executor == "xenna":
        from nemo_curator.backends.xenna import XennaExecutor as Executor
    else:
        from nemo_curator.backends.ray_data import RayDataExecutor as Executor
    pipeline = Pipeline(name="pictures", stages=[stage(name) for name in names])
    tasks = [Pictures(dataset_name="pictures", data=paths[at : at + BATCH]) for at in range(0, len(paths), BATCH)]
    pipeline.run(Executor(), initial_tasks=tasks)


def work(way: str, catalog: Path, output: Path) -> None:
    """One way, in a process of its own."""
    from hairline.configs.job import load_job

    names = tuple(load_job(JOB, input="unused", output=str(output)).stage_names)
    paths = sorted(str(path) for path in catalog.rglob("*.jpg"))
    if way == "naive":
        ray_data(paths, str(output), [(name,) for name in names], 1)
    elif way == "one-pool":
        ray_data(paths, str(output), [names], cores())
    else:
        curator(paths, str(output), list(names), way)


def measure(way: str, catalog: Path, output: Path) -> dict[str, Any]:
    """Runs one way and tells how fast it was, see `timed`."""
    command = [sys.executable, __file__, "--work", way, str(catalog), str(output)]
    return timed(hairline_run(catalog, output) if way == "hairline" else command, output)


def timed(command: list[str], output: Path, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Runs a command and reads from its products, `cutout/**.png`, how fast they came; `digest` is of all of them.

    Args:
        environ: variables of the environment that are set for it.
    """
    started = time.perf_counter()
    done = finished(command, environ)
    wall = time.perf_counter() - started
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    files = sorted((path for path in output.joinpath("cutout").rglob("*.png")), key=lambda path: path.stat().st_mtime)
    times = np.array([path.stat().st_mtime for path in files])
    low, high = np.interp([0.1 * len(times), 0.9 * len(times)], np.arange(len(times)), times)
    digests = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    digest = hashlib.sha256("".join(digests).encode()).hexdigest()[:16]
    return {"products": len(files), "rate": 0.8 * len(times) / (high - low), "wall_s": wall, "digest": digest}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--distinct", type=int, help="different pictures; the others are links to them (default: all)")
    parser.add_argument("--rounds", type=int, default=2, help="how often they take turns")
    parser.add_argument("--only", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--work", nargs=3, metavar=("WAY", "CATALOG", "OUTPUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args.work[0], Path(args.work[1]), Path(args.work[2]))
        return 0
    ways = [way for way in args.only if way not in ("curator", "xenna") or importlib.util.find_spec("nemo_curator")]
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory(prefix="hairline-executors-") as folder:
        base = Path(folder)
        make(base / "catalog", args.pictures, distinct=args.distinct)
        for k in range(args.rounds):
            for way in ways[:: -1 if k % 2 else 1]:
                result = measure(way, base / "catalog", base / f"{way}{k}")
                found[way].append(result)
                print(f"{way}: {result['rate']:.2f} pictures/s, {result['wall_s']:.0f} s in all", flush=True)
    ours = [each["rate"] for each in found.get("hairline", [])]
    summary = {
        way: {
            "pictures_per_s": spread([each["rate"] for each in results]),
            "wall_s": spread([each["wall_s"] for each in results], 1),
            **({"ours_is_times": ratios(ours, [each["rate"] for each in results])} if ours else {}),
            "products": results[0]["products"],
            "same_bytes": results[0]["digest"] == found[ways[0]][0]["digest"],
        }
        for way, results in found.items()
    }
    return record({"pictures": args.pictures, "cores": cores(), **summary})


if __name__ == "__main__":
    sys.exit(main())
