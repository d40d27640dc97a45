"""What the commands share. Imports are light here."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from ..stages.errors import HairlineError

if TYPE_CHECKING:
    from rich.console import Console

Commands = Any  # what argparse's add_subparsers returns has no public name


class Parser(argparse.ArgumentParser):
    """Mistakes in one line, and the nearest command for a misspelt one."""

    def error(self, message: str) -> NoReturn:
        wrong = re.search(r"argument command: invalid choice: '(.*)' \(choose from (.*)\)", message)
        if wrong:
            from ..stages.documents import did_you_mean

            known = [each.strip("'") for each in wrong[2].split(", ")]
            message = f"unknown command {wrong[1]}{did_you_mean(wrong[1], known)}"
        raise HairlineError(f"{message}  (see {self.prog} --help)")


def add_changes(command: argparse.ArgumentParser) -> None:
    """The option --set, read as `changes`."""
    command.add_argument(
        "--set", action="append", default=[], metavar="a.b=c", dest="changes", help="changes one setting of the job"
    )


def console() -> Console:
    """Where the command prints."""
    from rich.console import Console

    return Console(file=sys.stdout)  # as it is now: Ray's chatter goes elsewhere later


def add_download(command: argparse.ArgumentParser) -> None:
    """The option --download, which holds for all processes that the command starts."""

    class Allow(argparse.Action):
        def __call__(self, *_: Any) -> None:
            from ..stages.models import DOWNLOAD

            os.environ[DOWNLOAD] = "1"

    command.add_argument(
        "--download", action=Allow, nargs=0, help="fetch the public model that is named, where it is not here"
    )
