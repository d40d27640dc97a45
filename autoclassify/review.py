"""The review page: suspected errors for a person to decide on, and the decisions that come back from it."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from ..stages.errors import HairlineError
from . import files
from .clean import SHOWN, SUSPECTS, round_folder
from .ledger import BY_PERSON, Ledger, decide
from .prepare import Prepared

PAGE = "review.html"
ACTIONS = ("relabel", "drop", "keep")


def environment() -> Environment:
    return Environment(
        loader=PackageLoader("hairline.autoclassify"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )


def picture(jpeg: bytes) -> str:
    """A small picture as a data URL."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def write_review(prepared: Prepared, round_: int) -> Path:
    """Writes the page of a round: one file that loads nothing. Raises HairlineError: the round was not cleaned."""
    folder = round_folder(prepared.output, round_)
    suspects = files.read_json(folder / SUSPECTS)
    if suspects is None:
        raise HairlineError(
            f"output {prepared.output}: round {round_} was not cleaned; run hairline autoclassify clean"
        )
    suspects = suspects[:SHOWN]
    decided = Ledger(prepared.output).in_force()
    for one, jpeg in zip(suspects, prepared.thumbnails([each["row"] for each in suspects]), strict=True):
        one["picture"] = picture(jpeg)
        one["decided"] = decided[one["uri"]].action if one["uri"] in decided else ""
    page = environment().get_template(PAGE)
    files.write(folder / PAGE, page.render(suspects=suspects, labels=prepared.labels, round=round_))
    return folder / PAGE


def take_decisions(prepared: Prepared, path: Path) -> int:
    """Puts a person's decisions, as the page saves them, into the ledger; how many are new.

    Raises:
        HairlineError: the file is none of the page's, or names pictures or labels that there are not.
    """
    try:
        data = path.read_bytes()
        saved = json.loads(data)
        round_, rows = (
            int(saved["round"]),
            [(each["uri"], each["action"], each.get("label", "")) for each in saved["decisions"]],
        )
    except OSError as error:
        raise HairlineError(f"decisions {path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise HairlineError(f"decisions {path}: is not what the review page saves: {error}") from error
    given = dict(zip(prepared.table["uri"].to_pylist(), prepared.table["label"].to_pylist(), strict=True))
    made = []
    for uri, action, label in rows:
        if uri not in given:
            raise HairlineError(f"decisions {path}: {uri} is no picture of {prepared.output}")
        if action not in ACTIONS or (action == "relabel" and label not in prepared.labels):
            raise HairlineError(f"decisions {path}: {uri}: {action} {label}: there is no such action or label")
        made.append(decide(uri, action, given[uri], label if action == "relabel" else "", BY_PERSON, round_, 1.0))
    ledger = Ledger(prepared.output)
    name = f"round-{round_:03}-{BY_PERSON}-{hashlib.sha256(data).hexdigest()[:8]}"
    if not made or ledger.has(name):
        return 0
    before = {each.id for each in ledger.all()}
    ledger.add(name, made)
    return sum(each.id not in before for each in made)
