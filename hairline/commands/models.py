"""models: public segmentation models by name."""

from __future__ import annotations

import argparse
import json

from .base import Commands, Parser, console


def add(commands: Commands) -> None:
    models = commands.add_parser("models", help="public segmentation models by name")
    actions = models.add_subparsers(dest="action", metavar="action", required=True, parser_class=Parser)
    shown = actions.add_parser("list", help="what there is, under which licences, and what is on this machine")
    shown.add_argument("--json", action="store_true", help="a JSON object for each, one a line")
    pull = actions.add_parser("pull", help="fetches a model's file and checks it")
    pull.add_argument("name", metavar="NAME")
    pull.add_argument("--accept-license", action="store_true", help="where the licence forbids commercial use")
    path = actions.add_parser("path", help="where a model's file lies on this machine")
    path.add_argument("name", metavar="NAME")
    models.set_defaults(work=_models)


def _models(options: argparse.Namespace) -> int:
    from ..stages import models

    if options.action == "path":
        print(models.find(options.name))
    elif options.action == "pull":
        models.check_licence(options.name, options.accept_license, "say so with --accept-license")
        print(_pulled(options.name))
    elif options.json:
        for name, model in models.catalogue().items():
            path = models.here(name)
            facts = {"name": name, **model.model_dump(), "path": str(path) if path else None}
            print(json.dumps(facts, ensure_ascii=False))
    else:
        _table()
    return 0


def _pulled(name: str) -> str:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    from ..stages import models

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=None)
        return str(models.pull(name, lambda done, total: progress.update(task, completed=done, total=total or None)))


def _table() -> None:
    from rich.table import Table

    from ..stages import models

    table = Table(box=None, header_style="bold")
    for head in ("name", "for", "MB", "licence", "commercial use", "here"):
        table.add_column(head, justify="right" if head == "MB" else "left", no_wrap=head == "name")
    for name, model in models.catalogue().items():
        use = "allowed" if model.commercial else "forbidden"
        found = "yes" if models.here(name) else ""
        table.add_row(name, model.task, f"{model.megabytes:g}", model.weights, use, found)
    console().print(table)
