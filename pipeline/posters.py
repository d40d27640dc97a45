"""A poster for each row of a table, in this process; what is no cut-out yet is cut out as by `hairline cut`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from ..cluster.nodes import cores
from ..cluster.stage_runner import PoolSpec
from ..configs.documents import read_config
from ..configs.job import Job, check
from ..stages.decode.colours import as_srgb
from ..stages.decode.picture import Picture
from ..stages.documents import did_you_mean
from ..stages.errors import HairlineError, PictureError
from ..stages.item import Item
from ..stages.limits import Limits
from ..stages.products.layers import Layer
from ..stages.products.poster import Format, make_poster
from ..stages.products.poster_template import PosterTemplate, read_template
from ..stages.products.stage import whole_matte
from ..stages.registry import stage_class
from ..stages.verdicts import judged
from .beside import cut_output
from .cut import BATCH, write_cut
from .fetch import fetch_named
from .made import made_by_cuts, merge_cuts
from .names import visible
from .partitions import Scratch
from .source import Source
from .storage import display, is_local, local_path
from .text_tables import as_text, csv_rows, json_rows
from .worker import PendingItem, Task, Worker, WorkerSpec

ENDINGS = (".csv", ".jsonl", ".ndjson")
LIMITS = Limits(max_bytes=1 << 30)  # of a table
REMEMBERED = 16  # cut-outs in memory at once: rows that share a picture mostly lie near each other


@dataclass
class PosterRow:
    """A row of the table.

    Attributes:
        id: names its poster.
        pictures: place -> where its picture is.
        problem: why it makes no poster, where that is known already.
    """

    id: str
    values: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    problem: str = ""


@dataclass
class CutOut:
    """A picture's subject, in sRGB, or why there is none."""

    layer: Layer | None
    problem: str = ""


def make_posters(
    template_name: str,
    table: str,
    output: str,
    kind: Format,
    changes: Sequence[str],
    console: Console,
    as_json: bool = False,
) -> int:
    """Makes a poster of each row; they go to OUTPUT/<template>/<id>.<ext>.

    Args:
        table: CSV or JSON lines, a path or URL. A column for each place of the template names a picture; `id`, where
            there is one, names the poster; the others are what the template's texts take.
        changes: `a.b=c`, of the stages, as for a job.

    Returns:
        The exit code: 0, or 3 if a row made no poster, or one that fails a check.

    Raises:
        HairlineError: the template or the table is wrong (file, line, key), or the output cannot be written.
    """
    template = read_template(template_name)
    rows = read_rows(table, template)
    document = read_config("laptop.yaml")
    document.put("input", table, "--rows")
    document.put("output", output, "--output")
    for change in changes:
        document.set(change)
    job = check(document)
    name = Path(template_name).stem
    failed = False
    with cut_output(output) as folder:
        worker = _worker(job, folder.root, folder.run_id)
        with folder.writing():
            earlier = made_by_cuts(folder)
        known: dict[str, CutOut] = {}
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            _cut(worker, some, known)
            made = [_made(row, template, name, known, kind, job) for row in some]
            written = write_cut(worker, [PendingItem(item, {}) for item in made], earlier)
            for item, row in zip(made, written, strict=True):
                failed |= item.status != "ok" or item.verdicts[0].verdict == "fail"
                _tell(item, row["outputs"], console, as_json)
        with folder.writing():
            merge_cuts(folder)
    return 3 if failed else 0


def read_rows(table: str, template: PosterTemplate) -> list[PosterRow]:
    """The rows of a table, with what is wrong with single ones.

    Raises:
        HairlineError: it cannot be read, holds no rows, or lacks a column that the template takes.
    """
    if not table.lower().endswith(ENDINGS):
        raise HairlineError(f"--rows {table}: must be a table of rows, {', '.join(ENDINGS)}")
    scratch = Scratch()
    try:
        path = local_path(table) if is_local(table) else scratch.path("rows")
        if not is_local(table):
            Path(path).write_bytes(fetch_named("rows", table, LIMITS))
        found = list(_values(table, path, template))
    except OSError as error:
        raise HairlineError(f"rows {table}: cannot be read: {error.strerror}") from error
    if not found:
        raise HairlineError(f"rows {table}: there are none below the head")
    folder = table.rpartition("/")[0]
    rows: list[PosterRow] = []
    seen: dict[str, int] = {}
    for number, values, problem in found:
        pictures = {place: _full(values.get(column, ""), folder) for place, column in _places(template, values).items()}
        empty = [place for place, uri in pictures.items() if not uri]
        id = values.get("id", "") or f"row-{number:04d}"
        if not problem and empty:
            problem = f"the column {_places(template, values)[empty[0]]} names no picture"
        if id in seen:
            problem, id = f"the id {id} stands in row {seen[id]} already", f"{id}~{number}"
        seen[id] = number
        rows.append(PosterRow(id, values, pictures, f"row {number}: {problem}" if problem else ""))
    return rows


def _values(table: str, path: str, template: PosterTemplate) -> Iterator[tuple[int, dict[str, str], str]]:
    """Line, values by column, and what is wrong with the row."""
    called = f"rows {table}"
    known = ["id", *(place.name for place in template.data.subjects), *template.columns]
    if path.lower().endswith(".csv") or table.lower().endswith(".csv"):
        names, rows = csv_rows(called, path, known)
        _check_columns(called, names, template)
        for number, fields, problem in rows:
            yield number, dict(zip(names, fields, strict=False)), problem
        return
    checked = False
    for number, given, problem in json_rows(called, path):
        if given and not checked:
            _check_columns(called, list(given), template)
            checked = True
        values = {}
        for name in given:
            try:
                values[name] = as_text(given[name], name, number=True)
            except ValueError as error:
                problem = problem or (str(error) if name in known else "")
        yield number, values, problem


def _check_columns(called: str, names: Sequence[str], template: PosterTemplate) -> None:
    places = _places(template, dict.fromkeys(names, ""))
    texts = [name for name, needed in template.columns.items() if needed]
    for name in (*places.values(), *texts):
        if name not in names:
            what = "place for a picture" if name in places.values() else "text"
            raise HairlineError(
                f"{called}: no column {name}, which a {what} of {template.name} takes{did_you_mean(name, names)}"
            )


def _places(template: PosterTemplate, values: Mapping[str, str]) -> dict[str, str]:
    """Place -> the column that names its picture: of its own name; of a single one `uri` will do, as in manifests."""
    names = [place.name for place in template.data.subjects]
    if len(names) == 1 and names[0] not in values and "uri" in values:
        return {names[0]: "uri"}
    return {name: name for name in names}


def _full(uri: str, folder: str) -> str:
    return f"{folder}/{uri}" if uri and folder and "://" not in uri and not uri.startswith(("/", "~")) else uri


def _worker(job: Job, output: str, run_id: str) -> Worker:
    """All stages but the last; networks are loaded when the first picture comes that is no cut-out yet."""
    stages = tuple((name, settings) for name, settings in job.stages.items() if name != "products")
    spared = frozenset(stage_class(name).name for name, _ in stages)
    gpu = 1.0 if torch.cuda.is_available() else 0.0
    pool = PoolSpec("poster", stages, cores(), gpu, BATCH, spared=spared)
    return Worker(WorkerSpec(pool, job.limits, output, "", run_id))


def _cut(worker: Worker, rows: Sequence[PosterRow], known: dict[str, CutOut]) -> None:
    """Fills in the cut-outs that some rows need, each picture once."""
    uris = dict.fromkeys(uri for row in rows if not row.problem for uri in row.pictures.values())
    missing = [uri for uri in uris if uri not in known]
    for uri in [uri for uri in known if uri not in uris][: max(0, len(known) + len(missing) - REMEMBERED)]:
        del known[uri]
    for start in range(0, len(missing), BATCH):
        batch = worker.start([Task(Source(uri, uri)) for uri in missing[start : start + BATCH]])
        photographs = [work for work in batch if not _is_cut_out(work.item, known)]
        if photographs:
            worker.work(photographs)
        for work in photographs:
            known[work.item.id] = _cut_out(work.item)


def _is_cut_out(item: Item, known: dict[str, CutOut]) -> bool:
    """Whether a picture needs no cutting, for its own alpha is a matte; if so, it is known then."""
    if item.ended:
        return False
    try:
        picture = item.picture
        if picture.own_matte is None:
            return False
        known[item.id] = _in_srgb(picture, picture.colours(), picture.own_matte)
    except PictureError as error:
        item.fail("decode", error)
        return False
    return True


def _cut_out(item: Item) -> CutOut:
    if item.status == "ok":
        matte = whole_matte(item)
        if matte.alpha.any():
            return _in_srgb(matte.picture, matte.foreground, matte.alpha)
        return CutOut(None, "no_subject: nothing of the picture is left in its alpha")
    return CutOut(None, f"{item.reason}: {item.detail}" if item.detail else item.reason)


def _in_srgb(picture: Picture, colours: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> CutOut:
    """A cut-out, without what is empty around it."""
    layer = Layer(as_srgb(colours, picture.icc_profile), alpha)
    return CutOut(layer.cut(layer.box))


def _made(
    row: PosterRow, template: PosterTemplate, name: str, known: Mapping[str, CutOut], kind: Format, job: Job
) -> Item:
    """A row's item, ended: with its poster, or with why there is none."""
    item = Item(row.id, display(next(iter(row.pictures.values()), "")), limits=job.limits, columns=row.values)
    try:
        if row.problem:
            raise PictureError("template", row.problem)
        layers: dict[str, Layer] = {}
        for place, uri in row.pictures.items():
            layer = known[uri].layer
            if layer is None:
                raise PictureError("template", f"{place} {display(uri)}: {known[uri].problem}")
            layers[place] = layer
        made = make_poster(template, layers, row.values, kind)
        item.outputs, item.verdicts = {name: made}, [judged(name, template.name, made.checks)]
        item.finish()
    except PictureError as error:
        item.fail("poster", error)
    return item


def _tell(item: Item, outputs: Sequence[tuple[str, str]], console: Console, as_json: bool) -> None:
    files, verdict = [uri for _, uri in outputs], item.verdicts[0] if item.verdicts else None
    checks = [asdict(check) for check in verdict.checks] if verdict else []
    answer = verdict.verdict if verdict else ""
    if as_json:
        told = {"id": item.id, "status": item.status, "detail": item.detail, "file": files[0] if files else ""}
        print(json.dumps({**told, "verdict": answer, "checks": checks}, ensure_ascii=False))
        return
    wrong = [check for check in checks if check["verdict"] != "pass"]
    said = "; ".join(f"{check['name']}: {check['value'] or 'not measured'} ({check['bound']})" for check in wrong)
    ended = f"{item.reason}  {item.detail}" if item.reason else "  ".join(files)
    line = visible(f"{item.id}  {item.status}  {ended}  {answer}  {said}".rstrip())
    console.print(line, soft_wrap=True, highlight=False, markup=False)
