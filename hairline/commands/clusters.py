"""cluster: manifests, and what is wrong in a running one."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .base import Commands, Parser, add_changes, console


def add(commands: Commands) -> None:
    cluster = commands.add_parser("cluster", help="manifests of a cluster, and what is wrong in a running one")
    actions = cluster.add_subparsers(dest="action", metavar="action", required=True, parser_class=Parser)
    render = actions.add_parser("render", help="manifests for KubeRay, ray up and Docker from a job or service file")
    render.add_argument("file", metavar="JOB_OR_SERVICE.yaml", help="a job or service file that declares nodes")
    render.add_argument("--output", required=True, metavar="DIR", help="where to; made if it is not there")
    render.add_argument("--input", metavar="URI", help="instead of the job's input")
    render.add_argument("--results", metavar="URI", help="instead of the job's output")
    render.add_argument("--force", action="store_true", help="also over files that were not rendered, or changed since")
    add_changes(render)
    check = actions.add_parser("check", help="what is wrong in the running cluster that RAY_ADDRESS names")
    check.add_argument("file", nargs="?", metavar="JOB_OR_SERVICE.yaml", help="whether its pools and storage would do")
    check.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    add_changes(check)
    cluster.set_defaults(work=_cluster)


def _cluster(options: argparse.Namespace) -> int:
    if options.action == "check":
        from ..pipeline.check import check_cluster

        return check_cluster(options.file, options.changes, options.json, console())
    from ..cluster.render import render_into

    given = {"input": options.input, "output": options.results}
    changes = [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    names, notes = render_into(options.file, [*options.changes, *changes], options.output, options.force)
    for name in names:
        print(Path(options.output, name))
    for note in notes:
        print(f"hairline: {note}", file=sys.stderr)
    return 0
