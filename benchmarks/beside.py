"""`hairline run` beside what people would pick instead, on the same pictures, taking turns.

    python benchmarks/beside.py [--pictures N] [--rounds R] [--rembg COMMAND] [--isnet FILE] [--only WAY ...] [--quick]

With our stages: `hairline run`, the same without OpenVINO, a plain script, a torch DataLoader whose workers run the
stages, and Daft (left out where `pip install daft` was not run). With other models: rembg's command (`pip install
'rembg[cpu,cli]'`, best in an environment of its own) with u2net and u2netp, whose trained weights nobody needs for a
measurement of speed: files of the right architectures with random weights lie where rembg looks for them. And IS-Net as
an ONNX file by a plain script around ONNX Runtime. All write a cut-out of the picture's size as PNG; ours
leave out what the filter rejects. Other ways to use Ray Data are in executors.py. Rates are between the 10th and the
90th percent of the products, by the files' times, so that start-up does not count; `wall_s` is everything. Ends with
one line of JSON.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hairline.cluster.nodes import cores

sys.path.insert(0, str(Path(__file__).resolve().parent))
import u2net
from command import hairline_run
from executors import BATCH, JOB, Stages, timed
from pictures import make
from record import HERE, ratios, record, spread


@dataclass(frozen=True)
class Way:
    """One way to cut out a folder of pictures.

    Attributes:
        name: as the table has it.
        why: one sentence on what makes it as fast or slow as it is.
        command: that takes the pictures of the first folder and puts products below the second.
        environ: variables of its environment.
    """

    name: str
    why: str
    command: Callable[[Path, Path], list[str]]
    environ: Mapping[str, str] = field(default_factory=dict)


def ways(rembg: str | None, isnet: Path | None, weights: Path) -> dict[str, Way]:
    """All ways that can be gone here."""
    found = {
        "hairline": Way("`hairline run`", "a process for each core, networks by OpenVINO", _run),
        "torch": Way("`hairline run`, torch", "the same with torch's own kernels", _run, {"HAIRLINE_ENGINE": "torch"}),
        "script": Way(
            "our stages in a script",
            "one process: only the networks use more than one core, and one picture's tiles are too few to fill them",
            _own("script"),
        ),
        "loader": Way(
            "our stages in a DataLoader",
            "the same work in as many processes; no account of what was made, and one dead worker ends it",
            _own("loader"),
        ),
    }
    if importlib.util.find_spec("daft"):
        why = "the same work in as many processes, with Daft's engine between them; no account either"
        found["daft"] = Way("our stages in Daft", why, _own("daft"))
    if rembg:
        for name, why in (
            ("u2net", "44 million parameters in float32, all of them for every picture, one picture after the other"),
            ("u2netp", "a network of 1.1 million parameters; the time goes to Pillow's resizing and PNG beside it"),
        ):
            command = _rembg(rembg, name)
            found[name] = Way(f"rembg, {name}", why, command, {"U2NET_HOME": str(weights)})
            u2net.write(name, weights / f"{name}.onnx")
    if isnet:
        why = "44 million parameters on 1,024² pixels for every picture, in float32 on a CPU"
        found["isnet"] = Way("IS-Net, ONNX Runtime", why, _own("isnet", str(isnet)))
    return found


def _run(catalog: Path, output: Path) -> list[str]:
    return hairline_run(catalog, output)


def _own(way: str, *more: str) -> Callable[[Path, Path], list[str]]:
    """A command that is this file itself, with one of `WORK`."""
    return lambda catalog, output: [sys.executable, __file__, "--work", way, str(catalog), str(output), *more]


def _rembg(command: str, model: str) -> Callable[[Path, Path], list[str]]:
    return lambda catalog, output: [command, "p", "-m", model, str(catalog), str(output / "cutout")]


def names(output: str) -> tuple[str, ...]:
    """The stages of the job that all ways with our stages run."""
    from hairline.configs.job import load_job

    return tuple(load_job(JOB, input="unused", output=output).stage_names)


def script(paths: list[str], output: str) -> None:
    """One picture after the other; networks may use all cores."""
    import torch

    stages = Stages(names(output), output)
    torch.set_num_threads(cores())
    for path in paths:
        stages([path])


def loader(paths: list[str], output: str) -> None:
    """A DataLoader whose workers take batches through all stages."""
    from torch.utils.data import DataLoader, Dataset

    class Pictures(Dataset):
        stages: Stages | None = None  # of a worker, made there

        def __len__(self) -> int:
            return -(-len(paths) // BATCH)

        def __getitem__(self, number: int) -> int:
            self.stages = self.stages or Stages(names(output), output)
            return len(self.stages(list(paths[number * BATCH : (number + 1) * BATCH])))

    for _ in DataLoader(Pictures(), batch_size=None, num_workers=cores()):
        pass


def daft(paths: list[str], output: str) -> None:
    """A column of paths through a Daft class with all stages, in as many processes as there are cores."""
    import daft as library

    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), *sys.path])  # for its processes

    @library.cls(max_concurrency=cores(), use_process=True)
    class Cut:
        def __init__(self) -> None:
            self.stages = Stages(names(output), output)

        @library.method.batch(return_dtype=library.DataType.binary(), batch_size=BATCH)
        def made(self, item: Any) -> list[bytes]:
            return self.stages(item.to_pylist())

    frame = library.from_pydict({"item": paths})
    frame.with_column("made", Cut().made(library.col("item"))).collect()


def isnet(paths: list[str], output: str, model: str) -> None:
    """IS-Net as its users run it: the picture at 1,024 pixels a side, float32, one after the other."""
    import onnxruntime
    from PIL import Image

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    kind = np.float16 if "float16" in given.type else np.float32
    target = Path(output, "cutout")
    target.mkdir(parents=True, exist_ok=True)
    for path in paths:
        picture = Image.open(path).convert("RGB")
        small = np.asarray(picture.resize((1024, 1024), Image.Resampling.BILINEAR), np.float32) / 255 - 0.5
        (answer, *_) = session.run(None, {given.name: small.transpose(2, 0, 1)[None].astype(kind)})
        alpha = np.clip(np.asarray(answer, np.float32).reshape(1024, 1024) * 255, 0, 255).astype(np.uint8)
        picture.putalpha(Image.fromarray(alpha).resize(picture.size, Image.Resampling.BILINEAR))
        picture.save(target / f"{Path(path).stem}.png")


WORK: dict[str, Callable[..., None]] = {"script": script, "loader": loader, "daft": daft, "isnet": isnet}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=80)
    parser.add_argument("--distinct", type=int, help="different pictures; the others are links to them (default: all)")
    parser.add_argument("--rounds", type=int, default=3, help="how often they take turns")
    parser.add_argument("--rembg", metavar="COMMAND", help="rembg's command, where it is installed")
    parser.add_argument("--isnet", type=Path, metavar="FILE", help="IS-Net as an ONNX file")
    parser.add_argument("--only", nargs="+", metavar="WAY", help="of those that would be gone")
    parser.add_argument("--quick", action="store_true", help="10 photographs, one round")
    parser.add_argument("--work", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        way, catalog, output, *more = args.work
        WORK[way](sorted(str(path) for path in Path(catalog).rglob("*.jpg")), output, *more)
        return 0
    pictures, rounds = (10, 1) if args.quick else (args.pictures, args.rounds)
    with tempfile.TemporaryDirectory(prefix="hairline-beside-") as folder:
        base = Path(folder)
        chosen = ways(args.rembg, args.isnet and args.isnet.resolve(), base)
        if unknown := set(args.only or ()) - set(chosen):
            parser.error(f"--only: {', '.join(sorted(unknown))} cannot be gone here; there are {', '.join(chosen)}")
        chosen = {name: way for name, way in chosen.items() if not args.only or name in args.only}
        make(base / "catalog", pictures, distinct=args.distinct, rendered=not args.quick)
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen}
        for number in range(rounds):
            for name in list(chosen)[:: -1 if number % 2 else 1]:
                output = base / f"{name}{number}"
                result = timed(chosen[name].command(base / "catalog", output), output, chosen[name].environ)
                found[name].append(result)
                print(f"{name}: {result['rate']:.2f} pictures/s, {result['wall_s']:.0f} s in all", flush=True)
    rates = {name: [each["rate"] for each in results] for name, results in found.items()}
    summary = {
        name: {
            "name": chosen[name].name,
            "why": chosen[name].why,
            "products": results[0]["products"],
            "pictures_per_s": spread(rates[name]),
            "wall_s": spread([each["wall_s"] for each in results], 1),
            "ours_is_times": ratios(rates["hairline"], rates[name]) if "hairline" in rates else None,
        }
        for name, results in found.items()
    }
    return record({"pictures": pictures, "rounds": rounds, "ways": summary})


if __name__ == "__main__":
    sys.exit(main())
