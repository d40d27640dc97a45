"""Whether a rendered job that `ray job submit` hands to a cluster leaves what the same file leaves without one.

    python benchmarks/submitted.py [--pictures N]

Renders the manifests of a job file, takes file and entrypoint as the pods would have them (`configmap.yaml`,
`rayjob.yaml`), starts a head with its dashboard on this machine that asks for a token, and submits. Then
`hairline run` on a Ray of its own, into another output. Products are compared by their digests, rows by all that does
not tell the time, the try, or the folder. Ends with one line of JSON; exit 1 when a row or a product differs.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from command import free_port
from pictures import make
from record import record

from hairline.pipeline.ledger import SCHEMA, Ledger
from hairline.pipeline.storage import Folder

VOLATILE = {"seconds", "attempts", "run_id", "outputs", "fingerprint"}  # the last one has the job's text in it
BIN = Path(sys.executable).parent
JOB: dict[str, Any] = {
    "products": ["cutout", "mask"],
    "pools": [
        {"name": "read", "stages": ["filter", "classify"], "cpus": 0.5, "workers": 1, "batch": 4},
        {"name": "networks", "stages": ["detect", "coarse", "fine", "products"], "workers": 1, "batch": 4},
    ],
    "nodes": [{"name": "cpu", "cpus": 2, "max": 1}],
}


@contextlib.contextmanager
def head(environ: dict[str, str], said: Path) -> Iterator[str]:
    """A cluster of one node; gives the address to submit to. Ends with all of its processes."""
    dashboard = free_port()
    command = [BIN / "ray", "start", "--head", "--block", f"--port={free_port()}", "--num-cpus=2"]
    command += ["--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}", "--disable-usage-stats"]
    command += [f"--dashboard-agent-listen-port={free_port()}"]  # Ray's own may be taken: no job could be submitted
    with said.open("wb") as out:
        process = subprocess.Popen(command, env=environ, stdout=out, stderr=out, start_new_session=True)
    try:
        yield f"http://127.0.0.1:{dashboard}"
    finally:
        members = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        for member in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait(30)


def submit(address: str, entrypoint: str, environ: dict[str, str]) -> None:
    """Submits as soon as the dashboard is there, and waits for the job's end."""
    command = [BIN / "ray", "job", "submit", "--address", address, "--", *shlex.split(entrypoint)]
    deadline = time.monotonic() + 180
    while True:
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
        if "submitted successfully" in done.stdout + done.stderr:
            break  # before that the dashboard, or the agent that starts jobs, is not there yet
        if time.monotonic() > deadline:
            sys.exit(f"nothing could be submitted to {address}:\n{done.stderr[-2000:]}")
        time.sleep(1)
    if done.returncode:
        sys.exit(f"the submitted job did not succeed:\n{(done.stdout + done.stderr)[-3000:]}")


def left(output: Path) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """The products by their digests, and the rows by their ids."""
    names = [path for product in JOB["products"] for path in (output / product).rglob("*") if path.is_file()]
    files = {str(path.relative_to(output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in names}
    columns = [name for name in SCHEMA.names if name not in VOLATILE]
    ledger = Ledger(Folder(str(output)))
    return files, {row["id"]: row for name in ledger.files for row in ledger.table(name, columns).to_pylist()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--quick", action="store_true", help="8 pictures")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hl-") as folder:
        base = Path(folder)
        paths = make(base / "catalog", 8 if args.quick else args.pictures, rendered=False)
        paths[0].write_bytes(b"no picture")  # one that fails
        job = {"input": str(base / "catalog"), "output": str(base / "submitted"), **JOB, "allow_failed": 1}
        (base / "nightly.yaml").write_text(yaml.safe_dump(job, sort_keys=False))
        hairline = [sys.executable, "-m", "hairline"]
        deploy = base / "deploy"
        rendered = [*hairline, "cluster", "render", str(base / "nightly.yaml"), "--output", str(deploy)]
        subprocess.run(rendered, check=True, capture_output=True)
        entrypoint = yaml.safe_load((deploy / "rayjob.yaml").read_text())["spec"]["entrypoint"]
        [(name, text)] = yaml.safe_load((deploy / "configmap.yaml").read_text())["data"].items()
        (base / name).write_text(text)
        entrypoint = entrypoint.replace(f"/etc/hairline/{name}", str(base / name)).replace(":8081", f":{free_port()}")
        environ = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": folder, "RAY_TMPDIR": folder}
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "of-this-cluster"}
        with head(environ | token, base / "said") as address:
            submit(address, entrypoint, environ | token)
        alone = [*hairline, "run", str(base / name), "--output", str(base / "alone")]
        subprocess.run(alone, env=environ, check=True, capture_output=True)
        (files, rows), (own_files, own_rows) = left(base / "submitted"), left(base / "alone")
    differ = [id for id in rows.keys() | own_rows.keys() if rows.get(id) != own_rows.get(id)]
    other = [name for name in files.keys() | own_files.keys() if files.get(name) != own_files.get(name)]
    found = {"entrypoint": entrypoint, "rows": len(rows), "rows_alone": len(own_rows), "rows_differ": differ[:5]}
    record({**found, "products": len(files), "products_differ": other[:5]})
    return 1 if differ or other or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
