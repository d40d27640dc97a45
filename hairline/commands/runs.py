"""run, plan, report and compare: catalogs."""

from __future__ import annotations

import argparse

from .base import Commands, add_changes, add_download, console

STATUSES = ("failed", "filtered", "all")


def add(commands: Commands) -> None:
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
        add_changes(command)
        add_download(command)
        command.set_defaults(work=_run if name == "run" else _plan)

    report = commands.add_parser("report", help="writes the HTML report of an output")
    report.add_argument("output", metavar="OUTPUT")
    report.set_defaults(work=_report)
    compare = commands.add_parser("compare", help="two outputs side by side")
    compare.add_argument("first", metavar="OUTPUT_A")
    compare.add_argument("second", metavar="OUTPUT_B")
    compare.add_argument("--to", metavar="FILE", help="default: OUTPUT_B/report/compare.html")
    compare.set_defaults(work=_compare)


def _run(options: argparse.Namespace) -> int:
    from ..configs.job import load_job
    from ..pipeline.run import run_job

    given = {name: getattr(options, name) for name in ("input", "output", "allow_failed", "wait_for_nodes", "metrics")}
    job = load_job(options.job, options.changes, **given)
    return run_job(job, _retry(options), console(), options.force)


def _plan(options: argparse.Namespace) -> int:
    from ..configs.job import check, read_job
    from ..pipeline.plan import PlanOptions, show_plan

    document = read_job(options.job, options.changes, input=options.input, output=options.output)
    asked = PlanOptions(options.sample, options.write, options.prices, options.json, options.force)
    show_plan(check(document), document, _retry(options), console(), asked)
    return 0


def _report(options: argparse.Namespace) -> int:
    from ..pipeline.report import write_report

    print(write_report(options.output))
    return 0


def _compare(options: argparse.Namespace) -> int:
    from ..pipeline.compare import write_comparison

    print(write_comparison(options.first, options.second, options.to))
    return 0


def _retried(word: str) -> str:
    from ..stages.documents import did_you_mean
    from ..stages.reasons import MEANINGS

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
