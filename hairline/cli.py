"""The command line. Imports are light here: what a command needs is loaded when it runs."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__
from .commands import adapt, clusters, figures, models, pictures, products, reviews, runs, service
from .commands.base import Parser
from .pipeline.names import visible
from .stages.errors import HairlineError

# of commands, in the order of the help
GROUPS = (pictures, runs, reviews, products, service, clusters, models, adapt, figures)
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0, 1 aborted, 2 a mistake in the call, 3 some pictures failed."""
    if arguments is None:
        _speak_utf8()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the terminal cannot show is escaped, whoever prints it
            stream.reconfigure(errors="backslashreplace")
    try:
        given = list(sys.argv[1:] if arguments is None else arguments)
        if given[:1] == ["train"]:  # it reads its own arguments
            from .training.cli import main as train

            return int(train(given[1:], _corrections) or 0)
        if given[:1] == ["autoclassify"]:
            from .autoclassify.cli import main as autoclassify

            return autoclassify(given[1:])
        options = parser().parse_args(given)
        return int(options.work(options))
    except HairlineError as error:
        print(f"hairline: {visible(' '.join(str(error).split()))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("hairline: interrupted", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        if error.filename or error.errno not in FULL:  # what has a name is told of where it is written
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still to be written cannot be either
        print(f"hairline: standard output cannot be written: {error.strerror}", file=sys.stderr)
        return 1


def _corrections(output: str, folder: Path) -> None:
    from .review.corrections import collect

    collect(output, folder)


def _speak_utf8() -> None:
    """Starts over in Python's UTF-8 mode where names of files are taken for ASCII or Latin-1, as with LC_ALL=C.

    Names, and text in files, are UTF-8 whatever the terminal shows; that keeps its encoding.
    """
    if sys.getfilesystemencoding().lower() in ("utf-8", "utf8") or sys.flags.utf8_mode:
        return
    told = {"PYTHONUTF8": "1", "PYTHONIOENCODING": f"{sys.stdout.encoding}:backslashreplace"}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **told})


def parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    top = Parser(prog="hairline", description="Cuts the subject out of every picture in a catalog, down to the hair.")
    top.add_argument("--version", action="version", version=f"hairline {__version__}")
    commands = top.add_subparsers(dest="command", metavar="command", required=True, parser_class=Parser)
    for group in GROUPS:
        group.add(commands)
    return top
