"""The HTML report of an output folder: one self-contained file, small also for a large catalog.

It shows counts for every picture and thumbnails for a bounded sample: of each route the least certain
mattes and an even spread of the rest, of each reject reason the first few. It reads the results, partition by
partition (overview.py), and the run summaries; it judges nothing itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..stages.errors import HairlineError
from ..stages.reasons import Meaning, meaning
from .atomic import md5
from .charts import rates
from .outcome import STAGE_ORDER, Outcome, Row, load_outcome
from .overview import Group, Overview, Verdicts, overview
from .storage import Folder
from .thumbnails import Thumb, output_thumbs, source_thumbs

T = TypeVar("T")
REPORT = "report/index.html"
SEAL = b"\n<!-- hairline %s -->\n"
BEFORE_SEALS = b'<div class="brand">Hairline'  # in the pages of earlier versions
PAIRS = 120  # pairs of source and cut-out in all sheets together
PAIRS_PER_ROUTE = (6, 24)
PER_REASON = 8  # thumbnails of each reject reason
FAILURES_PER_REASON = 25
SHOWN_PRODUCTS = ("cutout", "white_background", "mask")  # the first that a picture has is shown
SPEED_FIELDS = {"steady": "pictures_per_s_steady", "cold": "pictures_per_s_cold", "wall": "wall_s", "done": "done"}


class Card(NamedTuple):
    """One picture in the report: its row, the thumbnail of its source and, if it is ok, of its product."""

    row: Row
    source: Thumb
    result: Thumb | None
    link: str  # relative to the report; empty when there is none


class Sheet(NamedTuple):
    """The contact sheet of one route: `uncertain` holds the least certain, `rest` an even spread of the others.

    `sampled` says of how many pictures, where the spread is not over all; 0 otherwise.
    """

    route: str
    total: int
    sampled: int
    uncertain: list[Card]
    rest: list[Card]


class Ending(NamedTuple):
    """All pictures that ended for one reason; `cards` or `rows` is a sample of them. `sampled` is as in `Sheet`."""

    reason: str
    meaning: Meaning
    total: int
    sampled: int
    cards: list[Card]
    rows: list[Row]


class Judged(NamedTuple):
    """What was said of one product: verdict -> files; (rule, files that break it); a sample of (picture, checks)."""

    product: str
    preset: str
    counts: dict[str, int]
    rules: list[tuple[str, int]]
    failing: list[tuple[str, list[dict[str, Any]]]]


class Step(NamedTuple):
    """One step of the funnel: how many pictures came out of it and how many ended in it, by status and reason."""

    name: str
    left: int
    losses: list[tuple[str, str, int]]


def write_report(output: str) -> str:
    """Writes OUTPUT/report/index.html from OUTPUT/results and OUTPUT/runs.

    Args:
        output: the output folder or URL of a run.

    Returns:
        The path or URL of the report.

    Raises:
        HairlineError: there are no results at `output`.
    """
    outcome = load_outcome(output)
    html = render("report.html", **_context(outcome))
    write_page(outcome.folder, REPORT, html)
    return outcome.folder.uri(REPORT)


def write_page(folder: Folder, name: str, html: str) -> None:
    """Writes a page over an earlier one of ours, but never over another file or one that was changed since.

    A page ends with a comment that holds its digest; that tells ours, also where there is no ledger.

    Raises:
        HairlineError: something else is there, or nothing can be written.
    """
    data = html.encode("utf-8", "replace")
    page = data + SEAL % md5(data).encode()
    with folder.writing():
        found = folder.look(name)
        if found is None and folder.create(name, page):
            return
        if found is None or not _is_ours(folder, name):
            raise HairlineError(
                f"{folder.uri(name)}: is there and was not written by Hairline, or was changed since: move it away"
            )
        folder.write(name, page)


def _is_ours(folder: Folder, name: str) -> bool:
    if folder.local and not Path(folder.uri(name)).is_file():
        return False
    page = folder.read(name)
    size = len(SEAL % bytes(32))
    text, seal = page[:-size], page[-size:]
    if seal.startswith(SEAL.partition(b"%")[0]):
        return seal == SEAL % md5(text).encode()
    return BEFORE_SEALS in page


def render(template: str, **context: Any) -> str:
    """Fills in a template of this package; every value is escaped."""
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(count=_count, seconds=_seconds, figure=_figure, yaml=_yaml)
    return environment.get_template(template).render(context)


def _context(outcome: Outcome) -> dict[str, Any]:
    found, run = overview(outcome), outcome.last_run
    return {
        "name": outcome.name,
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "total": found.total,
        "ok": found.of_status("ok"),
        "filtered": found.of_status("filtered"),
        "failed": found.of_status("failed"),
        "steps": funnel(found.ends, list(found.seconds)),
        "sheets": _sheets(outcome, found),
        "rejects": _rejects(outcome, found),
        "failures": _failures(outcome, found),
        "verdicts": _verdicts(outcome, found.verdicts),
        "busy": sorted(found.seconds.items(), key=lambda pair: -pair[1]),
        "chart": rates(run.get("throughput") or []),
        "speed": {key: run.get(field) for key, field in SPEED_FIELDS.items()},
        "run": run,
        "runs": outcome.runs,
    }


def funnel(ends: Counter[tuple[str, str, str]], stages: Sequence[str]) -> list[Step]:
    """Where the pictures ended, stage by stage in the order of the pipeline.

    Args:
        ends: (stage, status, reason) -> pictures.
        stages: the stages that ran, in any order; they are shown also if no picture ended in them.
    """
    ended = {end: number for end, number in ends.items() if end[1] != "ok"}
    met = set(stages) | {stage for stage, _, _ in ended}
    order = [s for s in STAGE_ORDER if s in met] + sorted(met - set(STAGE_ORDER))
    left = ends.total()
    steps = [Step("catalog", left, [])]
    for name in order:
        losses = sorted(((st, rs, n) for (sg, st, rs), n in ended.items() if sg == name), key=lambda loss: -loss[2])
        left -= sum(n for _, _, n in losses)
        steps.append(Step(name, left, losses))
    return steps


def _sheets(outcome: Outcome, found: Overview) -> list[Sheet]:
    least, most = PAIRS_PER_ROUTE
    size = max(least, min(most, PAIRS // max(len(found.routes), 1)))
    chosen = []
    for route, group in sorted(found.routes.items(), key=lambda pair: (-pair[1].total, pair[0])):
        head = group.first["id"].to_pylist()[: size if group.total <= size else size // 2]
        rest = [id for id in group.sample["id"].to_pylist() if id not in head]
        chosen.append((route, group, head, spread(rest, size - len(head))))
    cards = iter(_cards(outcome, [id for _, _, head, tail in chosen for id in [*head, *tail]]))
    return [
        Sheet(route, group.total, _sampled(group), [next(cards) for _ in head], [next(cards) for _ in tail])
        for route, group, head, tail in chosen
    ]


def _sampled(group: Group) -> int:
    return len(group.sample) if group.is_sampled else 0


def spread(rows: Sequence[T], size: int) -> list[T]:
    """At most `size` rows at even distances."""
    if len(rows) <= size:
        return list(rows)
    return [rows[(2 * i + 1) * len(rows) // (2 * size)] for i in range(size)]


def _rejects(outcome: Outcome, found: Overview) -> list[Ending]:
    groups = _by_reason(found, "filtered")
    chosen = [spread(group.sample["id"].to_pylist(), PER_REASON) for _, group in groups]
    cards = iter(_cards(outcome, [id for some in chosen for id in some]))
    return [
        Ending(reason, meaning(reason), group.total, _sampled(group), [next(cards) for _ in some], [])
        for (reason, group), some in zip(groups, chosen, strict=True)
    ]


def _failures(outcome: Outcome, found: Overview) -> list[Ending]:
    groups = _by_reason(found, "failed")
    firsts = [group.first["id"].to_pylist()[:FAILURES_PER_REASON] for _, group in groups]
    rows = iter(outcome.full([id for some in firsts for id in some]))
    return [
        Ending(reason, meaning(reason), group.total, 0, [], [next(rows) for _ in some])
        for (reason, group), some in zip(groups, firsts, strict=True)
    ]


def _verdicts(outcome: Outcome, found: Verdicts) -> list[Judged]:
    rows = outcome.full(found.first)
    judged = []
    for product, preset in dict.fromkeys((product, preset) for product, preset, _ in sorted(found.counts)):
        counts = {answer: found.counts[product, preset, answer] for answer in ("pass", "unknown", "fail")}
        rules = [(rule, number) for (name, rule), number in found.failed.most_common() if name == product]
        told = []
        for row in rows:
            for verdict in row["verdicts"]:
                wrong = [check for check in verdict["checks"] if check["verdict"] == "fail"]
                if verdict["product"] == product and verdict["preset"] == preset and wrong:
                    told.append((row["id"], wrong))
        judged.append(Judged(product, preset, counts, rules, told))
    return judged


def _by_reason(found: Overview, status: str) -> list[tuple[str, Group]]:
    groups = [(reason, group) for (ended, reason), group in found.reasons.items() if ended == status]
    return sorted(groups, key=lambda pair: (-pair[1].total, pair[0]))


def _cards(outcome: Outcome, ids: Sequence[str]) -> list[Card]:
    rows = outcome.full(ids)
    products = [shown_product(row["outputs"]) for row in rows]
    links = [outcome.product_link(row, product) for row, product in zip(rows, products, strict=True)]
    sources = source_thumbs([row["uri"] for row in rows])
    results = output_thumbs([link.uri for link in links])
    return [
        Card(row, source, result if row["status"] == "ok" else None, link.link)
        for row, source, result, link in zip(rows, sources, results, links, strict=True)
    ]


def shown_product(outputs: Iterable[str], preferred: Sequence[str] = SHOWN_PRODUCTS) -> str:
    """The product that stands for a picture: the first preferred one that it has, or else any, or none (empty)."""
    return next((name for name in preferred if name in outputs), min(outputs, default=""))


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _figure(value: float | None) -> str:
    """A measured figure with three significant digits."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _seconds(value: float | None) -> str:
    """A length of time as a person says it."""
    if value is None:
        return "–"
    if value < 1:
        return f"{value * 1000:.3g} ms" if value >= 1e-4 else "0"
    if value < 60:
        return f"{value:.3g} s"
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"


def _yaml(value: Any) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)).rstrip()
