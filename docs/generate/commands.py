"""The command line, from its own parsers."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from .markdown import code, fence, page, prose, table
from .subjects import autoclassify, autoclassify_steps, command_line, labelling, training

DEFAULT = re.compile(r" \((default: )?%\(default\)s\)")
CODES = (
    ("0", "done; of a run: every picture is `ok` or `filtered`"),
    ("1", "aborted, also where the disk fills on the way; the same command again goes on"),
    ("2", "the call, a file or a path is wrong, or the machine does not fit; one line says what to do"),
    (
        "3",
        "a run, a demo or a cut finished, and some pictures failed; their rows say why. Of `verify`: a file fails. "
        "Of `adapt`: no weights are better",
    ),
)


def page_parts() -> Iterator[str]:
    """A section for each command."""
    own = {"train": training(), "autoclassify": autoclassify()}  # they read their own arguments
    for name, parser, about in _inner(command_line()):
        actions = list(_inner(parser)) if name not in own else []
        for _, action, what in actions:
            yield from _command(action, what)
        if not actions:
            yield from _command(own.get(name, parser), about)
        if name == "train":
            yield from _command(labelling(), "")
        if name == "autoclassify":
            for step in autoclassify_steps().values():
                yield from _command(step, "")


def _inner(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """The commands of a parser, or the actions of a command: name, parser, what it is for."""
    for group in parser._actions:
        if isinstance(group, argparse._SubParsersAction):
            about = {choice.dest: choice.help or "" for choice in group._choices_actions}
            yield from ((name, inner, about[name]) for name, inner in group.choices.items())


def page_of_commands() -> str:
    return page(
        "# Command line",
        "`hairline COMMAND --help` shows the same. `python -m hairline` is the same command.",
        *page_parts(),
        "## Exit codes",
        table(("code", "meaning"), CODES),
        "A mistake in the call is one line on standard error that begins with `hairline:`, and never a traceback.",
    )


def _command(parser: argparse.ArgumentParser, about: str) -> Iterator[str]:
    yield f"## {parser.prog}"
    yield prose(parser.description or f"{about[:1].upper()}{about[1:]}.")
    yield fence(_usage(parser), "text")
    rows = []
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        rows.append((_names(action, parser), _default(action), prose(_help(action, parser))))
    yield table(("argument", "default", "meaning"), rows)


def _usage(parser: argparse.ArgumentParser) -> str:
    formatter = argparse.HelpFormatter(parser.prog, width=80)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups, prefix="")
    return formatter.format_help()


def _names(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    value = parser._get_formatter()._format_args(action, _metavar(action)) if action.nargs != 0 else ""
    if not action.option_strings:
        return code(value)
    return ", ".join(code(f"{option} {value}".strip()) for option in action.option_strings)


def _metavar(action: argparse.Action) -> str:
    if action.choices and action.metavar is None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper() if action.option_strings else action.dest


def _default(action: argparse.Action) -> str:
    if action.required or (not action.option_strings and action.nargs not in ("?", "*")):
        return "needed"
    if action.default in (None, "", [], argparse.SUPPRESS) or isinstance(action.default, bool):
        return ""
    return code(action.default)


def _help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    told = DEFAULT.sub("", action.help or "")  # it has a column of its own
    text = told % {**vars(action), "prog": parser.prog}
    if isinstance(action, argparse._AppendAction) and "repeated" not in text:
        text += "; may be repeated"
    return text
