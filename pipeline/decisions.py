"""What people decided about mattes: a small file for each decision, beside the ledger, never changed, never deleted.

    review/decisions/<hash of the id>-<number>.json    the first, second, … decision on a picture
    review/decisions.jsonl                             a copy of all of them, one a line, for other programs
    review/mattes/<hash of the id>-<its md5>.png       a corrected matte, uint8 grey, of the upright picture
    review/originals/<product>/<name>                  a product as the run made it, before a correction replaced it
    review/unfinished/<hash of the id>-<of the try>    products are being replaced
    review/claims/<hash of the id>.json                who has a picture before them
    review/samples/<hash of what it is of>.json        the ids of a random sample

The number is what keeps two people apart: a decision takes the number after the newest one that its maker saw, and its
file is created only where there is none (a hard link; `If-None-Match` in S3). Who comes second is told of the first.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields
from threading import Lock
from typing import Literal, get_args

from ..stages.errors import HairlineError
from .storage import Folder

REVIEW = "review"
MADE, TABLE = f"{REVIEW}/decisions", f"{REVIEW}/decisions.jsonl"
MATTES, ORIGINALS = f"{REVIEW}/mattes", f"{REVIEW}/originals"
UNFINISHED, CLAIMS, SAMPLES = f"{REVIEW}/unfinished", f"{REVIEW}/claims", f"{REVIEW}/samples"
NAME = re.compile(rf"{MADE}/([0-9a-f]{{32}})-(\d{{5}})\.json")
MATTE = re.compile(rf"{MATTES}/[0-9a-f]{{32}}-[0-9a-f]{{32}}\.png")
OURS = re.compile(
    rf"{NAME.pattern}|{re.escape(TABLE)}|{MATTE.pattern}|{ORIGINALS}/.+"
    rf"|{UNFINISHED}/[0-9a-f]{{32}}-[0-9a-f]{{32}}|{CLAIMS}/[0-9a-f]{{32}}\.json|{SAMPLES}/[0-9a-f]{{32}}\.json"
)
THREADS = 16  # that read decisions; in a bucket most of the time is waiting
LEAST_S, SHARE = 2.0, 20  # between two looks for what others decided: so long, and so many times as long as one takes

Verdict = Literal["accepted", "rejected", "corrected", "skipped", "undone"]


@dataclass(frozen=True)
class Decision:
    """What one person decided about one matte.

    Attributes:
        id: of the picture.
        number: from 1 on, of the decisions on this picture.
        verdict: what; `undone` takes back the one before that is not taken back yet.
        who: a person's name.
        when: UTC, ISO 8601.
        reason: of `rejected`: a short code, such as `missing_part`.
        run_id: of the run whose matte was seen; a matte of a later run is to be looked at again.
        key: of the try; the same one twice is one decision.
        matte: of `corrected`: where the new matte lies.
        products: of `corrected`, and where one was undone: name in the output -> md5 of what was put there.
    """

    id: str
    number: int
    verdict: Verdict
    who: str
    when: str
    reason: str = ""
    run_id: str = ""
    key: str = ""
    matte: str = ""
    products: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    @classmethod
    def decode(cls, text: bytes | str) -> Decision:
        """Raises ValueError: the text is none."""
        given = json.loads(text)
        if not isinstance(given, dict) or not {"id", "number", "verdict", "who", "when"} <= given.keys():
            raise ValueError("no decision")
        made = cls(**{each.name: given[each.name] for each in fields(cls) if each.name in given})
        if made.verdict not in get_args(Verdict) or not isinstance(made.number, int) or not isinstance(made.id, str):
            raise ValueError("no decision")
        if (made.matte and not MATTE.fullmatch(made.matte)) or not all(map(_is_inside, made.products)):
            raise ValueError("it names files outside of the output")  # an output may come from anywhere
        return made

    def is_try_of(self, other: Decision) -> bool:
        """Whether both are one decision, sent twice."""
        mine, theirs = ((each.key, each.verdict, each.reason, each.matte) for each in (self, other))
        return bool(self.key) and mine == theirs


@dataclass(frozen=True)
class Standing:
    """How a picture stands after its decisions.

    Attributes:
        newest: number of the newest decision; 0: there is none.
        top: the decision that holds, None where there is none or all are undone.
        corrected: the correction whose matte the products are made of, None where they are the run's.
    """

    newest: int = 0
    top: Decision | None = None
    corrected: Decision | None = None


class Conflict(Exception):
    """Somebody else has decided meanwhile. Attribute `there`: what."""

    def __init__(self, there: Decision) -> None:
        super().__init__(f"{there.who}: {there.verdict}")
        self.there = there


def _is_inside(name: str) -> bool:
    """Whether a name stays in the output."""
    return not {"", ".", ".."} & set(name.replace("\\", "/").split("/"))


def mark(id: str) -> str:
    """What names a picture's files in the review, whatever its id is."""
    return hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def standing(made: Iterable[Decision]) -> Standing:
    """How a picture stands after these decisions of it, in their order."""
    held: list[Decision] = []
    newest = 0
    for each in made:
        newest = each.number
        if each.verdict != "undone":
            held.append(each)
        elif held:
            held.pop()
    corrected = next((each for each in reversed(held) if each.verdict == "corrected"), None)
    return Standing(newest, held[-1] if held else None, corrected)


class Decisions:
    """All decisions of an output; memory grows with what was decided, not with the ledger. For several threads.

    Raises:
        HairlineError: what is named as a decision is none, or the output cannot be read.
    """

    def __init__(self, output: Folder) -> None:
        self.output = output
        self._lock = Lock()
        self._of: dict[str, list[Decision]] = {}
        self._names: set[str] = set()
        self._news: set[str] = set()  # ids on which others have decided, that nobody has asked for yet
        self._due = 0.0
        self._added = 0  # since the table was read or written
        table = {name_of(each): each for each in self._table()}
        self._read(table)
        self._news.clear()

    def __len__(self) -> int:
        return len(self._names)

    def of(self, id: str) -> list[Decision]:
        """Those on a picture, oldest first."""
        return self._of.get(id, [])

    def standing(self, id: str) -> Standing:
        return standing(self.of(id))

    def pictures(self) -> Iterator[tuple[str, Standing]]:
        """Every picture with a decision, by its id, and how it stands."""
        for id, made in list(self._of.items()):
            yield id, standing(made)

    def refresh(self, now: bool = False) -> list[str]:
        """Takes in what others have decided; returns the ids on which they have, since this was asked last.

        Looks only now and then, unless it is to be `now`.
        """
        with self._lock:
            if now or time.monotonic() >= self._due:
                self._read({})
            news, self._news = sorted(self._news), set()
            return news

    def look(self) -> None:
        """Takes in what others have decided; the next `refresh` tells of it."""
        with self._lock:
            self._read({})

    def find(self, decision: Decision) -> Decision | None:
        """The decision that an earlier try has put down; None where the number of this one is free.

        Raises:
            Conflict: somebody else has decided since, or the same try said something else.
            HairlineError: its maker says to have seen a decision that there is not.
        """
        made, newest = self.of(decision.id), self._newest(decision.id)
        if decision.number > newest + 1:
            told = f"decision {decision.number - 1} was seen, but the newest is {newest}; load the page again"
            raise HairlineError(f"{decision.id}: {told}")
        if decision.number == newest + 1:
            return None
        there = next((each for each in made if each.number == decision.number), made[-1])
        if there.is_try_of(decision):
            return there
        raise Conflict(there if there.key == decision.key and there.key else made[-1])

    def add(self, decision: Decision) -> Decision:
        """Puts a decision down; its number says which one its maker saw last.

        Returns:
            It, or the one that an earlier try with the same key has put down.

        Raises:
            Conflict, HairlineError: see `find`; also where nothing can be written.
        """
        if decision.number != self._newest(decision.id) + 1:  # its maker may have seen more, in another command
            self.look()
            if there := self.find(decision):
                return there
        with self.output.writing():
            if self.output.create(name_of(decision), decision.encode()):
                with self._lock:
                    self._take(name_of(decision), decision)
                return decision
        self.look()
        there = self.find(decision)
        if there is None:
            raise HairlineError(f"{self.output.uri(name_of(decision))}: is there and cannot be read; move it away")
        return there

    def write_table(self) -> None:
        """Writes the table of all, if there is anything new to put into it."""
        self.look()
        if self._added:
            lines = [each.encode() for id in sorted(self._of) for each in self._of[id]]
            with self.output.writing():
                self.output.write(TABLE, b"\n".join(lines) + b"\n")
            self._added = 0

    def _newest(self, id: str) -> int:
        made = self.of(id)
        return made[-1].number if made else 0

    def _table(self) -> list[Decision]:
        try:
            return [Decision.decode(line) for line in self.output.read(TABLE).splitlines() if line.strip()]
        except (FileNotFoundError, ValueError):  # a copy: without it, the files are read one by one
            return []

    def _read(self, known: dict[str, Decision]) -> None:
        started = time.monotonic()
        names = [name for name in self.output.names(MADE) if NAME.fullmatch(name) and name not in self._names]
        missing = [name for name in names if name not in known]
        with ThreadPoolExecutor(THREADS) as threads:
            found = dict(zip(missing, threads.map(self._one, missing), strict=True))
        for name in names:
            self._take(name, known[name] if name in known else found[name])
        self._added += len(missing) - len(names)  # those of the table are in it already
        took = time.monotonic() - started
        self._due = time.monotonic() + max(LEAST_S, SHARE * took)
        self._news |= {(known.get(name) or found[name]).id for name in names}

    def _one(self, name: str) -> Decision:
        try:
            made = Decision.decode(self.output.read(name))
            if name_of(made) != name:
                raise ValueError("of another picture")
            return made
        except (ValueError, TypeError) as error:
            told = f"{self.output.uri(name)}: damaged, or no decision, but named as one; move it away"
            raise HairlineError(told) from error

    def _take(self, name: str, decision: Decision) -> None:
        if name not in self._names:
            self._names.add(name)
            self._added += 1
            self._of[decision.id] = sorted([*self.of(decision.id), decision], key=lambda each: each.number)


def name_of(decision: Decision) -> str:
    return f"{MADE}/{mark(decision.id)}-{decision.number:05d}.json"


def corrected_products(output: Folder) -> dict[str, set[str]]:
    """Name in the output -> digests that people's decisions have put there: what is not a run's own stays."""
    found: dict[str, set[str]] = {}
    if output.names(MATTES):
        decisions = Decisions(output)
        for each in (made for id, _ in decisions.pictures() for made in decisions.of(id)):
            for name, digest in each.products.items():
                found.setdefault(name, set()).add(digest)
    return found
