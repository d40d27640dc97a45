"""The report of OUT: one HTML file that loads nothing."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from ..stages.errors import HairlineError
from . import charts, files
from .export import FIGURES, MODEL
from .ledger import Ledger
from .prepare import DATASET, Prepared
from .review import environment, picture
from .rounds import HISTORY, finished_trials
from .search import pareto

PAGE = "report.html"
CHANGES = 48  # relabelled and dropped pictures that are shown


def write_report(prepared: Prepared) -> Path:
    """Writes OUT/report.html. Raises HairlineError: nothing is exported yet."""
    found = files.read_json(prepared.output / MODEL / FIGURES)
    rows = finished_trials(prepared)
    if found is None or not rows:
        raise HairlineError(f"output {prepared.output}: has no exported classifier; run hairline autoclassify export")
    examples = found.get("examples", [])
    for one, jpeg in zip(examples, prepared.thumbnails([each["row"] for each in examples]), strict=True):
        one["picture"] = picture(jpeg)
    decisions = [each for each in Ledger(prepared.output).in_force().values() if each.action != "keep"]
    shown = sorted(decisions, key=lambda each: (-each.round, -each.confidence))[:CHANGES]
    place = {uri: row for row, uri in enumerate(prepared.table["uri"].to_pylist())}
    shown = [each for each in shown if each.uri in place]
    pictures = map(picture, prepared.thumbnails([place[each.uri] for each in shown]))
    front = pareto(rows)
    drawn = {
        "curves": charts.curves(rows),
        "parallel": charts.parallel([row for row in rows if row["config"]["tuned"] == rows[0]["config"]["tuned"]]),
        "front": charts.front(rows, front),
        "confusion": charts.confusion(found["confusion"], prepared.labels) if "confusion" in found else "",
        "reliability": charts.reliability(found["reliability"]) if found.get("reliability") else "",
    }
    page = (
        environment()
        .get_template(PAGE)
        .render(
            dataset=files.read_json(prepared.output / DATASET)["dataset"],
            labels=prepared.labels,
            ordered=prepared.ordered,
            figures=found,
            history=files.read_json(prepared.output / HISTORY, []),
            rows=rows,
            front=front,
            charts={name: Markup(svg) for name, svg in drawn.items()},
            examples=examples,
            changes=list(zip(shown, pictures, strict=True)),
            decided=len(decisions),
        )
    )
    files.write(prepared.output / PAGE, page)
    return prepared.output / PAGE
