"""What importing the package costs, and under which names it can be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "cv2", "ray", "numpy", "PIL", "pydantic", "pyarrow", "yaml", "starlette")


def python(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, **options)  # type: ignore[call-overload,no-any-return]


def test_importing_hairline_imports_nothing_heavy() -> None:
    done = python(f"import sys, hairline; print([m for m in {HEAVY} if m in sys.modules])", cwd=ROOT)
    assert done.stdout == "[]\n", done.stderr


def test_names_come_when_they_are_used_and_not_before() -> None:
    code = (
        "import sys, hairline\n"
        "assert set(hairline.__all__) <= set(dir(hairline))\n"
        "hairline.HairlineError, hairline.PictureError\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
        "hairline.cut, hairline.Cutter, hairline.Cutout\n"
        "assert 'torch' in sys.modules and 'ray' not in sys.modules\n"
        "hairline.ray.Cutter\n"
        "assert 'ray' in sys.modules\n"
        "hairline.cutt"
    )
    done = python(code, cwd=ROOT)
    assert done.stderr.splitlines()[-1].startswith("AttributeError: module 'hairline' has no attribute 'cutt'")


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "hairline").iterdir() if path.is_symlink()))
def test_folders_are_no_packages_of_their_own(folder: str) -> None:
    done = python(f"import {folder}", cwd=ROOT)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError") and f"`import hairline.{folder}`, not `import {folder}`" in last
    inside = python(f"import {folder}.nothing", cwd=ROOT)
    assert "ImportError" in inside.stderr.splitlines()[-1] and f"hairline.{folder}" in inside.stderr
    assert python(f"import hairline.{folder}", cwd=ROOT).returncode == 0
