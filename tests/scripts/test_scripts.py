"""Every script can be asked what it does, and refuses wrong options in one sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2] / "workflow"
SCRIPTS = sorted((HOUSE / "scripts").glob("*.py"))
REQUIRED = re.compile(r"the following arguments are required: (.*)")


def run(script: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(HOUSE)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_help_says_what_the_script_does_without_loading_anything_heavy(script, tmp_path):
    code = (
        f"import runpy, sys\nsys.argv = [{str(script)!r}, '--help']\n"
        f"try:\n    runpy.run_path({str(script)!r}, run_name='__main__')\n"
        "except SystemExit:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    file = tmp_path / "ask.py"
    file.write_text(code)
    asked = run(file, cwd=tmp_path)
    assert asked.returncode == 0
    assert "usage:" in asked.stdout
    heavy = {"torch", "matplotlib", "pandas", "sklearn", "zarr"}
    assert not heavy & set(asked.stderr.split())


@pytest.mark.parametrize(
    "script",
    [path for path in SCRIPTS if "--options" in path.read_text()],
    ids=lambda path: path.stem,
)
def test_an_unknown_option_is_one_sentence_and_status_2(script, tmp_path):
    named = REQUIRED.search(run(script, cwd=tmp_path).stderr).group(1).split(", ")
    given = [part for name in named if name != "--options" for part in (name, "nothing-here")]
    wrong = run(script, *given, "--options", '{"no_such_option": 1}', cwd=tmp_path)
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr
    (said,) = [line for line in wrong.stderr.splitlines() if line.startswith("error: ")]
    assert "no_such_option: no such option" in said
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
