"""How the commands of training end; imports none of the recipes, which need more than a command may."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

from ..stages.errors import HairlineError


def run(main: Callable[[list[str]], int]) -> NoReturn:
    """Ends the process with what `main` returns for the words typed, or in one line about a user's mistake."""
    try:
        sys.exit(main(sys.argv[1:]))
    except HairlineError as error:
        sys.exit(f"hairline: {error}")
