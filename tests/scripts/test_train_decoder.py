"""The script that trains decoders, killed and run again, and its sentences."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from glassbox.tables import read_rows

WEIGHTS = "seed0-fold0.safetensors"
HOUSE = Path(__file__).resolve().parents[2] / "workflow"
TESTS = Path(__file__).resolve().parents[1] / "unit"

# The script's own library call on a small cohort, so that nothing but training takes time.
RUN = """
import sys
from dataclasses import replace
from tiny_trials import OPTIONS, tiny_cohort
from glassbox.decoders.train import CohortName, train_cohort
options = replace(OPTIONS, epochs=400, patience=400, unit_epochs=2)
data = tiny_cohort(("a", "b"), ("c",))
train_cohort(CohortName("all", "all"), data, options, sys.argv[1], sys.argv[2])
"""


def start(out: Path, cache: Path) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": f"{HOUSE}:{TESTS}", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(out), str(cache)],
        env=environment,
        stderr=subprocess.DEVNULL,
    )


def epoch_of(state: Path) -> int:
    from safetensors import safe_open

    with safe_open(state, framework="pt") as file:
        return json.loads(file.metadata()["facts"])["epoch"]


def test_a_run_killed_midway_and_run_again_gives_the_same_bytes(tmp_path):
    whole, out, cache = tmp_path / "whole", tmp_path / "out", tmp_path / "cache"
    assert start(whole, tmp_path / "cache of whole").wait() == 0
    run = start(out, cache)
    while run.poll() is None:
        states = list(cache.glob("body-*.safetensors"))
        if states and epoch_of(states[0]) >= 20:
            break
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not out.exists()
    (state,) = cache.glob("body-*.safetensors")
    assert 20 <= epoch_of(state) < 400, "the run was to be killed midway"
    assert start(out, cache).wait() == 0
    for path in whole.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dimension": 64}, "decoders.dimension: no such option."),
        ({"heads": 3}, "decoders.heads: expected a divisor of decoders.dim = 64; found 3."),
        (
            {"windows": {"drifting_gratings": {"patch_s": 0.8}}},
            "decoders.windows.drifting_gratings.patch_s: expected a whole number of patches",
        ),
        ({"folds": [5]}, "decoders.folds: the split crossfit has the folds 0 to 4; found 5."),
        ({"tasks": ["colour"]}, "decoders.tasks: expected one of"),
        ({"tasks": ["running_speed"]}, "decoders.tasks: behaviour is read from the trials of a"),
        ({"task_weights": [1.0]}, "decoders.task_weights: expected one for each of 2 tasks"),
        ({"task_weights": [1, 0]}, "decoders.task_weights: expected numbers above 0"),
        ({"seeds": []}, "decoders.seeds: expected a list of at least one"),
    ],
)
def test_a_wrong_option_ends_in_one_sentence(options, sentence, capsys, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(HOUSE / "scripts"))
    from train_decoder import main

    arguments = ["--tensors", "none.zarr", "--cohort", "c", "--level", "mouse"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--out", str(tmp_path / "out"), "--options", json.dumps(options)])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


TOGETHER = """
import sys
from dataclasses import replace
from tiny_trials import OPTIONS, tiny_cohort
from glassbox.decoders.train import CohortName, train_cohort
options = replace(OPTIONS, devices=int(sys.argv[2]), batches_per_step=3, patience=9)
train_cohort(CohortName("all", "all"), tiny_cohort(("a", "b"), ("c",)), options, sys.argv[1], None)
"""


def test_two_processes_give_the_loss_curve_of_one(tmp_path):
    script = tmp_path / "together.py"
    script.write_text(TOGETHER)
    environment = {**os.environ, "PYTHONPATH": f"{HOUSE}:{TESTS}", "OMP_NUM_THREADS": "1"}
    curves = []
    for processes in (1, 2):
        command = [sys.executable, script, tmp_path / str(processes), str(processes)]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=300)
        curves.append(read_rows(tmp_path / str(processes) / "training.csv"))
    assert len(curves[0]) == len(curves[1]) > 0
    for one, two in zip(*curves, strict=True):
        assert float(one["loss"]) == pytest.approx(float(two["loss"]), abs=1e-5)
    first, second = ((tmp_path / n / WEIGHTS).read_bytes() for n in "12")
    assert first != second, "the two processes were to deal the batches among them"
