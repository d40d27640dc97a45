"""demo and cut: pictures in this process."""

from __future__ import annotations

import argparse

from ..stages.errors import HairlineError
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
    for name, form, told in (
        ("box", "x0,y0,x1,y1", "the subject is in here, and nothing of it elsewhere"),
        ("keep", "x,y", "a place that belongs to the subject, with what is like it around"),
        ("drop", "x,y", "a place that does not"),
    ):
        told += "; pixels of the upright picture; may be repeated"
        cut.add_argument(f"--{name}", action="append", default=[], metavar=form, help=told)
    cut.add_argument("--matte", metavar="PNG", help="the matte so far, or the cut-out: only what is touched changes")
    cut.add_argument("--strokes", metavar="PNG", help="painted on nothing: white is kept, black is dropped")
    told = "what is like a stroke and lies beside it is meant, too; else exactly what is painted"
    cut.add_argument("--follow", action=argparse.BooleanOptionalAction, default=True, help=told)
    add_changes(cut)
    add_download(cut)
    cut.set_defaults(work=_cut)


def _demo(options: argparse.Namespace) -> int:
    from ..pipeline.demo import run_demo

    return run_demo(options.folder, console())


def _cut(options: argparse.Namespace) -> int:
    from ..pipeline.fetch import fetch_named
    from ..pipeline.pipe import cut_piped
    from ..stages.correction import Correction, read_boxes, read_places

    try:
        marks = (
            read_boxes(options.box, "--box"),
            read_places(options.keep, "--keep"),
            read_places(options.drop, "--drop"),
        )
    except ValueError as error:
        raise HairlineError(str(error)) from error
    strokes = fetch_named("--strokes", options.strokes) if options.strokes else b""
    matte = fetch_named("--matte", options.matte) if options.matte else b""
    correction = Correction(*marks, strokes, options.follow, matte) if any(marks) or strokes or matte else None
    products = options.product or ["cutout"]
    return cut_piped(options.sources, options.output, products, options.changes, console(), correction)
