"""An output into which one worker works batches, without Ray; also one that is killed in between."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hairline.cluster.stage_runner import PoolSpec
from hairline.pipeline.ledger import Ledger
from hairline.pipeline.made import Old, made_in
from hairline.pipeline.source import Source
from hairline.pipeline.storage import Folder
from hairline.pipeline.worker import Task, Worker, WorkerSpec
from hairline.stages.limits import Limits
from kit import jpeg
from own_stages import InvertSettings, JudgeSettings

KILLED = """
import os, signal, sys
sys.path.insert(0, {here!r})
from worked_output import WorkedOutput
from hairline.pipeline.presence import present
output = WorkedOutput({root!r}, {catalog!r})
with present(output.folder("r1")):
    worker, batch = output.worked("r1", {ids!r}, ext={ext!r}, old={old!r})
    with worker.written(batch):
        os.kill(os.getpid(), signal.SIGKILL)
"""


class WorkedOutput:
    """An output, and a catalog of pictures whose ids are their names; no Ray."""

    def __init__(self, root: str, catalog: str) -> None:
        self.root, self.catalog = root, Path(catalog)

    def folder(self, run_id: str = "") -> Folder:
        return Folder(self.root, run_id)

    def worked(self, run_id: str, ids: str, ext: str = "png", old: dict[str, Old] | None = None):  # type: ignore[no-untyped-def]
        """A worker that is about to write a batch; pictures `d…` are dark and end as filtered."""
        tasks = []
        for id in ids.split():
            path = self.catalog / id
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(sum(id.encode()), dark=id.startswith("d")))
            tasks.append(Task(Source(id, str(path)), (old or {}).get(id, {})))
        stages = (("own_stages:Judge", JudgeSettings()), ("own_stages:Invert", InvertSettings(ext=ext)))
        worker = Worker(WorkerSpec(PoolSpec("all", stages, 1, 0, 8), Limits(), self.root, "f", run_id))
        batch = worker.start(tasks)
        worker.work(batch)
        return worker, batch

    def run(self, run_id: str, ids: str, ext: str = "png", old: dict[str, Old] | None = None) -> dict[str, str]:
        """One batch; returns how its pictures ended."""
        worker, batch = self.worked(run_id, ids, ext, old)
        worker.finish(batch)
        rows = Ledger(self.folder()).read(["id", "status", "reason", "detail"]).to_pylist()
        self.details = {row["id"]: row["detail"] for row in rows}
        return {row["id"]: row["reason"] or row["status"] for row in rows if row["id"] in ids.split()}

    def old(self) -> dict[str, Old]:
        rows = Ledger(self.folder()).read(["id", "outputs", "digests"]).to_pylist()
        return {row["id"]: dict(made_in(row)) for row in rows}

    def files(self) -> dict[str, bytes]:
        """Everything but results."""
        folder = self.folder()
        return {name: folder.read(name) for name in folder.names("") if not name.startswith("results/")}

    def killed(self, ids: str, ext: str = "png", old: dict[str, Old] | None = None) -> None:
        """A process that dies when the products of its batch are written and its rows are not."""
        here = str(Path(__file__).parent)
        code = KILLED.format(here=here, root=self.root, catalog=str(self.catalog), ids=ids, ext=ext, old=old)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
        assert done.returncode == -9, done.stderr
