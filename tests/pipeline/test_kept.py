"""What a run keeps, and a later one that starts there: the same bytes as from the beginning, and less work."""

from dataclasses import replace
from pathlib import Path

import pytest

from hairline.cluster.nodes import this_machine
from hairline.cluster.session import Cluster
from hairline.configs.job import load_job
from hairline.pipeline.compaction import compact
from hairline.pipeline.feed import Feed
from hairline.pipeline.kept import clear_kept, read_kept, write_kept
from hairline.pipeline.ledger import Ledger
from hairline.pipeline.outdated import save_ingredients
from hairline.pipeline.prepare import Prepared, describe, prepare
from hairline.pipeline.run import _errand, _specs
from hairline.pipeline.storage import Folder
from hairline.pipeline.tally import new_run_id
from hairline.pipeline.worker import Worker
from hairline.stages.errors import HairlineError
from hairline.stages.item import Item
from hairline.stages.state import pack
from kit import jpeg
from serve_kit import photo

FINER = "stages.fine.sure=0.02"
HERE = Cluster(this_machine())
RUN = "20260101T000000.000Z-0000"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "cat.jpg").write_bytes(photo("chelsea", 320, 240))
    (folder / "astronaut.jpg").write_bytes(photo())
    (folder / "dark.jpg").write_bytes(jpeg(1, 300, 200, dark=True))
    (folder / "text.jpg").write_bytes(b"hello")
    return folder


class Output:
    """A job's output; runs without Ray."""

    def __init__(self, pictures: Path, path: Path) -> None:
        self.pictures, self.folder = pictures, Folder(str(path))

    def prepared(self, *changes: str, force: str = "") -> tuple[Prepared, Folder]:
        job = load_job("laptop.yaml", changes, input=str(self.pictures), output=self.folder.root)
        output = Folder(job.output, new_run_id())
        return prepare(job, output, [this_machine()], force=force), output

    def run(self, *changes: str, force: str = "") -> dict[str, set[str]]:
        """One run; picture -> the stages that it went through."""
        prepared, output = self.prepared(*changes, force=force)
        save_ingredients(output, prepared.fingerprint, prepared.parts)
        if not len(prepared.todo):
            return {}
        (spec,) = _specs(prepared, output, HERE, _errand(prepared, output, HERE), [])
        spec = replace(spec, leased=False)
        worker, done = Worker(spec), {}
        for tasks in Feed(prepared.todo, 8, 1, output):
            batch = worker.start(tasks)
            worker.work(batch)
            done.update({each.item.id: set(each.item.seconds) - {"fetch", "write"} for each in batch})
            worker.finish(batch)
        ledger = Ledger(output)
        compact(ledger, output.run_id)
        clear_kept(output, ledger)
        return done

    def products(self) -> dict[str, bytes]:
        names = [*self.folder.names("cutout"), *self.folder.names("mask")]
        return {name: self.folder.read(name) for name in names}

    def rows(self) -> list[dict[str, object]]:
        columns = ["id", "status", "reason", "stage", "width", "quality", "category", "boxes", "route", "confidence"]
        return Ledger(self.folder).read(columns).to_pylist()


def test_a_run_starts_where_something_changed(pictures: Path, tmp_path: Path) -> None:
    output, fresh = Output(pictures, tmp_path / "out"), Output(pictures, tmp_path / "fresh")
    keep = "restart_at=[fine, products]"
    everything = {"filter", "classify", "detect", "coarse", "fine", "products"}
    done = output.run(keep)
    assert done == {"cat.jpg": everything, "astronaut.jpg": everything, "dark.jpg": {"filter"}, "text.jpg": {"filter"}}
    assert len(output.folder.names("kept")) == 1
    assert output.run(keep) == {}
    (output.pictures / "new.txt.jpg").write_bytes(b"hello")
    assert output.prepared(keep, "products=mask")[0].spared == []  # a new picture needs them all
    (output.pictures / "new.txt.jpg").unlink()

    mask = "products=[cutout: {format: webp}, mask]"
    prepared, _ = output.prepared(keep, mask)
    assert "(2 outdated); outdated by products: 2 need products and what follows" in describe(prepared)
    assert prepared.spared == ["filter", "classify", "detect", "coarse", "fine"]
    assert output.run(keep, mask) == {"cat.jpg": {"products"}, "astronaut.jpg": {"products"}}
    fresh.run(mask)
    assert output.products() == fresh.products() and len(output.products()) == 4
    assert output.rows() == fresh.rows()
    assert len(output.folder.names("kept")) == 1  # that of the first run has no row any more

    assert output.run(keep, mask, FINER) == {name: {"fine", "products"} for name in ("cat.jpg", "astronaut.jpg")}
    refined = Output(pictures, tmp_path / "refined")
    refined.run(mask, FINER)
    assert refined.products() != fresh.products()
    assert output.products() == refined.products() and output.rows() == refined.rows()

    # a stage before the first that is kept, a stage that is asked for, and what is kept no more
    assert output.run(mask, FINER, force="products") == {"cat.jpg": {"products"}, "astronaut.jpg": {"products"}}
    assert output.run(mask, FINER, force="coarse") == {"cat.jpg": everything, "astronaut.jpg": everything}
    assert output.folder.names("kept") == []
    assert output.run(mask, force="") == {"cat.jpg": everything, "astronaut.jpg": everything}
    assert output.products() == fresh.products()


def test_a_stage_that_is_not_there(pictures: Path, tmp_path: Path) -> None:
    output = Output(pictures, tmp_path / "out")
    with pytest.raises(HairlineError, match="--from fien: no pool runs such a stage; did you mean fine"):
        output.prepared(force="fien")
    with pytest.raises(HairlineError, match="restart_at: no pool runs the stage fien; did you mean fine"):
        output.prepared("restart_at=fien")


def test_damaged_files_are_done_without(pictures: Path, tmp_path: Path) -> None:
    output = Output(pictures, tmp_path / "out")
    output.run("restart_at=products")
    (name,) = output.folder.names("kept")
    output.folder.write(name, b"nonsense")
    done = output.run("restart_at=products", "products=mask")
    assert {len(stages) for stages in done.values()} == {6}


def test_files_of_kept_states(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    states = {"a": {"fine": pack(Item("a", "a"))}, "b": {}}
    name = write_kept(folder, RUN, states)
    assert read_kept(folder, name) == {"a": states["a"]}
    assert write_kept(folder, RUN, {"b": {}}) == ""
    folder.write("kept/mine.parquet", b"not ours")
    clear_kept(folder, Ledger(folder))
    assert folder.names("kept") == ["kept/mine.parquet"]
    with pytest.raises(ValueError, match="no file of kept states"):
        read_kept(folder, "cutout/a.png")
