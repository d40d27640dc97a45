"""A YAML file as plain data together with the location of every key, and `--set` changes to it.

Locations let a mistake that is only found later (an unknown key, a wrong value) be told with its line.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from ..stages.errors import HairlineError

Key = tuple[str | int, ...]  # the way from the top of the file: ("pools", 0, "batch")


class Document:
    """Plain data with locations.

    Attributes:
        data: the file's mapping, changes applied.
        locations: key -> where it stands, such as `job.yaml:12` or `--set pools.0.batch=8`.
    """

    def __init__(self, name: str, text: str) -> None:
        """Raises HairlineError: the text is no YAML, no mapping, or a key stands in it twice."""
        self.name = name
        self.locations: dict[Key, str] = {(): name}
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            self._note(node, ())
            self.data: dict[str, Any] = yaml.safe_load(text)
        except yaml.MarkedYAMLError as error:
            line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
            raise HairlineError(f"{name}{line}: not valid YAML: {error.problem or error.context}") from error
        except yaml.YAMLError as error:
            raise HairlineError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from error
        if not isinstance(self.data, dict):
            raise HairlineError(
                f"{name}: this is no mapping of keys (pools, stages, limits, …), as a job or service file is"
            )

    def location(self, key: Iterable[str | int]) -> str:
        """Where a key stands, or the nearest key above it."""
        way = tuple(key)
        while way not in self.locations:
            way = way[:-1]
        return self.locations[way]

    def set(self, change: str) -> None:
        """Applies one `a.b=c`: numbers in the way count from 0 in a list, c is read as YAML.

        Raises:
            HairlineError: the change has another form, or its way leads nowhere.
        """
        label = f"--set {change}"
        way, equals, text = change.partition("=")
        if not equals or not all(way.split(".")):
            raise HairlineError(f"{label}: write it as key=value, such as pools.0.batch=8")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise HairlineError(f"{label}: the value is not valid YAML") from error
        key: Key = tuple(int(part) if part.isdigit() else part for part in way.split("."))
        target: Any = self.data
        for depth, part in enumerate(key):
            last = depth == len(key) - 1
            if isinstance(target, dict):
                part = str(part)
                if not last and target.get(part) is None:
                    target[part] = {}
            elif not isinstance(target, list):
                raise HairlineError(f"{label}: {dotted(key[:depth])} is a single value, nothing lies below it")
            elif not isinstance(part, int) or part >= len(target):
                raise HairlineError(f"{label}: {dotted(key[:depth])} is a list of {len(target)}; count from 0")
            if last:
                target[part] = value
            else:
                target = target[part]
        self._moved(key, label)

    def put(self, key: str, value: Any, label: str) -> None:
        """Gives a key at the top another value; `label` says where that stands, such as `--input`."""
        self.data[key] = value
        self._moved((key,), label)

    def _moved(self, key: Key, label: str) -> None:
        self.locations = {known: where for known, where in self.locations.items() if known[: len(key)] != key}
        self.locations[key] = label

    def _note(self, node: yaml.Node | None, key: Key) -> None:
        if isinstance(node, yaml.MappingNode):
            seen: set[Hashable] = set()
            for name, value in node.value:
                line = name.start_mark.line + 1
                if name.value in seen:
                    raise HairlineError(f"{self.name}:{line}: the key {name.value} stands here a second time")
                seen.add(name.value)
                self.locations[(*key, name.value)] = f"{self.name}:{line}"
                self._note(value, (*key, name.value))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self.locations[(*key, index)] = f"{self.name}:{value.start_mark.line + 1}"
                self._note(value, (*key, index))


def find_config(path: str) -> Path:
    """The file itself, or else the built-in configuration of that name."""
    file = Path(path).expanduser()
    if file.exists():
        return file
    builtin = {entry.name: entry for entry in files("hairline.configs").iterdir() if entry.name.endswith(".yaml")}
    name = path if path.endswith(".yaml") else f"{path}.yaml"
    if name in builtin:
        return Path(str(builtin[name]))
    raise HairlineError(f"no job file {path}; a file of your own, or one of {', '.join(sorted(builtin))}")


def read_config(path: str, changes: Iterable[str] = ()) -> Document:
    """Reads a job or service file and applies changes to it; nothing is checked yet.

    Args:
        path: a file, or the name of a configuration that comes with Hairline.
        changes: `a.b=c` each, applied in their order.

    Raises:
        HairlineError: there is no such file, it cannot be read or is no YAML, or a change leads nowhere.
    """
    document = _read(find_config(path))
    for change in changes:
        document.set(change)
    return document


def _read(path: Path) -> Document:
    try:
        return Document(str(path), path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise HairlineError(f"{path}: not a text file in UTF-8") from error
    except OSError as error:
        raise HairlineError(f"{path}: cannot be read: {error.strerror}") from error


def dotted(key: Iterable[str | int]) -> str:
    return ".".join(str(part) for part in key)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean x?`, or the list of what there is when nothing is near."""
    names = sorted(known)
    near = get_close_matches(word, names, n=1, cutoff=0.55)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there is {', '.join(names)}" if names else ""
