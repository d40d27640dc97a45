"""The charts of the report, as SVG: learning curves, trials, Pareto front, confusion, reliability."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

COLOURS = plt.get_cmap("viridis")
STYLE = {"svg.hashsalt": "hairline", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
PARALLEL = (
    "start",
    "levels",
    "size",
    "hidden",
    "schedule",
    "lr",
    "weight_decay",
    "dropout",
    "augment",
    "smoothing",
    "balance",
)
LOGARITHMIC = ("lr", "weight_decay")


def draw(into: Callable[[Axes], None], width: float = 6.2, height: float = 3.2) -> str:
    """One chart as an SVG element."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
        into(axes)
        out = StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=False)
        plt.close(figure)
    text = out.getvalue()
    return text[text.index("<svg") :]


def curves(rows: Sequence[dict[str, Any]]) -> str:
    """Held-out score over the steps of each trial; the best one stands out."""

    def into(axes: Axes) -> None:
        for place, row in reversed(list(enumerate(rows))):
            best = place == 0
            style = {"color": "#2563eb", "lw": 2.2} if best else {"color": "#888", "lw": 0.8, "alpha": 0.6}
            axes.plot(
                range(1, len(row["curve"]) + 1), row["curve"], marker=".", label="best" if best else None, **style
            )
        axes.set(xlabel="step", ylabel="held-out score")
        axes.legend(frameon=False)

    return draw(into)


def parallel(rows: Sequence[dict[str, Any]]) -> str:
    """Trials as parallel coordinates: one line each through its choices, coloured by the score."""
    configs = [_choices(row["config"]) for row in rows]
    names = [name for name in PARALLEL if any(name in each for each in configs)]

    def into(axes: Axes) -> None:
        scores = np.array([row["score"] for row in rows])
        span = max(float(np.ptp(scores)), 1e-9)
        columns = [_scaled([each.get(name) for each in configs], name) for name in names]
        columns.append(((scores - scores.min()) / span, [(0.0, f"{scores.min():.3f}"), (1.0, f"{scores.max():.3f}")]))
        for row in np.argsort(scores):
            share = (scores[row] - scores.min()) / span
            axes.plot([values[row] for values, _ in columns], color=COLOURS(share), lw=0.6 + 1.6 * share, alpha=0.8)
        for at, (_, ticks) in enumerate(columns):
            axes.axvline(at, color="#8888", lw=0.8)
            for where, text in ticks:
                axes.text(at + 0.04, where, text, fontsize=7, va="center")
        axes.set_xticks(range(len(columns)), [*(name.replace("_", "\n") for name in names), "score"])
        axes.set_yticks([])
        axes.set_xlim(-0.2, len(columns) - 0.4)
        axes.spines[["left", "bottom"]].set_visible(False)

    return draw(into, 9.5, 3.4)


def _choices(config: dict[str, Any]) -> dict[str, Any]:
    if "form" not in config:
        return config
    size, levels = config["form"].split("x")
    return {**config, "size": int(size), "levels": int(levels)}


def _scaled(values: Sequence[Any], name: str) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Values of one choice between 0 and 1 (NaN: not chosen), and what stands at which height."""
    there = [value for value in values if value is not None]
    if name in LOGARITHMIC or any(isinstance(value, float) for value in there):
        change = np.log if name in LOGARITHMIC else np.asarray
        numbers = np.array([np.nan if value is None else float(change(value)) for value in values])
        low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
        scale = max(high - low, 1e-9)
        return (numbers - low) / scale, [(0.0, f"{min(there):.2g}"), (1.0, f"{max(there):.2g}")]
    kinds = sorted(set(there))
    place = {kind: i / max(len(kinds) - 1, 1) for i, kind in enumerate(kinds)}
    return np.array([place.get(value, np.nan) for value in values]), [(place[kind], str(kind)) for kind in kinds]


def front(rows: Sequence[dict[str, Any]], best: Sequence[dict[str, Any]]) -> str:
    """Score over time for one picture, and the Pareto front."""

    def into(axes: Axes) -> None:
        axes.scatter([r["milliseconds"] for r in rows], [r["score"] for r in rows], s=14, color="#888", label="trials")
        axes.plot([r["milliseconds"] for r in best], [r["score"] for r in best], "o-", color="#2563eb", label="front")
        axes.set(xlabel="ms a picture", ylabel="held-out score")
        axes.legend(frameon=False)

    return draw(into)


def confusion(table: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    """Counts, the true class down, the predicted one across; colours are shares of the true class."""
    counts = np.array(table)

    def into(axes: Axes) -> None:
        shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        if len(labels) <= 25:
            for (row, column), count in np.ndenumerate(counts):
                if count:
                    colour = "white" if shares[row, column] > 0.5 else "black"
                    axes.text(column, row, count, ha="center", va="center", fontsize=7, color=colour)
        axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
        axes.set_yticks(range(len(labels)), labels)
        axes.set(xlabel="predicted", ylabel="true")

    side = min(3 + 0.32 * len(labels), 9)
    return draw(into, side + 1, side)


def reliability(bins: Sequence[Sequence[float]]) -> str:
    """How many answers of a probability are right; the size of a point says how many answers there are."""

    def into(axes: Axes) -> None:
        most = max(count for *_, count in bins)
        axes.plot([0, 1], [0, 1], color="#888", lw=0.8, ls="--")
        axes.plot([b[0] for b in bins], [b[1] for b in bins], color="#2563eb", lw=1)
        axes.scatter(
            [b[0] for b in bins], [b[1] for b in bins], s=[12 + 120 * b[2] / most for b in bins], color="#2563eb"
        )
        axes.set(xlabel="probability", ylabel="share that is right", xlim=(0, 1.02), ylim=(0, 1.02))

    return draw(into, 4.2, 3.6)
