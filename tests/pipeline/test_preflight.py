"""What a node is asked before the first picture, and what is told of it."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from failing_s3 import Answer, FailingS3
from hairline.pipeline.preflight import Errand, Finding, _problems, admit, look, own_versions, preflight
from hairline.pipeline.presence import present
from hairline.pipeline.source import Source, local_source
from hairline.pipeline.storage import WORK, Folder, filesystem
from hairline.stages.classify import ClassifySettings, ClassifyStage
from hairline.stages.errors import HairlineError
from hairline.stages.limits import Limits
from kit import hairline, jpeg
from worked_output import WorkedOutput

CLASSIFY = (("classify", ClassifySettings()),)


def errand(output: str, *sources: Source, **changes: object) -> Errand:
    made = Errand(sources, Limits(), (), {}, output, "r1", own_versions())
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def picture(tmp_path: Path) -> Source:
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    return local_source("a.jpg", str(tmp_path / "a.jpg"))


@pytest.fixture
def missing(tmp_path: Path) -> Source:
    return Source("none.jpg", str(tmp_path / "none.jpg"))


def test_a_node_that_can_do_the_work_leaves_nothing(output: WorkedOutput, picture: Source, missing: Source) -> None:
    folder = output.folder("r1")
    weights = {"classify": ClassifyStage.weight_hashes(ClassifySettings())}
    with present(folder):
        before = folder.names("")
        asked = errand(output.root, missing, picture, stages=CLASSIFY, weights=weights)
        assert look(asked) == Finding(read=(picture.uri,))
        assert preflight(asked, joined=False) == (picture.uri,)
        assert folder.names("") == before


def test_what_is_wrong_with_a_node(tmp_path: Path, picture: Source) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder = Folder(str(tmp_path / "out"), "r1")
    with present(folder):
        versions = own_versions() | {"ray": "2.0.0"}
        (line,) = look(errand(folder.root, picture, versions=versions)).problems
        assert line.startswith("ray is 2.") and "2.0.0 where the command runs" in line
        weights = {"classify": dict.fromkeys(ClassifyStage.weight_hashes(ClassifySettings()), "0" * 64)}
        (line, *_) = look(errand(folder.root, picture, stages=CLASSIFY, weights=weights)).problems
        assert line.startswith("stage classify: the weights of ") and "are others there" in line
        lacks = (("classify", ClassifySettings(weights=str(tmp_path / "none.safetensors"))),)
        (line, *_) = look(errand(folder.root, picture, stages=lacks, weights={"classify": {}})).problems
        assert line.startswith("weights not found: ")
    elsewhere = str(tmp_path / "elsewhere")
    (line,) = look(errand(elsewhere, picture)).problems
    assert line.startswith(f"output {elsewhere}: is another folder there") and not any(Path(elsewhere).iterdir())
    with pytest.raises(HairlineError, match="is another folder there"):
        preflight(errand(elsewhere, picture), joined=False)


def test_a_worker_on_a_node_that_joined_later_does_not_start(tmp_path: Path, picture: Source, missing: Source) -> None:
    folder = Folder(str(tmp_path / "out"), "r1")
    with present(folder):
        admit(errand(folder.root, picture))
        with pytest.raises(
            HairlineError, match=rf"^node {socket.gethostname()}: input {missing.uri}: .*other nodes can"
        ):
            admit(errand(folder.root, missing))
        with pytest.raises(HairlineError, match=r"torch is .* there, and 1\.0 where the command runs"):
            admit(errand(folder.root, picture, versions=own_versions() | {"torch": "1.0"}))


def test_pictures_that_nobody_can_read_end_as_rows(tmp_path: Path, picture: Source, missing: Source) -> None:
    folder = Folder(str(tmp_path / "out"), "r1")
    with present(folder):
        asked = errand(folder.root, missing)
        found = look(asked)
        assert found.unread.startswith(f"input {missing.uri}: ") and not found.shared
        assert preflight(asked, joined=False) == ()
        assert preflight(errand(folder.root), joined=False) == ()
    (line,) = _problems(found, some_read=True, errand=asked)  # where another node can, it is this node's fault
    assert line.endswith("other nodes can: put it where all nodes reach it, at the same path")


def test_a_bucket_that_may_not_be_read_is_told_before_the_start(
    bucket: str, s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_connections: Callable[[], None]
) -> None:
    filesystem("s3").pipe_file(f"{bucket[5:]}/a", b"x")
    proxy = FailingS3(s3_server, lambda request: Answer(403, "AccessDenied", "Access Denied"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    new_connections()
    folder = Folder(str(tmp_path / "out"), "r1")
    with present(folder), pytest.raises(HairlineError, match=rf"^input {bucket}/a: Access Denied$"):
        preflight(errand(folder.root, Source("a", f"{bucket}/a", size=1)), joined=False)
    proxy.close()


@pytest.mark.slow
def test_a_folder_that_only_one_node_has(cluster: Cluster, job_file: Callable[..., Path], catalog: Path) -> None:
    """A second node that sees another folder in place of the input's; then one that is like the first."""
    inside = f"mount -t tmpfs tmpfs {catalog} && exec {Path(sys.executable).parent}/ray start --block --num-cpus=1"
    command = ["unshare", "-m", "sh", "-c", f"{inside} --address={cluster.address} --disable-usage-stats"]
    node = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while len(nodes := [each for each in cluster_nodes(cluster) if each["Alive"]]) < 2:
            if node.poll() is not None or time.monotonic() > deadline:
                pytest.skip("a node with folders of its own cannot be started here")
            time.sleep(0.5)
        done = hairline("run", job_file(), RAY_ADDRESS=cluster.address)
        assert done.returncode == 2, done.stdout + done.stderr
        *lines, last = done.stderr.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith("hairline: node ") and f"input {catalog}/" in lines[0]
        assert "other nodes can: put it where all nodes reach it" in lines[0]
        assert last == f"hairline: 1 of {len(nodes)} nodes cannot do the work; nothing has been started"
        assert not list((catalog.parent / "out").glob("*/*"))
    finally:
        os.killpg(node.pid, signal.SIGTERM)
        node.wait()
    done = hairline("run", job_file(), RAY_ADDRESS=cluster.address)
    assert done.returncode == 0, done.stdout + done.stderr


def cluster_nodes(cluster: Cluster) -> list[dict[str, object]]:
    from ray._private.state import GlobalState
    from ray._raylet import GcsClientOptions

    state = GlobalState()
    state._initialize_global_state(
        GcsClientOptions.create(cluster.address, None, allow_cluster_id_nil=True, fetch_cluster_id_if_nil=False)
    )
    return state.node_table()  # type: ignore[no-any-return]


def test_the_object_that_is_written_is_of_a_run(output: WorkedOutput, picture: Source) -> None:
    """A kill between writing and deleting leaves what the next run sweeps."""
    from hairline.pipeline.presence import OURS

    folder, seen = output.folder("r1"), []
    with present(folder):
        write = Folder.write

        def note(self: Folder, name: str, data: bytes) -> None:
            seen.append(name)
            write(self, name, data)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Folder, "write", note)
            look(errand(output.root, picture))
    assert [name for name in seen if not name.startswith(f"{WORK}/r1/")] == [] and all(map(OURS.fullmatch, seen))
