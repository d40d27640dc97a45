"""Folders of jobs as they may lie about: the service's own, old ones, and what only looks like one."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from hairline.serve.jobs import Entry, Job, new_id

Tree = dict[str, tuple[bytes, int, int]]


def job(**facts: Any) -> Job:
    plain = {"id": new_id(), "owner": "", "product": "cutout", "options": {}, "category": "", "lenient": False}
    return Job(**{**plain, "entries": [Entry(), Entry()], "created": time.time(), **facts})


def tree(folder: Path) -> Tree:
    """Everything below a folder: content (or where a link leads), inode, time of change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        if path.is_symlink():
            content = str(path.readlink()).encode()
        found[str(path.relative_to(folder))] = content, path.lstat().st_ino, path.lstat().st_mtime_ns
    return found


def old_json(id: str, **facts: Any) -> str:
    """As it was written before a job's folder stood in it."""
    entries = [{"url": "", "status": "ok", "reason": "", "detail": "", "ext": "png", "facts": {}}]
    plain = {"owner": "", "product": "cutout", "options": {}, "category": "", "lenient": False, "ended": 1.0}
    return json.dumps({"id": id, **plain, "entries": entries, "created": 1.0, **facts})


def foreign(folder: Path, outside: Path) -> None:
    """All kinds of things that look like jobs, and others, all old enough to be swept."""
    outside.mkdir()
    (outside / "precious").write_text("p")
    for name in ("job.json", "0.source", "0.result"):
        (outside / name).write_text(old_json("e" * 32) if name == "job.json" else "p")
    (folder / "letters").mkdir()
    (folder / "letters" / "a.txt").write_text("dear")
    (folder / "0.result").write_text("mine")
    (folder / "lock").write_text("my own")
    (folder / "name\nwith \x1b[31m lines").write_text("x")
    for letter in "abcd":
        (folder / (letter * 32)).mkdir()
    (folder / ("a" * 32) / "thesis.txt").write_text("mine")
    (folder / ("b" * 32) / "job.json").write_text("{")
    (folder / ("c" * 32) / "job.json").write_text(old_json("f" * 32))  # a copy under another name
    os.mkfifo(folder / ("d" * 32) / "job.json")
    (folder / ("e" * 32)).symlink_to(outside)
    (folder / ("f" * 32)).write_text("a file")
    for path in folder.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
