"""presets and verify: what shops and authorities ask for, and whether files keep it."""

from __future__ import annotations

import argparse

from .base import Commands, console


def add(commands: Commands) -> None:
    presets = commands.add_parser("presets", help="what shops and authorities ask for, with sources")
    presets.add_argument("presets", nargs="*", metavar="PRESET", help="tells all of these: names, or YAML files")
    presets.add_argument("--json", action="store_true", help="one JSON list instead of a table")
    presets.set_defaults(work=_presets)
    verify = commands.add_parser("verify", help="whether finished files keep the rules of a preset")
    verify.add_argument("files", nargs="+", metavar="FILE", help="paths or URLs of pictures")
    verify.add_argument("--preset", required=True, metavar="NAME", help="one that `hairline presets` lists, or a file")
    verify.add_argument("--json", action="store_true", help="a line of JSON for each file")
    verify.set_defaults(work=_verify)


def _presets(options: argparse.Namespace) -> int:
    from ..pipeline.presets import show_presets

    return show_presets(options.presets, options.json, console())


def _verify(options: argparse.Namespace) -> int:
    from ..pipeline.presets import verify_files

    return verify_files(options.files, options.preset, options.json)
