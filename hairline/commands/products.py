"""presets, verify and poster: what shops and authorities ask for, whether files keep it; a poster for each row."""

from __future__ import annotations

import argparse

from .base import Commands, add_changes, add_download, console


def add(commands: Commands) -> None:
    presets = commands.add_parser("presets", help="what shops and authorities ask for, with sources")
    presets.add_argument("presets", nargs="*", metavar="PRESET", help="tells all of these: names, or YAML files")
    presets.add_argument("--json", action="store_true", help="one JSON list instead of a table")
    presets.add_argument("--sheet", metavar="FILE", help="writes a picture instead: those of --of through the presets")
    presets.add_argument("--of", action="append", default=[], metavar="PICTURE", help="for --sheet; may be repeated")
    presets.set_defaults(work=_presets)
    verify = commands.add_parser("verify", help="whether finished files keep the rules of a preset")
    verify.add_argument("files", nargs="+", metavar="FILE", help="paths or URLs of pictures")
    verify.add_argument(
        "--preset",
        required=True,
        metavar="NAME",
        help="one that `hairline presets` lists, a poster template, or a file",
    )
    verify.add_argument("--json", action="store_true", help="a line of JSON for each file")
    verify.set_defaults(work=_verify)
    poster = commands.add_parser("poster", help="a poster for each row of a table, in this process")
    poster.add_argument("template", metavar="TEMPLATE", help="a YAML file, or the name of one of Hairline's own")
    poster.add_argument("--rows", required=True, metavar="ROWS", help=".csv or .jsonl: pictures, and texts by column")
    poster.add_argument("-o", "--output", required=True, metavar="DIR", help="posters go to DIR/<template>/<id>")
    poster.add_argument("--format", choices=("png", "jpeg", "webp"), default="png", help="of the files")
    poster.add_argument("--json", action="store_true", help="a line of JSON for each row")
    add_changes(poster)
    add_download(poster)
    poster.set_defaults(work=_poster)


def _presets(options: argparse.Namespace) -> int:
    if options.sheet:
        from ..pipeline.preset_sheet import write_sheet

        return write_sheet(options.of, options.presets, options.sheet, console())
    from ..pipeline.presets import show_presets

    return show_presets(options.presets, options.json, console())


def _verify(options: argparse.Namespace) -> int:
    from ..pipeline.presets import verify_files

    return verify_files(options.files, options.preset, options.json)


def _poster(options: argparse.Namespace) -> int:
    from ..pipeline.posters import make_posters

    return make_posters(
        options.template, options.rows, options.output, options.format, options.changes, console(), options.json
    )
