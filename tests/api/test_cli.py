"""The command line: every mistake is one line and exit code 2."""

import contextlib
import os
import pty
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from hairline.cli import main
from hairline.pipeline import retry
from hairline.stages.checkpoints import FOLDER
from kit import Web, fill, hairline, jpeg

Mistake = Callable[..., str]


@pytest.fixture
def mistake(capsys: pytest.CaptureFixture[str]) -> Mistake:
    """Calls the command line in this process; checks the form of the message and returns it."""

    def call(*arguments: object) -> str:
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert code == 2
        assert re.fullmatch(r"hairline: [^\n]+\n", said.err), said.err
        assert said.out == ""
        return said.err

    return call


def test_a_mistake_in_a_process_of_its_own(job_file: Callable[..., Path]) -> None:
    done = hairline("run", job_file(), "--input", "/nothing/here")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "hairline: input /nothing/here: no such file or folder\n"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "command"),
        (["rnu"], "unknown command rnu; did you mean run?"),
        (["run"], "JOB.yaml"),
        (["run", "nothing.yaml"], "no job file nothing.yaml"),
        (["run", "laptop.yaml"], "no input"),
        (["run", "laptop.yaml", "--input", "x"], "no output"),
        (["run", "laptop.yaml", "--inptu", "x"], "--inptu"),
        (["cut", "x.jpg", "-o", "y", "--product", "musk"], "--product: products: unknown product 'musk'"),
        (["run", "laptop.yaml", "--retry", "some"], "--retry"),
        (["run", "laptop.yaml", "--retry", "fetsh"], "fetsh is neither a status nor a reason; did you mean fetch?"),
        (
            ["run", "laptop.yaml", "--input", "a", "--output", "b", "--allow-failed", "few"],
            "--allow-failed: allow_failed: must be a number of pictures",
        ),
        (["run", "laptop.yaml", "--input", "a", "--output", "b", "--set", "pools.0.cpu=1"], "did you mean cpus?"),
    ],
)
def test_calls_that_are_wrong(mistake: Mistake, arguments: list[str], part: str) -> None:
    assert part in mistake(*arguments)


def test_mistakes_in_a_job(mistake: Mistake, job_file: Callable[..., Path], tmp_path: Path) -> None:
    job = job_file()
    misspelt = write(tmp_path, job.read_text().replace("input:", "inptu:"))
    assert re.search(
        r"job.yaml:\d+: inptu: unknown key; did you mean input\?", mistake("plan", misspelt, "--input", "x")
    )
    assert "not valid YAML" in mistake("run", write(tmp_path, "pools: [\n"))
    unknown = job.read_text().replace("own_stages:Judge", "fliter")
    assert "unknown stage fliter; did you mean filter?" in mistake("run", write(tmp_path, unknown))


def write(folder: Path, text: str) -> Path:
    path = folder / "wrong" / "job.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_mistakes_in_places(mistake: Mistake, job_file: Callable[..., Path], tmp_path: Path) -> None:
    job = job_file()
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    assert "no such file or folder" in mistake("run", job, "--input", tmp_path / "nothing")
    assert "no pictures" in mistake("run", job, "--input", tmp_path / "empty")
    assert "cannot be written" in mistake("run", job, "--output", tmp_path / "file" / "out")
    assert "is the input itself" in mistake("run", job, "--output", tmp_path / "in")
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").touch()
    done = hairline("plan", job_file(), "--output", str(tmp_path / "file" / "below"))
    assert done.returncode == 2 and f"cannot be written: {tmp_path / 'file'} is no folder" in done.stderr


def test_pools_that_do_not_fit(mistake: Mistake, job_file: Callable[..., Path]) -> None:
    assert "do not fit: all asks for 1 × 4096 CPU" in mistake("run", job_file(), "--set", "pools.0.cpus=4096")


def test_weights_that_are_missing_or_others(mistake: Mistake, job_file: Callable[..., Path], tmp_path: Path) -> None:
    fill(tmp_path / "in", 1)
    job = job_file(pools=[{"name": "all", "stages": ["coarse", "own_stages:Invert"]}])
    call = ["run", job, "--set"]
    assert "weights not found: /no/such/file" in mistake(*call, "stages.coarse.weights=/no/such/file")
    some = next(FOLDER.glob("*.safetensors"))
    message = mistake(*call, f"stages.coarse={{weights: {some}, sha256: {'a' * 64}}}")
    assert "have sha256" in message and "aaaaaaaaaaaa… is expected" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("s3_server")
def test_s3_without_credentials(
    mistake: Mistake,
    job_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    new_connections: Callable[[], None],
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    new_connections()
    assert "no S3 credentials" in mistake("run", job_file(), "--input", "s3://bucket/in")
    assert "no S3 credentials" in mistake("run", job_file(), "--output", "s3://bucket/out")


@pytest.mark.usefixtures("s3_server")
def test_a_wrong_bucket(mistake: Mistake, job_file: Callable[..., Path]) -> None:
    assert "no such bucket" in mistake("run", job_file(), "--input", "s3://no-such-bucket-here/in")
    assert re.search(
        "bucket does not exist|no such bucket", mistake("run", job_file(), "--output", "s3://not-here/out")
    )


def test_an_s3_endpoint_that_does_not_answer(
    mistake: Mistake,
    job_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    new_connections: Callable[[], None],
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setattr(retry, "BASE_S", 0.001)
    new_connections()
    assert "EndpointConnectionError" in mistake("run", job_file(), "--input", "s3://bucket/in")


def test_a_plan_starts_and_writes_nothing(job_file: Callable[..., Path], tmp_path: Path) -> None:
    done = hairline("plan", job_file())
    assert done.returncode == 0 and done.stderr == ""
    assert "20 pictures, 20 to do (20 new)" in done.stdout
    assert "The pools fit" in done.stdout and "not known" in done.stdout
    assert not (tmp_path / "out").exists()


def test_help_is_quick() -> None:
    code = "import sys, hairline.cli as c; c.parser(); print(any(m in sys.modules for m in ('torch', 'ray')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = hairline("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0 and "run" in done.stdout
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 5  # seconds of the processor, whoever else runs


def test_a_few_pictures_without_ray(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from skimage import data

    for name in ("a/cat.jpg", "b/cat.jpg"):
        (tmp_path / name).parent.mkdir()
        cv2.imwrite(str(tmp_path / name), data.chelsea()[..., ::-1])
    (tmp_path / "b" / "text.jpg").write_text("hello")
    sources = ["a/cat.jpg", "b"]
    code = main(
        ["cut", *(str(tmp_path / source) for source in sources), "-o", str(tmp_path / "out"), "--product", "mask"]
    )
    lines = capsys.readouterr().out.splitlines()
    assert code == 3 and len(lines) == 3
    assert lines[0] == f"a/cat.jpg  ok  {tmp_path}/out/mask/a/cat.jpg.png"
    assert "b/text.jpg  failed  not_a_picture" in lines[2]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".cut", "mask"]
    masks = [cv2.imread(str(tmp_path / "out" / "mask" / f"{folder}/cat.jpg.png"), 0) for folder in "ab"]
    assert masks[0].shape == (300, 451) and (masks[0] == masks[1]).all() and masks[0].max() == 255


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Small pictures under names of every kind."""
    folder = tmp_path / "pictures [1]"
    folder.mkdir()
    for name in (b"a b.jpg", b"caf\xe9.jpg", "猫.jpg".encode(), b"x[1].jpg"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(jpeg(1, 256, 256))
    return folder


def cut_once(*sources: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`hairline cut` in a process of its own, with a stage that is quick."""
    return hairline("cut", *sources, *QUICK, **environment)


QUICK = ("--set", "pools.0.stages=[own_stages:Judge, own_stages:Invert]", "--product", "negative")


@pytest.mark.parametrize(
    ("terminal", "shown"),
    [
        ({"LC_ALL": "C", "PYTHONUTF8": "0"}, "\\u732b.jpg"),
        ({"PYTHONIOENCODING": "latin-1"}, "\\u732b.jpg"),
    ],
)
def test_terminals_that_cannot_show_names(pictures: Path, tmp_path: Path, terminal: dict[str, str], shown: str) -> None:
    first = os.fsdecode(os.fsencode(pictures) + b"/caf\xe9.jpg")
    done = cut_once(first, f"{pictures}/猫.jpg", "-o", str(tmp_path / "out"), **terminal)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split("  ")[:2] for line in done.stdout.splitlines()] == [["caf\\xe9.jpg", "ok"], [shown, "ok"]]
    assert {path.name for path in (tmp_path / "out" / "negative").iterdir()} == {"caf\\xe9.jpg.png", "猫.jpg.png"}
    plan = hairline("plan", "laptop.yaml", "--input", first, "--output", tmp_path / "猫", **terminal)
    assert (plan.returncode, plan.stderr) == (0, "") and "1 pictures, 1 to do" in plan.stdout
    wrong = hairline("evaluate", "/no/猫", os.fsdecode(b"/no/\xe9"), **terminal)
    assert wrong.returncode == 2 and re.fullmatch(r"hairline: [^\n]+\n", wrong.stderr), wrong.stderr


def test_sources_whose_names_look_like_globs_or_are_urls(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"file://{tmp_path}/pictures%20%5B1%5D"
    sources = [f"{pictures}/x[1].jpg", f"{url}/a%20b.jpg", f"{pictures}/a*.jpg"]
    assert main(["cut", *sources, "-o", f"file://{tmp_path}/my%20cuts", *QUICK]) == 0
    made = tmp_path / "my cuts" / "negative"
    assert capsys.readouterr().out.splitlines() == [
        f"x[1].jpg  ok  {made}/x[1].jpg.png",
        f"a b.jpg  ok  {made}/a b.jpg.png",
    ]


def test_rows_of_a_manifest_that_name_no_picture(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "m.csv").write_text("id,uri\n1,a b.jpg\n2,a,b.jpg\n3,ftp://host/x.jpg\n,x.jpg\n")
    assert main(["cut", str(pictures / "m.csv"), "-o", str(tmp_path / "out"), *QUICK]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"1  ok  {tmp_path}/out/negative/1.png"
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "2  failed  manifest_row  row 3", "3  failed  manifest_row  row 4", "row 5  failed  manifest_row  row 5"
    ]  # fmt: skip


def test_urls_that_differ_in_their_query(web: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2):
        web.files[f"/a.jpg?v={number}"] = jpeg(number, 256, 256)
    urls = [f"{web.url}/a.jpg?v=1", f"{web.url}/a.jpg?v=2"]
    assert main(["cut", *urls, "-o", str(tmp_path / "out"), *QUICK]) == 0
    host = web.url.partition("://")[2]
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()] == [
        f"{host}/a.jpg?v=1", f"{host}/a.jpg?v=2"
    ]  # fmt: skip
    first, second = sorted((tmp_path / "out").rglob("*.png"))
    assert first.name == "a.jpg?v=1.png" and first.read_bytes() != second.read_bytes()
    assert main(["cut", urls[0], "-o", str(tmp_path / "one"), *QUICK]) == 0
    assert [path.name for path in (tmp_path / "one").rglob("*.png")] == ["a.jpg.png"]


def test_through_standard_input_and_output(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = (pictures / "a b.jpg").read_bytes()
    assert main(["cut", str(pictures / "a b.jpg"), "-o", str(tmp_path / "out"), *QUICK]) == 0
    expected = (tmp_path / "out" / "negative" / "a b.jpg.png").read_bytes()

    def pipe(*arguments: str, data: bytes = picture) -> tuple[int, bytes, str]:
        command = [sys.executable, "-m", "hairline", "cut", *arguments, *QUICK]
        done = subprocess.run(command, input=data, capture_output=True, timeout=200)
        return done.returncode, done.stdout, done.stderr.decode()

    assert pipe("-", "-o", "-") == (0, expected, "")
    assert pipe(str(pictures / "a b.jpg"), "-o", "-") == (0, expected, "")
    code, said, _ = pipe("-", "-o", str(tmp_path / "two"))
    assert code == 0 and said.decode() == f"stdin  ok  {tmp_path}/two/negative/stdin.png\n"
    code, said, error = pipe("-", "-o", "-", data=b"hello")
    assert (code, said) == (3, b"") and re.fullmatch(r"hairline: no product: stdin  failed  [^\n]+\n", error)
    for wrong in (["-", "-", "-o", "x"], ["-", str(pictures), "-o", "-"], [str(pictures), "-o", "-"],
                  ["-", "-o", "-", "--product", "mask"]):  # fmt: skip
        capsys.readouterr()
        assert main(["cut", *wrong, *QUICK]) == 2
        told = capsys.readouterr()
        assert told.out == "" and re.fullmatch(r"hairline: [^\n]+\n", told.err), told.err


def test_no_picture_is_sent_to_a_terminal(pictures: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "hairline", "cut", str(pictures / "a b.jpg"), "-o", "-", *QUICK]
    done = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, timeout=200)
    os.close(theirs)
    assert done.returncode == 2 and b"a picture is not for a terminal" in done.stderr
    with contextlib.suppress(OSError):  # how a terminal that was closed at the other end says so
        assert os.read(ours, 100) == b""
    os.close(ours)


@pytest.mark.parametrize(
    ("marks", "told"),
    [
        (("--keep", "1"), "--keep: '1' is not x,y"),
        (("--drop", "a,b"), "--drop: 'a,b' is not x,y"),
        (("--box", "1,2,3"), "--box: '1,2,3' is not x0,y0,x1,y1"),
        (("--keep=1,1",), "these are 4: give that one alone"),
        (("--matte", "nowhere.png"), "--matte nowhere.png: cannot be read"),
    ],
)
def test_marks_that_cannot_be_read(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], marks: tuple[str, ...], told: str
) -> None:
    assert main(["cut", str(pictures), "-o", str(tmp_path / "out"), *marks, *QUICK]) == 2
    assert told in capsys.readouterr().err and not (tmp_path / "out" / "negative").exists()


def test_a_matte_from_anywhere_is_mended_where_it_is_painted(tmp_path: Path) -> None:
    picture, matte = np.full((60, 80, 3), 200, np.uint8), np.zeros((60, 80), np.uint8)
    matte[10:50, 20:60] = 255
    matte[20:30, 30:40] = 0
    strokes = np.zeros((60, 80, 4), np.uint8)
    strokes[18:32, 28:42] = 255
    for name, pixels in (("picture", picture), ("matte", matte), ("strokes", strokes)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), pixels)
    marks = ["--matte", f"{tmp_path}/matte.png", "--strokes", f"{tmp_path}/strokes.png", "--no-follow"]
    assert main(["cut", f"{tmp_path}/picture.png", "-o", f"{tmp_path}/out", "--product", "mask", *marks]) == 0
    matte[20:30, 30:40] = 255
    assert (cv2.imread(f"{tmp_path}/out/mask/picture.png.png", cv2.IMREAD_UNCHANGED) == matte).all()
