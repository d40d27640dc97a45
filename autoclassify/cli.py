"""`hairline autoclassify`: the whole way in one command, or step by step. Imports are light here."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..configs.arguments import count, positive
from ..stages.errors import HairlineError

if TYPE_CHECKING:
    from .prepare import Prepared
    from .rounds import Plan

Tell = Callable[[str], None]  # takes a line for a person
STEPS = {
    "prepare": "examines and splits a data set, and writes its data card",
    "search": "one round's search for the best classifier, or with --tuned one of encoders that learn along",
    "clean": "looks for wrong labels after a search, and takes a person's decisions",
    "undo": "makes decisions of the ledger not count any more",
    "export": "puts the best trial into OUT/model, calibrated, with its card",
    "report": "writes OUT/report.html",
}


class Parser(argparse.ArgumentParser):
    """Mistakes in one line."""

    def error(self, message: str) -> NoReturn:
        raise HairlineError(f"{message}  (see {self.prog} --help)")


def parser() -> argparse.ArgumentParser:
    """The options of the whole way."""
    command = Parser(
        prog="hairline autoclassify",
        description="Makes a classifier of labelled pictures for `classify.weights` or `filter.quality_weights`. The "
        f"same command again goes on where it was. Each step is a command, too: {', '.join(STEPS)}.",
    )
    _dataset(command)
    _budget(command)
    command.add_argument("--rounds", type=count, default=3, help="of searching and cleaning, at most")
    command.add_argument("--tuned-trials", type=int, default=6, help="with an encoder that learns along; 0: none")
    command.add_argument("--no-automatic", action="store_true", help="labels are changed by a person's decisions alone")
    return command


def step_parsers() -> dict[str, argparse.ArgumentParser]:
    """The options of each step."""
    found = {
        name: Parser(prog=f"hairline autoclassify {name}", description=f"{text[:1].upper()}{text[1:]}.")
        for name, text in STEPS.items()
    }
    _dataset(found["prepare"])
    for name, command in found.items():
        if name != "prepare":
            command.add_argument("output", metavar="OUT", help="folder of the tool")
    _budget(found["search"])
    found["search"].add_argument("--tuned", action="store_true", help="encoders that learn along instead of heads")
    found["clean"].add_argument("--decisions", metavar="FILE", help="what the review page has saved")
    found["clean"].add_argument("--no-automatic", action="store_true", help="the tool itself decides nothing")
    found["undo"].add_argument(
        "ids", nargs="*", metavar="ID", help="of decisions, as the ledger and the report show them"
    )
    found["undo"].add_argument("--round", type=count, help="all of the tool's decisions of a round")
    return found


def _dataset(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "dataset", metavar="DATASET", help="a folder with one folder a class, or .csv or .parquet: uri, label[, split]"
    )
    command.add_argument("-o", "--output", required=True, metavar="OUT", help="folder of the tool; made if missing")
    command.add_argument(
        "--ordered", default="", metavar="A,B,C", help="the classes from the worst to the best: grades"
    )
    command.add_argument(
        "--encoders", default="imagenet,builtin", metavar="NAMES", help="to start from: imagenet, builtin or both"
    )


def _budget(command: argparse.ArgumentParser) -> None:
    command.add_argument("--minutes", type=positive, default=30.0, help="of all searches together")
    command.add_argument("--trials", type=count, default=24, help="heads of each round's search")
    command.add_argument("--concurrent", type=int, default=0, metavar="N", help="trials at once; 0: as many as fit")
    command.add_argument("--gpu", type=float, default=0.0, metavar="SHARE", help="of a GPU for each trial, such as 0.5")
    command.add_argument("--max-ms", type=float, default=0.0, help="milliseconds a picture, at most; 0: any")
    command.add_argument("--max-parameters", type=int, default=0, metavar="N", help="at most; 0: any")


def main(arguments: Sequence[str]) -> int:
    """Runs the whole way or a step. Raises HairlineError for a user's mistake."""
    name = arguments[0] if arguments and arguments[0] in STEPS else ""
    options = step_parsers()[name].parse_args(arguments[1:]) if name else parser().parse_args(arguments)
    try:
        import cleanlab  # noqa: F401
        import cleanvision  # noqa: F401
        import imagehash  # noqa: F401
        import matplotlib  # noqa: F401
        import optuna  # noqa: F401
        import sklearn  # noqa: F401
    except ModuleNotFoundError as missing:
        raise HairlineError(
            f"autoclassify needs {missing.name}: pip install 'hairline-matting[autoclassify]'"
        ) from missing
    import torch

    from ..cluster.session import Cluster
    from . import files

    torch.set_num_threads(1)  # heads are small: threads only wait for each other

    output = files.open_folder(options.output)
    runner = {"": _all, **RUNNERS}[name]
    with Cluster.of_environment().session():  # which keeps standard output to itself
        lines = runner(options, output, _teller())
    print("\n".join(lines))
    return 0


def _teller() -> Tell:
    started = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - started:7.1f} s  {line}", file=sys.stderr, flush=True)

    return tell


def _prepare(options: argparse.Namespace, output: Path, tell: Tell) -> Prepared:
    from .examine import STARTS
    from .prepare import prepare

    starts = [start.strip() for start in options.encoders.split(",") if start.strip()]
    for start in starts:
        if start not in STARTS:
            raise HairlineError(f"--encoders: {start} is none of {', '.join(STARTS)}")
    order = [label.strip() for label in options.ordered.split(",") if label.strip()]
    return prepare(options.dataset, output, order, starts or [*STARTS], tell)


def _plan(options: argparse.Namespace) -> Plan:
    from .rounds import Plan
    from .search import Budget
    from .space import Limits

    limits = Limits(options.max_ms, options.max_parameters)
    budget = Budget(options.trials, options.minutes, options.concurrent, options.gpu, limits)
    automatic = not getattr(options, "no_automatic", False)
    return Plan(budget, getattr(options, "rounds", 1), getattr(options, "tuned_trials", 0), automatic)


def _all(options: argparse.Namespace, output: Path, tell: Tell) -> list[str]:
    from .rounds import run_rounds

    prepared = _prepare(options, output, tell)
    row, history = run_rounds(prepared, _plan(options), tell)
    return _finish(prepared, row, history)


def _finish(prepared: Prepared, row: dict[str, Any], history: list[dict[str, Any]]) -> list[str]:
    from .export import MODEL, export
    from .report import write_report

    found = export(prepared, row, history)
    accuracy = f"accuracy on {found['pictures']} test pictures: {found.get('accuracy')}"
    return [accuracy, str(prepared.output / MODEL), str(write_report(prepared))]


def _prepare_step(options: argparse.Namespace, output: Path, tell: Tell) -> list[str]:
    from .prepare import CARD

    _prepare(options, output, tell)
    return [str(output / CARD)]


def _search_step(options: argparse.Namespace, output: Path, tell: Tell) -> list[str]:
    from .clean import FIGURES, round_folder
    from .prepare import open_prepared
    from .rounds import last_round
    from .search import HEADS, TUNED, search

    prepared, budget = open_prepared(output), _plan(options).budget
    number = last_round(prepared) or 1
    if (round_folder(output, number) / FIGURES).is_file():
        number += 1  # what was cleaned is searched with anew
    folder = output / TUNED if options.tuned else round_folder(output, number)
    rows = search(prepared, folder, TUNED if options.tuned else HEADS, budget, tell)
    return [f"{len(rows)} trials; the best one's held-out score: {rows[0]['score']}"]


def _clean_step(options: argparse.Namespace, output: Path, tell: Tell) -> list[str]:
    from . import files
    from .clean import round_folder
    from .prepare import open_prepared
    from .review import PAGE, take_decisions
    from .rounds import clean_round, last_round
    from .search import TRIALS

    prepared = open_prepared(output)
    number = last_round(prepared)
    if not number:
        raise HairlineError(f"output {output}: nothing was searched yet; run hairline autoclassify search first")
    lines = []
    if options.decisions:
        lines.append(f"{take_decisions(prepared, Path(options.decisions))} new decisions")
    best = files.read_json(round_folder(output, number) / TRIALS)[0]
    found = clean_round(prepared, number, best, not options.no_automatic)
    lines.append(f"{found['suspects']} labels suspected, {found['relabelled']} relabelled, {found['dropped']} dropped")
    return [*lines, str(round_folder(output, number) / PAGE)]


def _undo_step(options: argparse.Namespace, output: Path, tell: Tell) -> list[str]:
    from .ledger import BY_TOOL, Ledger

    ledger = Ledger(output)
    ids = list(options.ids)
    if options.round:
        ids += [each.id for each in ledger.all() if each.round == options.round and each.by == BY_TOOL]
    if not ids:
        raise HairlineError("undo: which decisions? Give their ids, or --round N")
    return [f"{ledger.undo(ids)} decisions undone"]


def _export_step(options: argparse.Namespace, output: Path, tell: Tell) -> list[str]:
    from . import files
    from .prepare import open_prepared
    from .rounds import HISTORY, finished_trials

    prepared = open_prepared(output)
    rows = finished_trials(prepared)
    if not rows:
        raise HairlineError(f"output {output}: nothing was searched yet; run hairline autoclassify search first")
    return _finish(prepared, rows[0], files.read_json(output / HISTORY, []))


def _report_step(options: argparse.Namespace, output: Path, tell: Tell) -> list[str]:
    from .prepare import open_prepared
    from .report import write_report

    return [str(write_report(open_prepared(output)))]


RUNNERS: dict[str, Callable[[argparse.Namespace, Path, Tell], list[str]]] = {
    "prepare": _prepare_step,
    "search": _search_step,
    "clean": _clean_step,
    "undo": _undo_step,
    "export": _export_step,
    "report": _report_step,
}
