"""How many cores the control groups of this process grant (cgroups(7), versions 1 and 2).

A quota holds for a group and all below it, so the smallest one of the process's own group and of every group above it
counts: a container's limit often sits above the group that the process is in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def quota(root: Path = Path("/")) -> float | None:
    """The smallest CPU quota in force, in cores; None where there is none.

    Args:
        root: below which /proc and the mounted control groups are looked for.
    """
    found = [cores for folder in _groups(root) if (cores := _quota_of(folder)) is not None]
    return min(found, default=None)


def _groups(root: Path) -> Iterator[Path]:
    """The folders of this process's groups that the CPU controller may be in, each with all those above it."""
    mine = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers or "cpu" in controllers.split(","):
            mine[bool(controllers)] = path
    for line in _lines(root / "proc/self/mountinfo"):
        mount, _, kind = line.partition(" - ")
        facts, (type, _, options) = mount.split(" "), (kind.split(" ") + [""] * 3)[:3]
        is_first = type == "cgroup" and "cpu" in options.split(",")  # version 1
        if (not is_first and type != "cgroup2") or is_first not in mine or len(facts) < 5:
            continue
        shown, where = (re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), text) for text in facts[3:5])
        top = root / where.lstrip("/")
        try:
            way = PurePosixPath(mine[is_first]).relative_to(shown)
        except ValueError:  # a mount of another part of the tree, as a container may have it
            way = PurePosixPath()
        if ".." in way.parts:  # the group lies outside of what this namespace shows
            way = PurePosixPath()
        yield top / way
        yield from (top / above for above in way.parents)


def _quota_of(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").exists():
            most, period = (folder / "cpu.max").read_text().split()
        else:
            most, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        cores = int(most) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # none, or "max"
        return None
    return cores if cores > 0 else None  # version 1 says -1 for none


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
