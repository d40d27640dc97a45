"""The command line: every mistake is one line and exit code 2."""

import re
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from kit import fill, hairline

from hairline.pipeline import retry
from hairline.pipeline.cli import main
from hairline.stages.weights import FOLDER

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
        (["run", "laptop.yaml", "--retry", "some"], "--retry"),
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
    code = "import sys, hairline.pipeline.cli as c; c.parser(); print(any(m in sys.modules for m in ('torch', 'ray')))"
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
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mask"]
    masks = [cv2.imread(str(tmp_path / "out" / "mask" / f"{folder}/cat.jpg.png"), 0) for folder in "ab"]
    assert masks[0].shape == (300, 451) and (masks[0] == masks[1]).all() and masks[0].max() == 255
