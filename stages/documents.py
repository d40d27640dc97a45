"""A YAML file as plain data together with the location of every key, and `--set` changes to it.

Locations let a mistake that is only found later (an unknown key, a wrong value) be told with its line.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from .errors import HairlineError

Key = tuple[str | int, ...]  # the way from the top of the file: ("pools", 0, "batch")
M = TypeVar("M", bound=BaseModel)


class Document:
    """Plain data with locations.

    Attributes:
        data: the file's mapping, changes applied.
        locations: key -> where it stands, such as `job.yaml:12` or `--set pools.0.batch=8`.
    """

    def __init__(
        self, name: str, text: str, about: str = "(pools, stages, limits, …), as a job or service file"
    ) -> None:
        """Raises HairlineError: the text is no YAML, no mapping, or a key stands in it twice.

        Args:
            name: how messages call the file. about: which keys it should have, and what it is, for the message.
        """
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
            raise HairlineError(f"{name}: this is no mapping of keys {about} is")

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


def read_text(path: Path) -> str:
    """A text file. Raises HairlineError: it cannot be read, or is not in UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
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


def validate(model: type[M], data: Any, document: Document, above: Key) -> M:
    """Checks the part of a document that lies at `above`. Raises HairlineError: the first mistake, with its line."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise HairlineError(_explain(error, model, document, above)) from error


def _explain(error: ValidationError, model: type[BaseModel], document: Document, above: Key) -> str:
    """The first mistake as one line: location, key, what is wrong. Unknown keys first: one may be the missing one."""
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    inside: Key = first["loc"]
    if above == ("stages", "products") and inside[:1] == ("products",):
        above = ()  # they stand at the top of the file
    key = (*above, *inside)
    while key not in document.locations and key[:-1] != above and key:
        key = key[:-1]  # pydantic adds the members of a union to the way
    if first["type"] == "extra_forbidden":
        known = _fields(model, inside[:-1])
        what = f"unknown key{did_you_mean(str(inside[-1]), known)}"
        key = (*above, *inside)
    elif first["type"] == "missing":
        what = "is missing"
        key = (*above, *inside)
    elif first["type"] in ("value_error", "assertion_error"):
        what = first["msg"].partition(", ")[2] or first["msg"]
    else:
        what = f"{first['msg']} (is {str(first['input'])[:60]})".replace("Tuple", "List").replace("tuple", "list")
    inner = [
        known for known in document.locations if known and known[: len(key)] == key and f"'{known[-1]}'" in what[:200]
    ]
    key = max(inner, key=len, default=key)  # a key that a validator names stands on a line of its own
    return f"{document.location(key)}: {dotted(key) or 'job'}: {what}"


def _fields(model: type[BaseModel], way: Key) -> list[str]:
    """The keys allowed at one level inside a model."""
    found: list[type[BaseModel]] = [model]
    for part in way:
        if isinstance(part, str):
            fields = [m.model_fields[part].annotation for m in found if part in m.model_fields]
            found = [inner for annotation in fields for inner in _models(annotation)] or found
    return [name for each in found for name in each.model_fields]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]
