"""review: people look at a run's mattes."""

from __future__ import annotations

import argparse

from ..configs.arguments import count
from .base import Commands, console


def add(commands: Commands) -> None:
    command = commands.add_parser(
        "review", help="a local page on which people accept, reject and correct a run's mattes"
    )
    command.add_argument("output", metavar="OUTPUT", help="the output folder or URL of a run")
    command.add_argument(
        "--sample", type=count, default=0, metavar="N", help="a random sample; gives the share of good mattes"
    )
    command.add_argument("--reason", default="", help="pictures that ended for this reason; left out: those cut out")
    command.add_argument("--route", help="of one route alone")
    command.add_argument("--category", help="of one category alone")
    command.add_argument(
        "--as", default="", dest="reviewer", metavar="NAME", help="who decides (default: who you are here)"
    )
    command.add_argument(
        "--host", default="127.0.0.1", help="where to listen (%(default)s); beyond loopback it takes keys"
    )
    command.add_argument("--port", type=int, default=8099, help="0: any free one (%(default)s)")
    command.add_argument(
        "--keys", default="", metavar="FILE", help="who may come in, as `hairline keys add NAME` writes it"
    )
    command.add_argument("--summary", action="store_true", help="only print what has been decided so far")
    command.add_argument("--json", action="store_true", help="the summary as a JSON object")
    command.set_defaults(work=_review)


def _review(options: argparse.Namespace) -> int:
    from ..review.index import Filter
    from ..review.server import Asked, review, summary

    asked = Asked(
        options.output,
        options.host,
        options.port,
        options.keys,
        options.reviewer,
        options.sample,
        Filter(options.reason, options.route, options.category),
    )
    if options.summary or options.json:
        return summary(asked, options.json, console())
    return review(asked, console())
