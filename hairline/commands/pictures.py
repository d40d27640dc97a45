"""demo and cut: pictures in this process."""

from __future__ import annotations

import argparse

from .base import Commands, add_changes, add_download, console


def add(commands: Commands) -> None:
    demo = commands.add_parser("demo", help="makes a sample catalog and runs it")
    demo.add_argument("folder", nargs="?", default="hairline-demo", help="where to (default: %(default)s)")
    demo.set_defaults(work=_demo)

    cut = commands.add_parser("cut", help="a few pictures, in this process")
    cut.add_argument("sources", nargs="+", metavar="SOURCE", help="files, folders, globs or URLs; - is standard input")
    cut.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="products go to DIR/<product>/; - is standard output"
    )
    cut.add_argument("--product", action="append", metavar="NAME", help="cutout (default), mask, …; may be repeated")
    add_changes(cut)
    add_download(cut)
    cut.set_defaults(work=_cut)


def _demo(options: argparse.Namespace) -> int:
    from ..pipeline.demo import run_demo

    return run_demo(options.folder, console())


def _cut(options: argparse.Namespace) -> int:
    from ..pipeline.pipe import cut_piped

    return cut_piped(options.sources, options.output, options.product or ["cutout"], options.changes, console())
