"""The command line. Imports are light here: what a command needs is loaded when it runs."""

from __future__ import annotations

import argparse
import errno
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from . import __version__
from .evaluation.cli import options as evaluation_options
from .pipeline.names import visible
from .stages.errors import HairlineError

if TYPE_CHECKING:
    from rich.console import Console

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
OWN = ("train", "autoclassify")  # commands that read their own arguments
STATUSES = ("failed", "filtered", "all")


class Parser(argparse.ArgumentParser):
    """Mistakes in one line, and the nearest command for a misspelt one."""

    def error(self, message: str) -> NoReturn:
        wrong = message.partition("invalid choice: '")[2].partition("'")[0]
        if wrong and "command" in message:
            from .configs.documents import did_you_mean

            message = f"unknown command {wrong}{did_you_mean(wrong, [*COMMANDS, *OWN])}"
        raise HairlineError(f"{message}  (see {self.prog} --help)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0, 1 aborted, 2 a mistake in the call, 3 some pictures failed."""
    if arguments is None:
        _speak_utf8()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the terminal cannot show is escaped, whoever prints it
            stream.reconfigure(errors="backslashreplace")
    try:
        given = list(sys.argv[1:] if arguments is None else arguments)
        if given[:1] == ["train"]:  # it reads its own arguments
            from .training.cli import main as train

            return int(train(given[1:]) or 0)
        if given[:1] == ["autoclassify"]:
            from .autoclassify.cli import main as autoclassify

            return autoclassify(given[1:])
        options = parser().parse_args(given)
        return int(COMMANDS[options.command](options))
    except HairlineError as error:
        print(f"hairline: {visible(' '.join(str(error).split()))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("hairline: interrupted", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        if error.filename or error.errno not in FULL:  # what has a name is told of where it is written
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still to be written cannot be either
        print(f"hairline: standard output cannot be written: {error.strerror}", file=sys.stderr)
        return 1


def _speak_utf8() -> None:
    """Starts over in Python's UTF-8 mode where names of files are taken for ASCII or Latin-1, as with LC_ALL=C.

    Names, and text in files, are UTF-8 whatever the terminal shows; that keeps its encoding.
    """
    if sys.getfilesystemencoding().lower() in ("utf-8", "utf8") or sys.flags.utf8_mode:
        return
    told = {"PYTHONUTF8": "1", "PYTHONIOENCODING": f"{sys.stdout.encoding}:backslashreplace"}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **told})


def parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    top = Parser(prog="hairline", description="Cuts the subject out of every picture in a catalog, down to the hair.")
    top.add_argument("--version", action="version", version=f"hairline {__version__}")
    commands = top.add_subparsers(dest="command", metavar="command", required=True, parser_class=Parser)

    demo = commands.add_parser("demo", help="makes a sample catalog and runs it")
    demo.add_argument("folder", nargs="?", default="hairline-demo", help="where to (default: %(default)s)")

    cut = commands.add_parser("cut", help="a few pictures, in this process")
    cut.add_argument("sources", nargs="+", metavar="SOURCE", help="files, folders, globs or URLs; - is standard input")
    cut.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="products go to DIR/<product>/; - is standard output"
    )
    cut.add_argument("--product", action="append", metavar="NAME", help="cutout (default), mask, …; may be repeated")
    _changes(cut)

    for name, text in (("run", "runs a job over a catalog"), ("plan", "what a job would do; starts nothing")):
        command = commands.add_parser(name, help=text)
        command.add_argument("job", metavar="JOB.yaml", help="a job file, or laptop.yaml, gpu-node.yaml, cluster.yaml")
        command.add_argument("--input", metavar="URI", help="instead of the job's input")
        command.add_argument("--output", metavar="URI", help="instead of the job's output")
        command.add_argument(
            "--retry",
            action="append",
            type=_retried,
            metavar="WHAT",
            help="do these again even if nothing changed: failed, filtered, all, or a reason code such as fetch",
        )
        command.add_argument(
            "--from", dest="force", metavar="STAGE", help="do this stage and those after it again for all pictures"
        )
        if name == "run":
            command.add_argument(
                "--allow-failed",
                metavar="N|P%%",
                help="so many failed pictures, or such a share, are no error: exit code 0",
            )
            command.add_argument("--metrics", metavar="HOST:PORT", help="where Prometheus reads the run's metrics")
            command.add_argument(
                "--wait-for-nodes",
                metavar="SECONDS",
                help="in a cluster: so long for nodes that the smallest pools fit on; its autoscaler is asked",
            )
        else:
            command.add_argument(
                "--sample",
                type=_pictures,
                default=0,
                metavar="N",
                help="measures the pools on N pictures of the catalog",
            )
            command.add_argument(
                "--write", default="", metavar="FILE", help="the job file with what the sample proposes"
            )
            command.add_argument("--prices", default="", metavar="FILE", help="price file for the sample's estimate")
            command.add_argument("--json", action="store_true", help="one JSON object instead of tables")
        _changes(command)

    report = commands.add_parser("report", help="writes the HTML report of an output")
    report.add_argument("output", metavar="OUTPUT")
    compare = commands.add_parser("compare", help="two outputs side by side")
    compare.add_argument("first", metavar="OUTPUT_A")
    compare.add_argument("second", metavar="OUTPUT_B")
    compare.add_argument("--to", metavar="FILE", help="default: OUTPUT_B/report/compare.html")

    serve = commands.add_parser("serve", help="the online service and its web page")
    serve.add_argument(
        "service", metavar="SERVICE.yaml", help="a service file, or service-laptop.yaml, service-gpu.yaml"
    )
    serve.add_argument("--host", help="where to listen, instead of the file's host; beyond loopback it takes keys")
    serve.add_argument("--port", type=int, help="instead of the file's port; 0: any free one")
    _changes(serve)

    keys = commands.add_parser("keys", help="API keys of the service")
    keys.add_argument("action", choices=("add", "list", "remove"))
    keys.add_argument("name", nargs="?", help="whose key it is")
    keys.add_argument("--file", default="keys.json", help="where hashes and limits are kept (default: %(default)s)")
    keys.add_argument("--per-minute", type=int, default=600, metavar="N", help="requests a minute (%(default)s)")
    keys.add_argument("--metrics", action="store_true", help="a key for /metrics, and for nothing else")
    keys.add_argument("--concurrent", type=int, default=16, metavar="N", help="requests at once (%(default)s)")

    _cluster_commands(commands)
    commands.add_parser("train", help="makes the models: hairline train --help", add_help=False)
    commands.add_parser(
        "autoclassify", help="a classifier of your own categories: hairline autoclassify --help", add_help=False
    )
    judged = commands.add_parser("evaluate", help="figures of mattes, boxes, categories and defects against the truth")
    evaluation_options(judged)
    return top


def _cluster_commands(commands: Any) -> None:
    cluster = commands.add_parser("cluster", help="manifests of a cluster, and what is wrong in a running one")
    actions = cluster.add_subparsers(dest="action", metavar="action", required=True, parser_class=Parser)
    render = actions.add_parser("render", help="manifests for KubeRay, ray up and Docker from a job or service file")
    render.add_argument("file", metavar="JOB_OR_SERVICE.yaml", help="a job or service file that declares nodes")
    render.add_argument("--output", required=True, metavar="DIR", help="where to; made if it is not there")
    render.add_argument("--input", metavar="URI", help="instead of the job's input")
    render.add_argument("--results", metavar="URI", help="instead of the job's output")
    render.add_argument("--force", action="store_true", help="also over files that were not rendered, or changed since")
    _changes(render)
    check = actions.add_parser("check", help="what is wrong in the running cluster that RAY_ADDRESS names")
    check.add_argument("file", nargs="?", metavar="JOB_OR_SERVICE.yaml", help="whether its pools and storage would do")
    check.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    _changes(check)


def _changes(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set", action="append", default=[], metavar="a.b=c", dest="changes", help="changes one setting of the job"
    )


def _run(options: argparse.Namespace) -> int:
    from .configs.job import load_job
    from .pipeline.run import run_job

    given = {name: getattr(options, name) for name in ("input", "output", "allow_failed", "wait_for_nodes", "metrics")}
    job = load_job(options.job, options.changes, **given)
    return run_job(job, _retry(options), _console(), options.force)


def _plan(options: argparse.Namespace) -> int:
    from .configs.job import check, read_job
    from .pipeline.plan import PlanOptions, show_plan

    document = read_job(options.job, options.changes, input=options.input, output=options.output)
    asked = PlanOptions(options.sample, options.write, options.prices, options.json, options.force)
    show_plan(check(document), document, _retry(options), _console(), asked)
    return 0


def _cut(options: argparse.Namespace) -> int:
    from .pipeline.pipe import cut_piped

    return cut_piped(options.sources, options.output, options.product or ["cutout"], options.changes, _console())


def _demo(options: argparse.Namespace) -> int:
    from .pipeline.demo import run_demo

    return run_demo(options.folder, _console())


def _report(options: argparse.Namespace) -> int:
    from .pipeline.report import write_report

    print(write_report(options.output))
    return 0


def _compare(options: argparse.Namespace) -> int:
    from .pipeline.compare import write_comparison

    print(write_comparison(options.first, options.second, options.to))
    return 0


def _serve(options: argparse.Namespace) -> int:
    from .serve.server import serve

    flags = {"host": options.host, "port": options.port}
    changes = [f"{name}={json.dumps(value)}" for name, value in flags.items() if value is not None]
    return serve(options.service, [*options.changes, *changes], _console())


def _keys(options: argparse.Namespace) -> int:
    from typing import Literal

    from .serve import keys

    path = Path(options.file)
    if options.action == "list":
        for key in keys.read_keys(path):
            only = "  /metrics alone" if key.opens == "metrics" else ""
            print(f"{key.name}  {key.per_minute} a minute, {key.concurrent} at once  {key.created}{only}")
    elif not options.name:
        raise HairlineError(f"keys {options.action}: whose? Give a name: hairline keys {options.action} NAME")
    elif options.action == "remove":
        keys.remove_key(path, options.name)
    else:
        opens: Literal["pictures", "metrics"] = "metrics" if options.metrics else "pictures"
        print(keys.add_key(path, options.name, options.per_minute, options.concurrent, opens))
        print(f"hairline: this key is not shown again; {path} holds its hash", file=sys.stderr)
    return 0


def _cluster(options: argparse.Namespace) -> int:
    if options.action == "check":
        from .pipeline.check import check_cluster

        return check_cluster(options.file, options.changes, options.json, _console())
    from .cluster.render import render_into

    given = {"input": options.input, "output": options.results}
    changes = [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    names, notes = render_into(options.file, [*options.changes, *changes], options.output, options.force)
    for name in names:
        print(Path(options.output, name))
    for note in notes:
        print(f"hairline: {note}", file=sys.stderr)
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from .evaluation.cli import evaluate

    def rows(output: Path) -> list[dict[str, Any]]:
        from .pipeline.outcome import rows_of_run  # takes seconds, and most evaluations read no run

        return rows_of_run(output)

    return evaluate(options, rows)


def _retried(word: str) -> str:
    from .configs.documents import did_you_mean
    from .stages.reasons import MEANINGS

    if word not in STATUSES and word not in MEANINGS:
        raise argparse.ArgumentTypeError(
            f"{word} is neither a status nor a reason{did_you_mean(word, [*STATUSES, *MEANINGS])}"
        )
    return word


def _pictures(word: str) -> int:
    if not word.isdigit() or not int(word):
        raise argparse.ArgumentTypeError(f"{word} is no number of pictures; give one from 1 on, such as 50")
    return int(word)


def _retry(options: argparse.Namespace) -> list[str]:
    chosen = options.retry or []
    return ["ok", "filtered", "failed"] if "all" in chosen else chosen


def _console() -> Console:
    from rich.console import Console

    return Console(file=sys.stdout)  # as it is now: Ray's chatter goes elsewhere later


COMMANDS = {
    "demo": _demo,
    "cut": _cut,
    "run": _run,
    "plan": _plan,
    "report": _report,
    "compare": _compare,
    "serve": _serve,
    "keys": _keys,
    "cluster": _cluster,
    "evaluate": _evaluate,
}
