"""Tables as text, CSV and JSON lines, row by row: what is wrong with one row leaves the others as they are."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator, Sequence
from typing import Any

from ..stages.errors import HairlineError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
CsvRow = tuple[int, list[str], str]  # line at which it begins, fields, what is wrong with it
JsonRow = tuple[int, dict[str, Any], str]  # line, values by column, what is wrong with it


def csv_rows(table: str, path: str, known: Sequence[str]) -> tuple[list[str], Iterator[CsvRow]]:
    """CSV as spreadsheets save it: UTF-8 with or without a mark in front, or UTF-16 with one. Blank lines do not count.

    Args:
        table: how messages call it, such as `manifest m.csv`.
        known: columns that the head should name; they tell which sign parts the fields.

    Returns:
        The head, and the rows below it.

    Raises:
        HairlineError: it is no text, or its quotes are wrong; the rows raise it too.
    """
    with open(path, "rb") as file:
        marked = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    encoding = "utf-16" if marked else "utf-8-sig"
    try:
        with open(path, encoding=encoding, newline="") as text:
            head = text.readline()
    except UnicodeDecodeError as error:
        raise _undecodable(table, path) from error
    heads = [next(csv.reader([head], delimiter=sign, skipinitialspace=True), []) for sign in DELIMITERS]
    found = zip(DELIMITERS, heads, strict=True)
    sign, names = max(found, key=lambda pair: (len(set(known) & set(pair[1])), len(pair[1])))

    def rows() -> Iterator[CsvRow]:
        begun = 2  # the head is line 1
        with open(path, encoding=encoding, newline="") as text:
            text.readline()
            reader = csv.reader(text, delimiter=sign, skipinitialspace=True, strict=True)
            try:
                for fields in reader:
                    number, begun = begun, reader.line_num + 2
                    if any(fields):
                        wrong = "" if len(fields) == len(names) else _miscounted(len(fields), len(names), sign)
                        yield number, fields, wrong
            except csv.Error as error:
                raise HairlineError(f"{table}, row {begun}: cannot be read: {error}; look at its quotes") from error
            except UnicodeDecodeError as error:
                raise _undecodable(table, path) from error

    return names, rows()


def json_rows(table: str, path: str) -> Iterator[JsonRow]:
    """One JSON object a line. Raises HairlineError: it is no text."""
    try:
        with open(path, encoding="utf-8-sig") as text:
            for number, line in enumerate(text, 1):
                if not line.strip():
                    continue
                try:
                    found = json.loads(line)
                    yield (number, found, "") if isinstance(found, dict) else (number, {}, "it is no object")
                except json.JSONDecodeError as error:
                    yield number, {}, f"is no JSON: {error.msg} at column {error.colno}"
    except UnicodeDecodeError as error:
        raise _undecodable(table, path) from error


def as_text(value: Any, name: str, number: bool = False) -> str:
    """A value of JSON as CSV would have it. Raises ValueError: it is none.

    Args:
        number: a fraction will do, as in prices.
    """
    if value is None:
        return ""
    if isinstance(value, bool | list | dict) or (isinstance(value, float) and not number):
        raise ValueError(f"the {name} is no text")
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the {name} is no valid text") from None
    return text


def _miscounted(has: int, should: int, sign: str) -> str:
    hint = f"; what holds a {DELIMITERS[sign]} goes in double quotes" if has > should else ""
    return f"it has {has} field{'s' * (has != 1)}, and the head {should}{hint}"


def _undecodable(table: str, path: str) -> HairlineError:
    """Names the first line that is no UTF-8."""
    return HairlineError(f"{table}: cannot be read: line {_first_undecodable(path)} is no UTF-8; save it as UTF-8")


def _first_undecodable(path: str) -> int:
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1
