"""Presets on the command line: which there are, what they ask for, and whether files keep it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from ..stages.errors import HairlineError, PictureError
from ..stages.item import Output
from ..stages.limits import Limits
from ..stages.products.poster_template import is_template, read_template
from ..stages.products.preset_files import BUILTIN, Preset, read_preset
from ..stages.products.registry import PRODUCTS
from ..stages.products.verify.poster import check_poster
from ..stages.verdicts import Verdict, judged
from .fetch import fetch
from .names import visible

MARKS = {"pass": "ok  ", "fail": "FAIL", "unknown": "?   "}


def show_presets(names: Sequence[str], as_json: bool, console: Console) -> int:
    """Lists all presets, or tells all of some: names, or files of one's own, which are checked so.

    Raises:
        HairlineError: there is none of that name, or a file has a mistake.
    """
    presets = [preset_named(name) for name in names or BUILTIN]
    if as_json:
        print(json.dumps([preset.as_data() for preset in presets], ensure_ascii=False, indent=1))
    elif names:
        for preset in presets:
            _tell(preset.as_data(), console)
    else:
        for preset in presets:
            _list(preset.as_data(), console)
    return 0


def verify_files(files: Sequence[str], name: str, as_json: bool, limits: Limits | None = None) -> int:
    """Judges files by the rules of a preset or a poster template; a line of JSON or a few of text for each.

    Args:
        name: of one of Hairline's own, or a path. Of a poster the file alone is judged: what stands on it is a row's.

    Returns:
        0, or 3 if one fails.

    Raises:
        HairlineError: there is no such preset, or a file is not there.
    """
    judge = _judge_of(name)
    failed = False
    for file in files:
        try:
            data, _ = fetch(file, limits or Limits())
        except PictureError as error:
            if error.reason != "too_many_bytes":
                raise HairlineError(f"{file}: cannot be read: {error.detail or error.reason}") from error
            data = b""
        verdict = judge(Output(data, file.rpartition("/")[2].rpartition(".")[2]))
        failed |= verdict.verdict == "fail"
        _print(file, verdict, as_json)
    return 3 if failed else 0


def _judge_of(name: str) -> Callable[[Output], Verdict]:
    if is_template(name):
        canvas = read_template(name).data.canvas
        return lambda made: judged("poster", name, check_poster(made.data, made.ext, canvas))
    kind = preset_named(name).product
    product = PRODUCTS[kind](PRODUCTS[kind].Settings.model_validate({"preset": name}))

    def judge(made: Output) -> Verdict:
        verdict = product.verify(made, kind)
        assert verdict is not None, "whatever has presets is judged"
        return verdict

    return judge


def preset_named(name: str) -> Preset:
    """A preset by its name or path. Raises HairlineError: there is none, or something in it is wrong."""
    try:
        return read_preset(name)
    except ValueError as error:
        raise HairlineError(str(error)) from error


def _print(file: str, verdict: Verdict, as_json: bool) -> None:
    checks = [asdict(check) for check in verdict.checks]
    if as_json:
        found = {"file": file, "preset": verdict.preset, "verdict": verdict.verdict, "checks": checks}
        print(json.dumps(found, ensure_ascii=False))
        return
    print(f"{visible(file)}: {verdict.verdict}")
    for check in verdict.checks:
        value = f"{check.value:g}" if isinstance(check.value, float) else check.value or "not measured"
        print(f"  {MARKS[check.verdict]} {check.name}: {value} ({check.bound})")


def _list(preset: dict[str, Any], console: Console) -> None:
    """A preset in two lines."""
    rules = list(preset["rules"].values())
    theirs = [rule for rule in rules if not rule["own"]]
    verified = sum(rule["status"] == "verified" for rule in theirs)
    sources = "; ".join(dict.fromkeys(rule["source"] for rule in theirs))
    own = f"{len(rules) - len(theirs)} of Hairline's own"
    counts = f"{verified} of {len(theirs)} rules verified, {own}" if theirs else own
    head = f"{preset['name']}  {preset['title']}  ({preset['product']})"
    for line in (head, f"    {counts}; read {max(rule['date'] for rule in rules)}{': ' if sources else ''}{sources}"):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _tell(preset: dict[str, Any], console: Console) -> None:
    console.print(f"[bold]{preset['name']}[/bold]  {preset['title']}  ({preset['product']})", highlight=False)
    if preset["note"]:
        console.print(f"  {preset['note']}", highlight=False, markup=False)
    console.print(f"  made with {json.dumps(preset['make'])}", highlight=False, markup=False)
    told = ("source", "url", "date", "status", "note", "own")
    for name, rule in preset["rules"].items():
        bounds = "  ".join(f"{key} {value}" for key, value in rule.items() if key not in told)
        line = f"  {name}: {bounds}  ({rule['status']}, {rule['date']}: {rule['source']}) {rule['note']}"
        console.print(line.rstrip(), highlight=False, markup=False, soft_wrap=True)
