"""The report: right counts, a bounded size, nothing from outside, and no name that breaks out of its place."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hairline.pipeline.charts import Rates, rates
from hairline.pipeline.compare import write_comparison
from hairline.pipeline.ledger import write_part
from hairline.pipeline.outcome import rows_of_run
from hairline.pipeline.report import funnel, spread, write_report
from hairline.stages.errors import HairlineError
from hairline.stages.reasons import MEANINGS, meaning
from outputs import RUN, Output, Page, row

CODE = Path(__file__).parents[2]


def page(output: str) -> Page:
    return Page(Path(write_report(output)).read_text("utf-8"))


def test_shows_every_status_and_reason(tmp_path: Path) -> None:
    output = Output(tmp_path)
    for number in range(7):
        output.ok(f"shoes/{number}.jpg", number, route="product")
    output.ok("anna.jpg", boxes=[{"x0": 1, "y0": 2, "x1": 30, "y1": 40, "label": "subject", "score": 0.9}])
    output.ended("dark.jpg", "filtered", "too_dark")
    output.ended("broken.jpg", "failed", "truncated", "fetch", detail="the JPEG ends too early")
    found = page(output.write())
    words = " ".join(found.text.split())
    for text in ("6.jpg", "anna.jpg", "Too dark", "dark.jpg", "Truncated", "the JPEG ends too early", "product 7"):
        assert text in words
    assert "Pictures 10 Cut out 8 80.0 % Filtered 1 10.0 % · judged unusable Failed 1 10.0 %" in words
    assert "Pictures per second 4.5 3.25 with start-up" in words
    assert len(found.images) == 8 * 2 + 1  # a pair for each that is ok, one thumbnail of the reject
    assert found.tags["rect"] == 2  # the box, twice: dark below, light above


def test_is_self_contained(tmp_path: Path) -> None:
    output = Output(tmp_path)
    output.ok("a b/ü#?.jpg")
    output.ended("x.jpg", "filtered", "blurred")
    html = Path(write_report(output.write())).read_text("utf-8")
    found = Page(html)
    assert found.images and all(src.startswith("data:image/webp;base64,") for src in found.images)
    assert all(link.startswith(("#", "../cutout/")) for link in found.links)
    assert "../cutout/a%20b/%C3%BC%23%3F.jpg.png" in found.links
    assert not {"script", "link", "iframe", "object", "base"} & set(found.tags)
    assert not re.search(r"url\(|@import|https?://", html)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    evil = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>.jpg"
    output = Output(tmp_path)
    output.rows = [
        row(
            evil, "/nowhere/x.jpg", outputs=[("cutout", f"javascript:{evil}.png")], route="<b onclick=x>", category=evil
        ),
        row(f"f{evil}", evil, status="failed", reason="<i>reason</i>", stage="<u>", detail=f"</td>{evil}"),
        row(f"r{evil}", evil, status="filtered", reason="too_dark", stage="filter"),
    ]
    found = page(output.write({"name": f"</pre>{evil}", "settings": {"a": f"{evil}"}}))
    assert found.tags["script"] == 0 and found.tags["b"] == 0 and found.tags["i"] == 0 and found.tags["img"] == 0
    assert not {"onerror", "onclick"} & found.attributes
    assert all(link.startswith(("#", "../cutout/")) for link in found.links)
    assert found.text.count("alert(1)") >= 4


def test_least_certain_come_first(tmp_path: Path) -> None:
    output = Output(tmp_path)
    for number, confidence in enumerate((0.9, 0.2, None, 0.5)):
        output.ok(f"p{number}.jpg", confidence=confidence)
    text = page(output.write()).text
    places = [text.index(f"p{number}.jpg") for number in (1, 3, 0, 2)]
    assert places == sorted(places)


@pytest.mark.parametrize("status", ["ok", "filtered", "failed"])
def test_one_row(tmp_path: Path, status: str) -> None:
    output = Output(tmp_path)
    if status == "ok":
        output.ok("only.jpg")
    else:
        output.ended("only.jpg", status, "truncated")
    assert "only.jpg" in page(output.write({"throughput": [], "pictures_per_s_steady": None})).text


def test_gone_sources_and_products_leave_placeholders(tmp_path: Path) -> None:
    output = Output(tmp_path)
    output.ok("a.jpg")
    output.ok("b.jpg")
    output.rows[1]["outputs"] = []
    output.ended("c.jpg", "filtered", "too_small")
    place = output.write()
    shutil.rmtree(tmp_path / "catalog")
    shutil.rmtree(tmp_path / "out" / "cutout")
    (tmp_path / "out" / "runs" / f"{RUN}.json").unlink()
    found = page(place)
    assert not found.images
    assert found.text.count("not found") == 4 and found.text.count("no file") == 1


def test_damaged_reject_says_what_is_wrong(tmp_path: Path) -> None:
    output = Output(tmp_path)
    output.ended("a.jpg", "filtered", "too_dark")
    (tmp_path / "catalog" / "a.jpg").write_bytes(b"no picture at all, only words " * 9)
    assert "not a picture" in page(output.write()).text


def test_moved_output_still_shows_its_products(tmp_path: Path) -> None:
    output = Output(tmp_path)
    output.ok("deep/er/a.jpg")
    output.write()
    moved = (tmp_path / "out").rename(tmp_path / "moved")
    found = page(str(moved))
    assert len(found.images) == 2 and "../cutout/deep/er/a.jpg.png" in found.links


def test_in_a_bucket(bucket: str) -> None:
    output = Output(bucket)
    output.ok("a b/ü.jpg")
    output.ended("dark.jpg", "filtered", "too_dark")
    place = write_report(output.write())
    assert place == f"{bucket}/out/report/index.html"
    found = Page(output.folder.read("report/index.html").decode())
    assert len(found.images) == 3


def test_newest_row_counts(tmp_path: Path) -> None:
    output = Output(tmp_path)
    output.ended("a.jpg", "failed", "fetch")
    place = output.write()
    output.rows = []
    output.ok("a.jpg", run_id="20270101T120000Z-0000")
    write_part(output.folder, output.rows)
    assert [(r["id"], r["status"]) for r in rows_of_run(Path(place))] == [("a.jpg", "ok")]


def test_large_catalog_stays_small(tmp_path: Path) -> None:
    output = Output(tmp_path)
    output.ok("0.jpg", confidence=0.1)
    shared = output.rows[0]
    for number in range(1, 20_000):
        route = ("portrait", "product", "animal")[number % 3]
        output.rows.append({**shared, "id": f"{number}.jpg", "route": route, "confidence": number / 20_000})
    output.rows += [
        row(f"bad {n}", "", status="failed", reason="fetch", stage="fetch", detail="x" * 300) for n in range(5_000)
    ]
    place = Path(write_report(output.write()))
    found = Page(place.read_text("utf-8"))
    assert place.stat().st_size < 3_000_000
    assert "25,000" in found.text
    assert "The 12 least certain are above" in " ".join(found.text.split())


@pytest.mark.parametrize("partitions", [1, 8])
def test_a_ledger_in_partitions_gives_the_same_counts(tmp_path: Path, partitions: int, monkeypatch: Any) -> None:
    """The least certain are those of all partitions; the others may be a sample, and the page says so."""
    monkeypatch.setattr("hairline.pipeline.overview.ENOUGH", 20)
    output = Output(tmp_path)
    output.ok("0.jpg", confidence=0.9)
    for number in range(1, 400):
        output.rows.append({**output.rows[0], "id": f"{number}.jpg", "confidence": 0.1 + number % 97 / 100})
    for number in range(200):
        output.rows.append(row(f"dark {number}", status="filtered", reason="too_dark", stage="filter"))
        output.rows.append(row(f"bad {number:03d}", status="failed", reason="fetch", stage="fetch", detail="x"))
    page = Page(Path(write_report(output.write(partitions=partitions))).read_text("utf-8"))
    words = " ".join(page.text.split())
    assert "Pictures 800 Cut out 400 50.0 % Filtered 200 25.0 % · judged unusable Failed 200 25.0 %" in words
    places = [words.index(f" {name} ") for name in ("194.jpg", "291.jpg", "388.jpg", "97.jpg", "1.jpg", "195.jpg")]
    assert places == sorted(places)
    assert "The first 25 of 200" in words and "bad 024" in words and "bad 025" not in words
    sampled = "spread evenly over a sample of" in words
    assert sampled == (partitions > 1) and ("the other 388" in words)


def test_no_results_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(HairlineError, match="no results"):
        write_report(str(tmp_path))


def test_unreadable_summary_is_one_clear_line(tmp_path: Path) -> None:
    output = Output(tmp_path)
    output.ok("a.jpg")
    place = output.write()
    (tmp_path / "out" / "runs" / f"{RUN}.json").write_text("{")
    with pytest.raises(HairlineError, match="cannot be read"):
        write_report(place)


def test_funnel_loses_every_ended_picture_once() -> None:
    ends = Counter(
        {
            ("", "ok", ""): 5,
            ("filter", "filtered", "too_dark"): 3,
            ("filter", "failed", "truncated"): 1,
            ("detect", "filtered", "no_subject"): 2,
            ("mine", "failed", "odd"): 1,
        }
    )
    steps = funnel(ends, ["fine", "filter", "detect"])
    assert [(step.name, step.left) for step in steps] == [
        ("catalog", 12), ("filter", 8), ("detect", 6), ("fine", 6), ("mine", 5)
    ]  # fmt: skip
    assert steps[1].losses == [("filtered", "too_dark", 3), ("failed", "truncated", 1)]


def test_spread_is_even() -> None:
    rows = [{"n": n} for n in range(100)]
    assert [r["n"] for r in spread(rows, 4)] == [12, 37, 62, 87]
    assert spread(rows, 200) == rows and spread([], 3) == []


def test_rates_of_a_steady_run() -> None:
    chart = rates([[n, 4 * n] for n in range(200)])
    assert chart is not None and chart.mean == pytest.approx(4)
    assert heights(chart) == {round(chart.height * (1 - 4 / chart.top), 1)}
    assert rates([]) is None and rates([[3, 5]]) is None and rates([[3, 5], [3, 9]]) is None


def test_rates_show_the_start_up() -> None:
    chart = rates([[10, 0], [11, 5], [12, 10]])
    assert chart is not None and chart.mean == pytest.approx(10 / 12)
    assert heights(chart) == {float(chart.height), 0.0}  # nothing, then 5 pictures/s, the top of the axis


def heights(chart: Rates) -> set[float]:
    return {float(point.split()[1]) for point in chart.line[1:].split("L")}


def test_every_reason_in_the_code_has_a_meaning() -> None:
    pattern = re.compile(
        r'PictureError\(\s*"([a-z_]+)"|\.filter\(\s*self\.name,\s*"([a-z_]+)"'
        r'|Verdict\("([a-z_]+)"|Reason = Literal\[([^]]*)\]'
    )
    used: set[str] = set()
    for file in [*(CODE / "stages").rglob("*.py"), *(CODE / "pipeline").rglob("*.py")]:
        for match in pattern.finditer(file.read_text("utf-8")):
            used |= set(re.findall(r"[a-z_]+", " ".join(filter(None, match.groups()))))
    assert len(used) > 15 and {"too_dark", "no_subject", "truncated", "fetch"} <= used
    assert used <= set(MEANINGS), f"no meaning in pipeline/reasons.py: {sorted(used - set(MEANINGS))}"
    assert meaning("quite_new").title == "Quite new"


def test_summary_keys_are_those_of_a_real_run() -> None:
    from hairline.pipeline.report import SPEED_FIELDS
    from hairline.pipeline.tally import Tally, summary

    real = json.loads(json.dumps(summary(Tally(), RUN, {})))
    assert set(SPEED_FIELDS.values()) <= set(real) and "throughput" in real


def test_a_page_that_is_not_ours_stays(tmp_path: Path) -> None:
    output = Output(tmp_path)
    output.ok("a.jpg")
    place = Path(write_report(output.write()))
    assert write_report(output.folder.root) == str(place)  # its own is replaced
    place.write_bytes(place.read_bytes().replace(b"Pictures", b"My pictures"))
    edited = place.read_bytes()
    with pytest.raises(HairlineError, match=r"report/index\.html: is there and was not written by Hairline"):
        write_report(output.folder.root)
    assert place.read_bytes() == edited
    place.write_bytes(b'<div class="brand">Hairline report</div>')  # as an earlier version left it
    write_report(output.folder.root)
    notes = tmp_path / "notes.html"
    notes.write_text("mine")
    with pytest.raises(HairlineError, match="was not written by Hairline"):
        write_comparison(output.folder.root, output.folder.root, str(notes))
    assert notes.read_text() == "mine"
    (tmp_path / "out" / "runs" / "notes.json").write_text("[]")
    (tmp_path / "out" / "runs" / "notes.txt").write_text("mine")
    write_report(output.folder.root)
