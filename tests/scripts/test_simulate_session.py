"""The script that simulates one session, run as a rule runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = {"trials": 42, "cells_min": 3, "cells_max": 4}


def simulate(folder: Path, session: str, options: dict) -> subprocess.CompletedProcess:
    return subprocess.run(
        [
            sys.executable,
            ROOT / "workflow/scripts/simulate_session.py",
            *("--options", json.dumps(options), "--session", session),
            *("--out", folder / "out.nwb", "--truth", folder / "out.truth.npz"),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
        capture_output=True,
        text=True,
    )


def test_the_script_writes_the_session_and_its_truth(tmp_path):
    done = simulate(tmp_path, "sim-Rorb-02", OPTIONS)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["out.nwb", "out.truth.npz"]


def test_a_session_that_the_options_lack_is_one_sentence_and_no_file(tmp_path):
    done = simulate(tmp_path, "sim-Rorb-07", OPTIONS)
    assert done.returncode == 2
    assert done.stderr.startswith("error: sim-Rorb-07: no session of the simulated cohort")
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_option_is_one_sentence_and_no_file(tmp_path):
    done = simulate(tmp_path, "sim-Rorb-02", {**OPTIONS, "mice": 3})
    assert done.returncode == 2
    assert done.stderr.startswith("error: sessions.simulate.mice: no such option.")
    assert list(tmp_path.iterdir()) == []
