"""Lists, notes, rows and files in an output that are damaged or forged: they delete nothing, and are named."""

import json
from pathlib import Path

import pytest

from hairline.pipeline.atomic import md5
from hairline.pipeline.compaction import compact
from hairline.pipeline.ledger import Ledger
from hairline.pipeline.made import Entry, clear_dead, leave, made_by_cuts, made_in, torn
from hairline.pipeline.presence import me, present
from hairline.pipeline.storage import WORK
from hairline.pipeline.strangers import strangers
from hairline.stages.errors import HairlineError
from worked_output import WorkedOutput


@pytest.mark.parametrize(
    ("id", "name"),
    [
        *(("a", "../../mine.txt"), ("a", "/mine.txt"), ("mine", "mine.txt"), ("mine", "negative/other.txt")),
        *(("all-00000", "results/all-00000.parquet"), ("x", ".cut/x.json"), ("a", "negative/../../../mine.txt")),
    ],
)
def test_a_list_that_names_what_no_run_makes(tmp_path: Path, id: str, name: str) -> None:
    """Nothing is deleted by it, in the output or outside: it is named, for somebody to move away."""
    output = WorkedOutput(str(tmp_path / "above" / "out"), str(tmp_path / "in"))
    output.run("r1", "a")
    compact(Ledger(output.folder()), "r1")
    target = Path(output.root, name.lstrip("/"))
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        target.write_bytes(b"mine")
    before, entry = target.read_bytes(), Entry(id, name, md5(target.read_bytes()))
    made = f"{WORK}/r0/made-{'0' * 32}.json"
    output.folder().write(made, json.dumps({"maker": me()._replace(started="1"), "entries": [entry]}).encode())
    with present(output.folder("r2")), pytest.raises(HairlineError, match=rf"{made}: damaged, or no list"):
        clear_dead(output.folder("r2"), also="r2")
    assert target.read_bytes() == before and output.folder().has(made)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"maker": 1, "entries": []}', '{"maker": [], "entries": [[1]]}'])
def test_a_damaged_list_is_named(output: WorkedOutput, text: str) -> None:
    output.folder().write(name := f"{WORK}/r0/made-{'0' * 32}.json", text.encode())
    with pytest.raises(HairlineError, match=rf"{name}: damaged, or no list"):
        torn(output.folder())


@pytest.mark.parametrize("text", ["", "[1]", "null", "\xff"])
def test_a_damaged_note_of_a_cut_is_named(output: WorkedOutput, text: str) -> None:
    output.folder().write(name := ".cut/20260101T000000.000Z-aaaa.json", text.encode("latin1"))
    with pytest.raises(HairlineError, match=rf"{name}: damaged, or no note"):
        made_by_cuts(output.folder())


def test_a_damaged_results_file_is_named(output: WorkedOutput) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    output.run("r1", "a")
    (good,) = output.folder().names("results")
    table = pq.read_table(pa.BufferReader(output.folder().read(good)))
    texts = [b"", b"PAR1, but not further", output.folder().read(good)[:-20]]
    for column, values in (("outputs", pa.array([7])), ("id", pa.nulls(1, pa.string())), ("run_id", pa.nulls(1))):
        sink = pa.BufferOutputStream()
        pq.write_table(table.set_column(table.column_names.index(column), column, values), sink)
        texts.append(sink.getvalue().to_pybytes())
    for text in texts:
        output.folder().write("results/all-00000.parquet", text)
        with pytest.raises(HairlineError, match=r"results/all-00000\.parquet: a damaged results file; move it away"):
            Ledger(output.folder()).read(["id", "outputs"])


def test_a_row_leads_nowhere_else(tmp_path: Path) -> None:
    """A forged row names neither files outside of the output nor the results themselves."""
    uris = {"../../above": "x.txt", "..": "x.txt", "results": "x.parquet", ".cut": "x.json", "negative": None}
    row = {"id": "x", "outputs": list(uris.items()), "digests": None}
    assert list(made_in(row)) == [("..%2F..%2Fabove/x.txt", None), ("%2E%2E/x.txt", None), ("negative/x.", None)]
    assert list(made_in({**row, "outputs": [("negative", "x.png")], "digests": [("negative", None)]})) == [
        ("negative/x.png", "")
    ]


def test_somebody_elses_files_among_the_unfinished_stay(output: WorkedOutput) -> None:
    """`.partial` is a usual name for such a folder: other tools use it as well."""
    folder = output.folder("r2")
    mine = {f"{WORK}/r1/holiday.raw": b"1", f"{WORK}/upload/sub/x": b"2", f"{WORK}/y": b"3", ".cut/z": b"4"}
    for name, data in mine.items():
        folder.write(name, data)
    folder.write(f"{WORK}/r1/made-{'0' * 32}.json", b'{"maker": ["boot", "space", 1, "1"], "entries": []}')
    with present(folder):
        (other,) = clear_dead(folder, also="r2")
        assert (other.run_id, other.files) == ("r1", [f"{WORK}/r1/made-{'0' * 32}.json"])
        assert clear_dead(folder, alone=True, also="r2") == []
        assert {name: data for name, data in output.files().items() if "unfinished" not in name} == mine
    leave(folder)
    assert output.files() == mine
    if folder.local:
        assert strangers(folder, Ledger(folder), []) == len(mine)
