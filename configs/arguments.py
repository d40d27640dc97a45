"""Numbers on a command line: what argparse calls for a word, and what it says of one that is none."""

from __future__ import annotations

import argparse

LARGEST = 1e6  # of a number of minutes; more is a slip


def count(word: str) -> int:
    """A whole number from 1 on."""
    if not word.isdecimal() or not int(word):
        raise argparse.ArgumentTypeError(f"{word} is no number from 1 on")
    return int(word)


def whole(word: str) -> int:
    """A whole number from 0 on."""
    return 0 if word == "0" else count(word)


def positive(word: str) -> float:
    """A number above 0."""
    try:
        value = float(word)
    except ValueError:
        value = 0.0
    if not 0 < value < LARGEST:
        raise argparse.ArgumentTypeError(f"{word} is no number above 0")
    return value
