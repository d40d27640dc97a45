"""The rounds: search, clean, search again with what was cleaned, until the held-out score does not rise any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from . import files
from .clean import FIGURES, clean, round_folder
from .ledger import BY_TOOL, Ledger
from .prepare import Prepared
from .review import write_review
from .search import HEADS, TRIALS, TUNED, Budget, search
from .trial import recipe_of

HISTORY = "rounds.json"
HEADS_SHARE = 0.15  # of the minutes, for each round's heads; what is left goes to encoders that learn along


@dataclass(frozen=True)
class Plan:
    """What the rounds may take.

    Attributes:
        budget: of all searches together; its trials are those of each round.
        rounds: at most.
        tuned_trials: encoders that learn along, after the rounds; 0: none.
        automatic: whether the tool decides on labels by itself.
    """

    budget: Budget
    rounds: int = 3
    tuned_trials: int = 6
    automatic: bool = True

    def heads(self) -> Budget:
        return replace(self.budget, minutes=self.budget.minutes * HEADS_SHARE)

    def tuned(self) -> Budget:
        left = max(1 - HEADS_SHARE * self.rounds, HEADS_SHARE)
        return replace(self.budget, trials=self.tuned_trials, minutes=self.budget.minutes * left)


def run_rounds(
    prepared: Prepared, plan: Plan, tell: Callable[[str], None]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Runs what is not done yet, in the Ray session that is there.

    Returns:
        The best trial, as of `search`, and the history: a row for each round with its score, what its cleaning decided
        and why it was the last.
    """
    history: list[dict[str, Any]] = []
    best: list[dict[str, Any]] = []
    for number in range(1, plan.rounds + 1):
        rows = search(prepared, round_folder(prepared.output, number), HEADS, plan.heads(), tell)
        entry: dict[str, Any] = {"round": number, "score": rows[0]["score"], "trials": len(rows), "note": ""}
        history.append(entry)
        tell(f"round {number}: held-out score {rows[0]['score']:.4f} after {len(rows)} trials")
        if best and rows[0]["score"] < best[0]["score"]:
            undone = _undo(prepared, number - 1)
            entry["note"] = f"the score fell; {undone} decisions of round {number - 1} undone"
            break
        rose = not best or rows[0]["score"] > best[0]["score"]
        best = rows
        if not rose:
            entry["note"] = "the score did not rise"
            break
        entry |= clean_round(prepared, number, rows[0], plan.automatic)
        tell(f"round {number}: {entry['suspects']} labels suspected, {entry['decided']} decided")
        if not entry["decided"]:
            entry["note"] = "nothing was decided"
            break
    files.write_json(prepared.output / HISTORY, history)
    if plan.tuned_trials:
        tuned = search(prepared, prepared.output / TUNED, TUNED, plan.tuned(), tell)
        tell(f"encoders that learn along: held-out score {tuned[0]['score']:.4f} after {len(tuned)} trials")
        best = sorted([*best, *tuned], key=lambda row: (-row["score"], row["log_loss"]))
    return best[0], history


def clean_round(prepared: Prepared, number: int, row: dict[str, Any], automatic: bool = True) -> dict[str, Any]:
    """Cleans after a round's search, once; the review page is written anew. row: the best trial."""
    folder = round_folder(prepared.output, number)
    figures: dict[str, Any] | None = files.read_json(folder / FIGURES)
    if figures is None:
        figures = clean(prepared, number, row["config"]["start"], recipe_of(row["config"]), automatic)
    write_review(prepared, number)
    return figures


def _undo(prepared: Prepared, number: int) -> int:
    ledger = Ledger(prepared.output)
    gone = ledger.undone()
    ids = [each.id for each in ledger.all() if each.round == number and each.by == BY_TOOL]
    ledger.undo(set(ids) - gone)
    return len(ids)


def last_round(prepared: Prepared) -> int:
    """The number of the last round that was searched, 0 if none was."""
    done = sorted((prepared.output / "rounds").glob(f"*/{TRIALS}"))
    return int(done[-1].parent.name) if done else 0


def finished_trials(prepared: Prepared) -> list[dict[str, Any]]:
    """The trials to choose from: of the last round that was no worse than the one before, and the tuned ones."""
    history = files.read_json(prepared.output / HISTORY, [])
    fell = bool(history) and history[-1]["note"].startswith("the score fell")
    number = last_round(prepared) - fell
    rows = files.read_json(round_folder(prepared.output, number) / TRIALS, []) if number else []
    rows = [*rows, *files.read_json(prepared.output / TUNED / TRIALS, [])]
    return sorted(rows, key=lambda row: (-row["score"], row["log_loss"]))
