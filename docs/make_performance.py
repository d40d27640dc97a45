"""Fills in what is measured in docs/performance.md, and draws its plots: python docs/make_performance.py

Reads benchmarks/results/*.json. What stands in the page between `<!-- measured: NAME -->` and `<!-- end -->` is made
anew for every NAME whose results are there; the rest of the page, and blocks without results, stay as they are. Plots
go to docs/images/performance-NAME.svg.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "performance.md"
RESULTS = DOCS.parent / "benchmarks" / "results"
IMAGES = DOCS / "images"
BLOCK = re.compile(r"(?P<head><!-- measured: (?P<name>[\w-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)
WIDTH = 7.4  # of a plot, inches
Result = dict[str, Any]  # a file of results, as benchmarks/record.py writes it
STAGES = ("filter", "classify", "detect", "coarse", "fine", "products")


def main() -> int:
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    PAGE.write_text(page(PAGE.read_text("utf-8"), found), "utf-8")
    for name, draw in PLOTS.items():
        if of := results(name, found):
            draw(of, IMAGES / f"performance-{name}.svg")
            print(IMAGES / f"performance-{name}.svg")
    return 0


def page(text: str, found: dict[str, Result]) -> str:
    """The page with its measured blocks made anew."""

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        if not (of := results(name, found)):
            return match[0]
        plot = f"\n![{ALT[name]}](images/performance-{name}.svg)\n" if name in PLOTS else ""
        return f"{match['head']}\n{TABLES[name](of)}\n{plot}\n{source(of)}\n\n{match['end']}"

    return BLOCK.sub(block, text)


def results(name: str, found: dict[str, Result]) -> list[Result]:
    """The results that a block shows: `NAME.json`, or `NAME-*.json`, one for each engine."""
    return [of for stem, of in found.items() if stem == name or (name == "limit" and stem.startswith("limit-"))]


def source(of: Sequence[Result]) -> str:
    """Where, when and with what the results were measured."""
    commands = " and ".join(sorted({f"`{each['command']}`" for each in of}))
    first = of[0]
    machine, versions = first["machine"], first["versions"]
    where = f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']:.0f} GiB"
    where += f", {machine['card']}" if machine["card"] else ""
    with_ = ", ".join(f"{name} {versions[name]}" for name in ("python", "torch", "openvino", "ray") if name in versions)
    return f"{commands}, {first['measured']}, commit {first['commit']}: {where}; {with_}."


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def spread(of: dict[str, float] | None, digits: int = 2) -> str:
    """A median with its least and most; a dash where nothing was measured."""
    if not of:
        return "–"
    median, least, most = (f"{of[name]:.{digits}f}" for name in ("median", "least", "most"))
    return median if least == most else f"{median} ({least}–{most})"


def limit(of: Sequence[Result]) -> str:
    engines = {each["figures"]["engine"]: each["figures"] for each in of}
    steps = dict.fromkeys(step for figures in engines.values() for step in figures["steps_ms"])
    rows = [[step, *(f"{figures['steps_ms'].get(step, 0):.1f}" for figures in engines.values())] for step in steps]
    rows.append(["**all**", *(f"**{1000 * figures['core_seconds']:.0f}**" for figures in engines.values())])
    columns = ("gflop", "mbytes", "ms", "limit_ms", "share_of_limit")
    parts = [table(["step", *(f"core-ms, {engine}" for engine in engines)], rows)]
    for engine, figures in engines.items():
        rows = [
            [each.get("network") or each["codec"], *(each.get(column, "") for column in columns)]
            for each in figures["networks"]
        ]
        parts.append(
            f"How near each comes to the limit with {engine}: {figures['gflops']:,} GFLOP/s of a matrix product,"
            f" {figures['gbytes_per_s']} GB/s of a copy.\n\n"
            + table(["", "GFLOP", "MB", "core-ms", "limit", "share"], rows)
        )
    return "\n\n".join(parts)


def offline(of: Sequence[Result]) -> str:
    figures = of[0]["figures"]
    rows = [
        ["`hairline run`", spread(figures["pictures_per_s"])],
        ["bare loop over the same stages", spread(figures["bare_pictures_per_s"])],
        ["ratio", spread(figures["ratio_to_bare"])],
    ]
    tail = f"First picture after {figures['cold_s']} s; {figures['peak_mib']:,} MiB of all processes together."
    return table([f"{figures['pictures']:,} pictures", "pictures/s"], rows) + f"\n\n{tail}"


def online(of: Sequence[Result]) -> str:
    figures = of[0]["figures"]
    rows = [
        ["latency of one client, median", f"{1000 * figures['p50_s']:.0f} ms"],
        ["over the same stages in process", f"{figures['p50_ratio']:.2f}"],
        ["saturated", f"{spread(figures['pictures_per_s'])} pictures/s"],
        ["of a bare loop", spread(figures["throughput_ratio"])],
        ["of that, at three times the load", f"{figures['goodput_ratio']:.2f}"],
    ]
    return table(["service", ""], rows)


def beside(of: Sequence[Result]) -> str:
    figures, columns = of[0]["figures"], {"pictures_per_s": 2, "wall_s": 0, "ours_is_times": 1}
    rows = [
        [each["name"], *(spread(each[name], digits) for name, digits in columns.items()), each["why"]]
        for each in figures["ways"].values()
    ]
    return table(["", "pictures/s", "seconds in all", "`hairline run` is times as fast", "why"], rows)


def curves(of: Sequence[Result]) -> str:
    figures = of[0]["figures"]
    stages = [stage for stage in STAGES if any(stage in row["stage_ms"] for row in rows_of(figures))]
    rows = [
        [row["scene"], f"{row['megapixels']:g}", row["subjects"], f"{row['edge_share']:.1%}", spread(row["core_ms"], 0)]
        + [f"{row['stage_ms'].get(stage, 0):.0f}" for stage in stages]
        + [f"{row['peak_mib']:,}"]
        for row in rows_of(figures)
    ]
    return table(["scene", "MP", "subjects found", "soft edge", "core-ms", *stages, "peak MiB"], rows)


def start(of: Sequence[Result]) -> str:
    figures = of[0]["figures"]
    rows = [
        ["`python -c 'import torch'`", spread(figures["import_torch_s"])],
        ["`hairline cut` of one picture", spread(figures["cut_s"])],
        ["of that, the picture itself", spread(figures["compute_s"])],
        ["`hairline cut` over `import torch` and the picture", spread(figures["cut_over_least"])],
        ["`hairline run` of ten pictures", spread(figures["run_s"])],
    ]
    return table(["", "seconds"], rows)


def rows_of(curves: dict[str, Any]) -> list[dict[str, Any]]:
    """The scenes of all three curves."""
    return [row for rows in curves.values() for row in rows]


def draw_limit(of: Sequence[Result], target: Path) -> None:
    engines = {each["figures"]["engine"]: each["figures"]["steps_ms"] for each in of}
    figure, axes = canvas(1, 0.9 + 0.5 * len(engines))
    stacked(axes[0], list(engines), list(engines.values()), horizontal=True)
    axes[0].set_xlabel("core-milliseconds of a picture of one megapixel")
    save(figure, target)


def draw_beside(of: Sequence[Result], target: Path) -> None:
    ways = list(of[0]["figures"]["ways"].values())[::-1]
    figure, axes = canvas(1, 0.9 + 0.3 * len(ways))
    rates = [each["pictures_per_s"] for each in ways]
    middle = [rate["median"] for rate in rates]
    whiskers = [[rate["median"] - rate["least"] for rate in rates], [rate["most"] - rate["median"] for rate in rates]]
    axes[0].barh([each["name"].replace("`", "") for each in ways], middle, xerr=whiskers, color="#4477aa", height=0.6)
    axes[0].set_xlabel("pictures/s, median and range")
    save(figure, target)


def draw_curves(of: Sequence[Result], target: Path) -> None:
    figures = of[0]["figures"]
    figure, axes = canvas(len(figures), 3.0)
    for axis, (name, rows) in zip(axes, figures.items(), strict=True):
        labels = [f"{row['megapixels']:g}" if name == "size" else row["scene"] for row in rows]
        stacked(axis, labels, [row["stage_ms"] for row in rows], horizontal=False)
        axis.set_xlabel({"size": "megapixels", "subjects": "subjects", "boundary": "boundary"}[name])
    axes[0].set_ylabel("core-milliseconds")
    for axis in axes[:-1]:
        axis.get_legend().remove()
    save(figure, target)


def canvas(count: int, height: float) -> tuple[Any, list[Any]]:
    """An empty figure with so many axes beside each other, `height` in inches."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "hairline", "svg.fonttype": "none", "font.size": 9}
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, count, figsize=(WIDTH, height), layout="constrained", squeeze=False)
    for axis in axes[0]:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes[0])


def stacked(axis: Any, labels: list[str], bars: list[dict[str, float]], horizontal: bool) -> None:
    """A bar for each label, one part on the other."""
    parts, reached = dict.fromkeys(part for bar in bars for part in bar), [0.0] * len(bars)
    for part in parts:
        lengths = [bar.get(part, 0.0) for bar in bars]
        if horizontal:
            axis.barh(labels, lengths, left=reached, label=part, height=0.6)
        else:
            axis.bar(labels, lengths, bottom=reached, label=part, width=0.6)
        reached = [at + length for at, length in zip(reached, lengths, strict=True)]
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def save(figure: Any, target: Path) -> None:
    """The figure as SVG, the same bytes for the same figures."""
    from matplotlib import pyplot

    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, metadata={"Date": None, "Creator": None}, facecolor="white")
    pyplot.close(figure)


Table = Callable[[Sequence[Result]], str]
Plot = Callable[[Sequence[Result], Path], None]
TABLES: dict[str, Table] = {
    "limit": limit,
    "offline": offline,
    "online": online,
    "beside": beside,
    "curves": curves,
    "start": start,
}
PLOTS: dict[str, Plot] = {"limit": draw_limit, "beside": draw_beside, "curves": draw_curves}
ALT = {
    "limit": "The steps of a picture as bars, by engine",
    "beside": "Pictures a second of each way as bars",
    "curves": "Core-milliseconds of each stage against size, subjects and boundary",
}


if __name__ == "__main__":
    raise SystemExit(main())
