from pathlib import Path

import pytest

from hairline.configs.documents import find_config
from hairline.configs.job import Job, check, load_job
from hairline.stages.documents import Document
from hairline.stages.errors import HairlineError
from kit import small_job

SMALL = """\
input: in
output: out
products: [negative]
pools:
  - name: all
    stages: ["own_stages:Judge", "own_stages:Invert"]
    batch: 8
stages:
  "own_stages:Judge":
    dark: 30
"""


def read(text: str, *changes: str) -> Job:
    document = Document("job.yaml", text)
    for change in changes:
        document.set(change)
    return check(document)


def mistake(text: str, *changes: str) -> str:
    with pytest.raises(HairlineError) as caught:
        read(text, *changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_job_with_settings_and_defaults() -> None:
    job = read(SMALL)
    assert job.pools[0].batch == 8 and job.pools[0].workers == "auto"
    assert job.stage_names == ["own_stages:Judge", "own_stages:Invert"]
    assert job.stages["own_stages:Judge"].dark == 30
    assert job.stages["own_stages:Invert"].ext == "png"


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("output: out", "ouput: out", ["job.yaml", "no output"]),
        ("pools:", "polls:", ["job.yaml:4", "polls", "did you mean pools?"]),
        ("products:", "product:", ["job.yaml:3", "product", "did you mean products?"]),
        ("batch: 8", "bacth: 8", ["job.yaml:7", "pools.0.bacth", "did you mean batch?"]),
        ("batch: 8", "batch: many", ["job.yaml:7", "pools.0.batch", "integer"]),
        ("batch: 8", "batch: 0", ["job.yaml:7", "pools.0.batch"]),
        ("batch: 8", "workers: [4, 2]", ["job.yaml:5", "pools.0", "min"]),
        ("batch: 8", "workers: lots", ["job.yaml:7", "pools.0.workers", "auto, a number", "is lots"]),
        ("batch: 8", "workers: [0, 4]", ["job.yaml:7", "pools.0.workers", "a run keeps one at least", "is [0, 4]"]),
        ("batch: 8", "gpu: 1.5", ["pools.0", "whole number"]),
        ("dark: 30", "drak: 30", ["job.yaml:10", "own_stages:Judge.drak", "did you mean dark?"]),
        ("dark: 30", "dark: black", ["job.yaml:10", "own_stages:Judge.dark", "black"]),
        ('"own_stages:Judge":', '"own_stages:Jugde":', ["job.yaml:9", "did you mean own_stages:Judge?"]),
        ('"own_stages:Invert"]', '"own_stages:Inverse"]', ["job.yaml:6", "own_stages:Inverse", "cannot be loaded"]),
        ('"own_stages:Invert"]', '"own_stages:Judge"]', ["job.yaml:6", "second time"]),
        ('"own_stages:Judge", "own_stages:Invert"', "fliter", ["job.yaml:6", "stage fliter; did you mean filter?"]),
        ("batch: 8", "batch: 8\n    batch: 9", ["job.yaml:8", "second time"]),
        ("batch: 8", "batch: [8", ["job.yaml:", "not valid YAML"]),
        (SMALL, "- 1\n- 2\n", ["job.yaml", "mapping"]),
        (SMALL, "", ["job.yaml", "mapping"]),
        ("batch: 8\n", "batch: 8\nlimits: {max_pixls: 3}\n", ["job.yaml:8", "limits.max_pixls", "mean max_pixels?"]),
    ],
)  # fmt: skip
def test_each_mistake_names_its_place(old: str, new: str, parts: list[str]) -> None:
    assert old in SMALL
    message = mistake(SMALL.replace(old, new))
    for part in parts:
        assert part in message


def test_changes_from_the_command_line() -> None:
    job = read(SMALL, "pools.0.workers=[2,4]", "stages.own_stages:Invert.ext=bmp", "limits.max_side=99")
    assert job.pools[0].workers == (2, 4)
    assert job.stages["own_stages:Invert"].ext == "bmp"
    assert job.limits.max_side == 99


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ("pools.0.worker=3", "--set pools.0.worker=3: pools.0.worker: unknown key; did you mean workers?"),
        ("pools.3.batch=1", "a list of 1"),
        ("pools.0.batch.x=1", "single value"),
        ("pools.0.batch", "key=value"),
        ("pools.0.batch=[", "not valid YAML"),
        ("pools.0.batch=no", "--set pools.0.batch=no"),
    ],
)
def test_mistakes_in_changes(change: str, part: str) -> None:
    assert part in mistake(SMALL, change)


def test_the_order_and_the_number_of_stages() -> None:
    def pools(*stages: str) -> str:
        return f"input: a\noutput: b\npools:\n  - {{name: all, stages: [{', '.join(stages)}]}}\n"

    assert "no pool runs fine" in mistake(pools("filter", "classify", "detect", "coarse", "products"))
    assert "out of order" in mistake(pools("filter", "detect", "classify", "coarse", "fine", "products"))
    assert "second time" in mistake(pools("filter", "filter", "classify"))


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(HairlineError, match=r"no job file .*laptop\.yaml"):
        load_job(str(tmp_path / "nothing.yaml"))
    (tmp_path / "picture.yaml").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(HairlineError, match="UTF-8"):
        load_job(str(tmp_path / "picture.yaml"))
    with pytest.raises(HairlineError, match="cannot be read"):
        load_job(str(tmp_path))


@pytest.mark.parametrize("name", ["laptop.yaml", "gpu-node.yaml", "cluster.yaml", "laptop"])
def test_the_configurations_that_come_along_are_valid(name: str) -> None:
    job = load_job(name, input="in", output="s3://bucket/out")
    assert job.output == "s3://bucket/out"
    assert job.stage_names == ["filter", "classify", "detect", "coarse", "fine", "products"]


def test_every_field_of_a_configuration_is_explained() -> None:
    for name in ("laptop.yaml", "gpu-node.yaml", "cluster.yaml"):
        for number, line in enumerate(find_config(name).read_text().splitlines(), start=1):
            bare = line.strip()
            assert "#" in bare or not bare or bare == "pools:", f"{name}:{number}: {line}"


def test_small_job_is_valid() -> None:
    assert Job.model_validate(small_job(input="a", output="b")).products == ("negative",)
