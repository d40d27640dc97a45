"""Numbers on a command line."""

import argparse
from collections.abc import Callable

import pytest

from hairline.configs.arguments import count, positive, whole


@pytest.mark.parametrize(
    ("read", "word", "value"), [(count, "7", 7), (whole, "0", 0), (whole, "12", 12), (positive, "0.5", 0.5)]
)
def test_a_number(read: Callable[[str], float], word: str, value: float) -> None:
    assert read(word) == value


@pytest.mark.parametrize("word", ["-1", "x", "", "1.5", "²", "1e3"])
def test_no_count(word: str) -> None:
    for read in (count, whole):
        with pytest.raises(argparse.ArgumentTypeError, match="is no number from 1 on"):
            read(word)
    with pytest.raises(argparse.ArgumentTypeError):
        count("0")


@pytest.mark.parametrize("word", ["0", "-3", "nan", "inf", "1e6", "x"])
def test_nothing_positive(word: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no number above 0"):
        positive(word)
