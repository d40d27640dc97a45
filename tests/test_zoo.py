"""The zoo is worth something only if its files are what they are called; and reading must never change a file."""

import hashlib
import os

import numpy as np

from hairline.stages.decode.picture import Picture
from hairline.stages.errors import PictureError
from zoo import FAILED, KINDS, READABLE, write_catalog, write_zoo


def outcome(path):
    try:
        data = path.read_bytes()
    except OSError:
        return "unreadable"
    try:
        Picture(data).rgb()
    except PictureError as error:
        return error.reason
    return "read"


def check(expected):
    for path, expectation in expected.items():
        found = outcome(path)
        if expectation.statuses == READABLE:
            assert found == "read", (path, found)
        elif found != "unreadable":
            assert found in expectation.reasons, (path, found)


def test_the_zoo_holds_every_kind(tmp_path):
    expected = write_zoo(tmp_path, len(KINDS) + 2, np.random.default_rng(0))
    assert {e.kind for e in expected.values()} == {*KINDS, "no_permission", "dangling_link"}
    assert len(expected) == len(KINDS) + 2 >= 26
    check(expected)
    dangling = next(path for path, e in expected.items() if e.kind == "dangling_link")
    assert dangling.is_symlink()
    assert not dangling.exists()
    assert expected[dangling].statuses == FAILED


def test_a_catalog(tmp_path):
    expected = write_catalog(tmp_path, pictures=150, odd=60, seed=3)
    files = [path for path in tmp_path.rglob("*") if path.is_symlink() or path.is_file()]
    assert sorted(files) == sorted(expected)
    assert len(expected) == 210
    assert all(len(path.relative_to(tmp_path).parts) == 5 for path in expected)
    pictures = [path for path, e in expected.items() if e.kind == "picture"]
    stems = [(path.parent, path.stem) for path in pictures]
    assert len(set(stems)) < len(stems) * 0.5  # one stem under several endings
    assert any(" " in path.name for path in pictures)
    assert any(not str(path).isascii() for path in pictures)
    check(expected)


def test_a_catalog_repeats(tmp_path):
    digests = []
    for name in ("a", "b"):
        expected = write_catalog(tmp_path / name, pictures=30, odd=55, seed=1)
        whole = hashlib.sha256()
        for path in sorted(expected):
            whole.update(str(path.relative_to(tmp_path / name)).encode())
            whole.update(b"" if path.is_symlink() or not os.access(path, os.R_OK) else path.read_bytes())
        digests.append(whole.hexdigest())
    assert digests[0] == digests[1]
