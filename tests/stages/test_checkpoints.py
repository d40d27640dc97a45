import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from hairline.stages import checkpoints
from hairline.stages.errors import HairlineError


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.safetensors"
    save_file({name: value.half() for name, value in nn.Linear(3, 2).state_dict().items()}, path)
    return path


def test_a_file_of_ones_own_is_found_and_its_hash_checked(file):
    digest = checkpoints.digest(file)
    assert checkpoints.find(str(file), "builtin-name") == file
    assert checkpoints.find(str(file), "builtin-name", digest.upper()) == file
    with pytest.raises(HairlineError, match="sha256"):
        checkpoints.find(str(file), "builtin-name", "0" * 64)


def test_a_changed_file_has_another_digest(file):
    before = checkpoints.digest(file)
    file.write_bytes(file.read_bytes() + b" ")
    assert checkpoints.digest(file) != before


def test_a_missing_file(tmp_path):
    with pytest.raises(HairlineError, match="check the path"):
        checkpoints.find(str(tmp_path / "none.safetensors"), "x")
    with pytest.raises(HairlineError, match="reinstall"):
        checkpoints.find("builtin", "no-such-network.safetensors")


def test_a_damaged_builtin_file_is_noticed(monkeypatch, file):
    monkeypatch.setattr(checkpoints, "FOLDER", file.parent)
    monkeypatch.setattr(checkpoints, "_index", lambda: {file.name: "0" * 64})
    with pytest.raises(HairlineError, match="damaged"):
        checkpoints.find("builtin", file.name)


def test_loading_is_strict_and_mistakes_fit_one_line(file, tmp_path):
    module = checkpoints.load(nn.Linear(3, 2), file)
    assert not module.training
    assert module.weight.dtype == torch.float32
    with pytest.raises(HairlineError, match="do not fit Linear") as caught:
        checkpoints.load(nn.Linear(5, 2), file)
    assert "\n" not in str(caught.value)
    junk = tmp_path / "junk.safetensors"
    junk.write_bytes(b"junk")
    with pytest.raises(HairlineError, match="do not fit"):
        checkpoints.load(nn.Linear(3, 2), junk)
