"""`hairline cut` beside files of others, and on an output that cannot be written. Small stages instead of networks."""

import io
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from hairline.pipeline.cut import cut
from hairline.pipeline.storage import WORK, Folder
from hairline.stages.correction import Correction
from hairline.stages.errors import HairlineError
from kit import jpeg, small_disk

SMALL = ["pools.0.stages=['own_stages:Judge','own_stages:Invert']"]
HERE = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_cut; "
CUT = HERE + "sys.exit(test_cut.command(*sys.argv[1:]))"


def run(source: Path, output: str, *changes: str) -> tuple[int, str]:
    text = io.StringIO()
    code = cut([str(source)], output, ["negative"], [*SMALL, *changes], Console(file=text, width=200))
    return code, text.getvalue()


def command(source: str, output: str, *changes: str) -> int:
    """As the command line ends."""
    from hairline import cli

    return cli.main(["cut", source, "-o", output, "--product", "negative", *(f"--set={c}" for c in [*SMALL, *changes])])


def process(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-c", CUT, *map(str, arguments)]
    return subprocess.run(call, capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload,no-any-return]


@pytest.fixture(params=["local", "s3"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "out") if request.param == "local" else f"{request.getfixturevalue('bucket')}/out"


@pytest.fixture
def pictures(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.jpg").write_bytes(jpeg(ord(name), 400, 300))
    yield folder


def test_cutting_again_replaces_its_own_and_nothing_else(pictures: Path, output: str) -> None:
    folder = Folder(output)
    assert run(pictures, output)[0] == 0
    first = {name: folder.read(name) for name in folder.names("negative")}
    (pictures / "a.jpg").write_bytes(jpeg(7, 400, 300))
    folder.write("negative/b.jpg.png", b"retouched")
    folder.write("negative/other.png", b"mine")
    (pictures / "b.jpg").write_bytes(jpeg(8, 400, 300))
    code, text = run(pictures, output)
    assert code == 3 and text.count("\n") == 3
    assert "b.jpg  failed  occupied  negative/b.jpg.png is there and was not made by a cut into this output" in text
    second = {name: folder.read(name) for name in folder.names("negative")}
    assert second["negative/a.jpg.png"] != first["negative/a.jpg.png"]
    assert second["negative/c.jpg.png"] == first["negative/c.jpg.png"]
    assert (second["negative/b.jpg.png"], second["negative/other.png"]) == (b"retouched", b"mine")
    assert len(folder.names(".cut")) == 1 and folder.names(WORK) == []


def test_a_killed_cut_is_gone_with_the_next(pictures: Path, output: str) -> None:
    code = (
        f"{HERE}import os, signal, hairline.pipeline.cut as c;"
        "c.add_cut = lambda *a: os.kill(os.getpid(), signal.SIGKILL); test_cut.command(*sys.argv[1:])"
    )
    done = subprocess.run([sys.executable, "-c", code, pictures, output], capture_output=True, timeout=120)
    folder = Folder(output)
    assert done.returncode == -signal.SIGKILL and len(folder.names("negative")) == 3
    folder.write("negative/c.jpg.png", b"retouched after the kill")
    assert run(pictures / "a.jpg", output)[0] == 0
    assert folder.names("negative") == ["negative/a.jpg.png", "negative/c.jpg.png"]
    assert folder.read("negative/c.jpg.png") == b"retouched after the kill"
    assert folder.names(WORK) == []


def test_a_full_disk(pictures: Path) -> None:
    with small_disk("64k") as disk:
        done = process(pictures, disk / "out")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"hairline: output {disk}/out: cannot be written: No space left on device\n"
        assert [path for path in (disk / "out").rglob("*") if path.is_file()] == []
        assert not (disk / "out" / WORK).exists()


def test_a_read_only_output(pictures: Path) -> None:
    with small_disk("1m") as disk:
        (disk / "out").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        done = process(pictures, disk / "out")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"hairline: output {disk}/out: cannot be written: Read-only file system\n"


def test_files_may_not_be_that_large(pictures: Path, tmp_path: Path) -> None:
    """Needs no rights: the system refuses longer files, as a full disk does."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = process(pictures, tmp_path / "out", preexec_fn=limit)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"hairline: output {tmp_path}/out: cannot be written: File too large\n"
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_an_output_that_is_a_file(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HairlineError, match="cannot be written"):
        run(pictures, str(tmp_path / "file" / "out"))


def test_names_that_would_steer_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a\nb  ok\x1b[2J.jpg").write_bytes(jpeg(1))
    code, text = run(tmp_path / "in", str(tmp_path / "out"))
    assert code == 0 and text.count("\n") == 1 and "\x1b" not in text
    assert text.startswith("a\\nb  ok\\x1b[2J.jpg  ok  ")
    assert (tmp_path / "out/negative/a\nb  ok\x1b[2J.jpg.png").exists()
    with pytest.raises(HairlineError, match="no path holds a null character"):
        run(tmp_path / "in", f"{tmp_path}/a\0b")


def test_links_and_files_where_folders_should_be(pictures: Path, tmp_path: Path) -> None:
    for name in (".partial", ".cut"):
        output = tmp_path / f"out{name}"
        output.mkdir()
        (output / name).write_bytes(b"mine")
        with pytest.raises(HairlineError, match=rf"{output}: cannot be written: {output}/{name} is no folder"):
            run(pictures, str(output))
        assert (output / name).read_bytes() == b"mine"
        assert [path.name for path in output.rglob("*") if path.is_file()] == [name]
    with small_disk("1m") as disk:
        output = tmp_path / "linked"
        output.mkdir()
        (output / "negative").symlink_to(disk)
        with pytest.raises(HairlineError, match=rf"{output}/negative lies on another file system"):
            run(pictures, str(output))
        assert list(disk.iterdir()) == []


def test_standard_input_larger_than_the_temporary_folder(tmp_path: Path) -> None:
    with small_disk("64k") as disk:
        call = [sys.executable, "-m", "hairline", "cut", "-", "-o", str(tmp_path / "out")]
        environ = {**os.environ, "TMPDIR": str(disk)}
        done = subprocess.run(call, input=b"x" * 200_000, capture_output=True, env=environ, timeout=120)
        assert list(disk.iterdir()) == []
    assert (done.returncode, done.stdout) == (2, b"")
    said = f"hairline: -: standard input cannot be kept in {disk}: No space left on device; set TMPDIR"
    assert done.stderr.decode().startswith(said) and done.stderr.count(b"\n") == 1


def test_a_full_disk_behind_standard_output(pictures: Path, tmp_path: Path) -> None:
    for output in (str(tmp_path / "out"), "-"):
        call = [sys.executable, "-c", CUT, str(pictures / "a.jpg"), output]
        with open("/dev/full", "w") as full:
            done = subprocess.run(call, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
        assert done.stderr == "hairline: standard output cannot be written: No space left on device\n"
        assert done.returncode == 1


def test_a_correction_is_for_one_picture(pictures: Path, tmp_path: Path) -> None:
    marks = Correction(keep=((1, 1),))
    with pytest.raises(HairlineError, match="give that one alone"):
        cut([str(pictures)], str(tmp_path / "out"), ["negative"], SMALL, Console(file=io.StringIO()), marks)
