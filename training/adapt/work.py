"""What one adaptation was asked for, how far it got, and how much of its time is spent; kept in its folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...stages.errors import HairlineError

NOTE = "adapt.json"  # marks a folder as ours
LONGEST_STEP = 60.0  # seconds; more than that was no step but a machine that slept
Tell = Callable[[str], None]  # takes a line for a person


@dataclass(frozen=True)
class Candidate:
    """A picture of the catalog: its id, and where it is read from."""

    id: str
    uri: str
    size: int = -1  # bytes; -1: not known


@dataclass(frozen=True)
class Wish:
    """What a user asks for.

    Attributes:
        catalog: where the pictures are, as given.
        teacher: as `label.teacher` takes it.
        output: folder of the weights.
        minutes: wall-clock budget in all.
        corrections: folder of masks named as the pictures; empty: there are none.
        pictures: how many are labelled at most.
        batch: samples of one step.
        workers: processes that make samples.
        threads: of torch and of the teacher; 0: as many as there are cores.
        trust_teacher: learn from a teacher, too, that contradicts what is certain.
    """

    catalog: str
    teacher: str
    output: Path
    minutes: float = 60.0
    corrections: str = ""
    pictures: int = 240
    batch: int = 16
    workers: int = 1
    threads: int = 0
    trust_teacher: bool = False


@dataclass
class Work:
    """The state of an adaptation, `adapt.json` in its folder; saved after every step.

    Attributes:
        asked: what may not change between one call and the next.
        minutes: the budget that training was planned for.
        spent: seconds so far, by step.
        looks: how often the teacher looks at a picture; 0: not settled yet.
        labelled: whether the teacher is through.
        training: minutes of each network's training; empty: not planned yet.
        verdict: what came out; empty: not judged yet.
    """

    folder: Path
    asked: dict[str, Any]
    minutes: float
    spent: dict[str, float] = field(default_factory=dict)
    looks: int = 0
    labelled: bool = False
    training: dict[str, float] = field(default_factory=dict)
    verdict: dict[str, Any] = field(default_factory=dict)
    _last: float = field(default=0.0, repr=False)

    @classmethod
    def open(cls, wish: Wish) -> Work:
        """The state of an earlier call, or a new one in an empty folder.

        Raises:
            HairlineError: the folder cannot be written, holds other things, or belongs to other wishes.
        """
        note, asked = wish.output / NOTE, {"catalog": wish.catalog, "teacher": wish.teacher}
        asked |= {"corrections": wish.corrections, "pictures": wish.pictures}
        try:
            wish.output.mkdir(parents=True, exist_ok=True)
            if not note.is_file():
                if any(wish.output.iterdir()):
                    raise HairlineError(f"{wish.output} holds other files; give the weights an empty folder")
                return cls(wish.output, asked, wish.minutes)
            known = json.loads(note.read_text("utf-8"))
            found = cls(wish.output, **known)
        except OSError as error:
            raise HairlineError(f"{wish.output}: cannot be used: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise HairlineError(f"{note} was not written by this command; give the weights another folder") from error
        for name, value in asked.items():
            if found.asked.get(name) != value:
                raise HairlineError(
                    f"{wish.output} was begun with {name} {found.asked.get(name)!r}, not {value!r}; give the weights "
                    "another folder, or the same command as then"
                )
        found.allow(wish.minutes)
        return found

    def allow(self, minutes: float) -> None:
        """Takes a larger budget: what it adds goes into training, or where none was, to the teacher first."""
        more = minutes - self.minutes
        if more > 0:
            self.verdict, self.labelled = {}, self.labelled and bool(self.training)
        if more > 0 and self.training:
            whole = sum(self.training.values())
            self.training = {name: old + more * old / whole for name, old in self.training.items()}
            for name in self.training:
                (self.inside / f"{name}.safetensors").unlink(missing_ok=True)  # ours, and made again from its state
        self.minutes = max(self.minutes, minutes)

    @property
    def inside(self) -> Path:
        """The folder of what is kept between calls."""
        return self.folder / "work"

    @property
    def seconds(self) -> float:
        return sum(self.spent.values())

    def begin(self) -> None:
        """The clock runs from now on."""
        self._last = time.monotonic()

    def tick(self, step: str) -> float:
        """Adds the time since the last call to a step; returns the seconds spent in all."""
        now = time.monotonic()
        self.spent[step] = self.spent.get(step, 0.0) + min(now - self._last, LONGEST_STEP)
        self._last = now
        return self.seconds

    def save(self) -> None:
        """Writes the state, whole or not at all."""
        kept = {k: v for k, v in asdict(self).items() if k not in ("folder", "_last")}
        write(self.folder / NOTE, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def write(path: Path, content: str | bytes) -> None:
    """Writes a file whole or not at all. Raises HairlineError: it cannot be written."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.replace(path)
    except OSError as error:
        raise HairlineError(f"{path}: cannot be written: {error.strerror or error}") from error
