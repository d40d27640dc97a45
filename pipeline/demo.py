"""`hairline demo`: makes the sample catalog and runs it as any other job."""

from __future__ import annotations

from pathlib import Path

import yaml
from rich.console import Console

from ..configs.job import load_job
from ..stages.errors import HairlineError
from .demo_catalog import expected, make_catalog
from .outcome import rows_of_run
from .run import ABORTED, run_job

HEAD = """\
# The demo's job; change it and run it again with: hairline run {job}
# Only what the change concerns is done again. What every field means stands in configs/laptop.yaml.
"""


def run_demo(folder: str, console: Console) -> int:
    """Makes FOLDER/catalog and FOLDER/job.yaml, unless they are there, runs the job and compares with the names.

    The catalog holds damaged files on purpose, so rows that fail are no failure of the demo.

    Returns:
        The exit code: 0, or 1 if the run was aborted.

    Raises:
        HairlineError: as `run_job`, or scikit-image is not installed, or FOLDER holds files that are not the demo's.
    """
    job = make_demo(folder, console)
    code = run_job(load_job(str(job)), (), console)
    if code == ABORTED:
        return code
    rows = rows_of_run(job.parent / "out", ["id", "status", "reason"])
    other = [row for row in rows if expected(row["id"]) != (row["reason"] or row["status"])]
    console.print(f"\n{len(rows) - len(other)} of {len(rows)} pictures ended as their names say", highlight=False)
    for row in other:
        became = " ".join(filter(None, (row["status"], row["reason"])))
        console.print(f"  {row['id']}: {became}", soft_wrap=True, highlight=False, markup=False)
    console.print(f"open {(job.parent / 'out/report/index.html').resolve().as_uri()}", soft_wrap=True, highlight=False)
    return 0


def make_demo(folder: str, console: Console) -> Path:
    """Writes the catalog and the job file where they are missing; returns the job file."""
    root = Path(folder).resolve()
    job = root / "job.yaml"
    if job.exists():
        if not job.read_bytes().startswith(HEAD[:18].encode()):
            raise HairlineError(f"{job}: is there and is not the demo's job; name another folder")
        console.print(f"{root}: catalog and job are there already", soft_wrap=True, highlight=False)
        return job
    names = make_catalog(root / "catalog")
    console.print(f"{len(names)} pictures in {root / 'catalog'}", soft_wrap=True, highlight=False)
    data = {
        "input": str(root / "catalog"),
        "output": str(root / "out"),
        "products": ["cutout"],
        "pools": [
            {
                "name": "all",
                "stages": ["filter", "classify", "detect", "coarse", "fine", "products"],
                "cpus": 1,
                "workers": "auto",
                "batch": 8,
            }
        ],
    }
    job.write_text(HEAD.format(job=job) + yaml.safe_dump(data, sort_keys=False, allow_unicode=True), "utf-8")
    return job
