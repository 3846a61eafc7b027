"""How fast decoders of one session train and decode, beside torch_brain's CalciumPOYOPlus.

    sh tests/peers/make_env.sh torch_brain     # once
    python tests/benchmarks/decoder_speed.py [--out rows.csv] [--threads 1] [--rounds 2]
        [--clock cpu|wall] [--peer-seconds 60]

The session is 527745328 of REAL_NWB_DIR, or a simulated one of 254 cells where that is not set; the
notes say which. Every measure runs in a process of its own, and the decoders take turns in each
round; a rate is the best of the rounds. The clock is CPU time, which other processes on the machine
disturb least: with one thread, a CPU-second is a second of a machine that does nothing else.

`identity_keyed` and `poyo_plus` run as in the pipeline, by the defaults of DecoderOptions, the
selection block after each epoch included; what is timed of CalciumPOYOPlus is its training step
alone, in its own single-session configuration. A step is of 64 trials in all. Memory is the peak of
the process, imports and data included. `decoder_time_to_accuracy` says how long the training takes
until an accuracy of 0.3 on selection trials, mean of direction and temporal frequency (chance is
0.163); the peer is given up after --peer-seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "workflow")]

from benchmark_rows import CLOCKS, SECOND, peak_mb, row, write  # noqa: E402

PEER = ROOT / ".venv-torch_brain" / "bin" / "python"
PEER_SCRIPT = ROOT / "tests" / "peers" / "speed_of_torch_brain.py"
SESSION = "527745328"
CELLS = 254  # of the simulated session, as many as the real one has
ENOUGH = 0.3  # accuracy on selection trials, mean over tasks
SUBJECTS = ("identity_keyed", "poyo_plus", "CalciumPOYOPlus")
# Trials of an epoch: enough to last some seconds.
TRIALS = {"identity_keyed": 320, "poyo_plus": 64}


def session_file(folder: Path) -> tuple[Path, str]:
    """The NWB file that is decoded, and how it is called."""
    real = os.environ.get("REAL_NWB_DIR")
    if real:
        return Path(real) / f"{SESSION}.nwb", f"real session {SESSION}"
    from glassbox.sessions.options import SimulateOptions
    from glassbox.sessions.simulate import simulate_session
    from glassbox.sessions.write_nwb import write_nwb

    options = SimulateOptions(cells_min=CELLS, cells_max=CELLS, mice_per_line=1)
    name = "sim-Cux2-01"
    write_nwb(simulate_session(options, name), folder / f"{name}.nwb")
    return folder / f"{name}.nwb", f"simulated session {name}"


def options_of(subject: str):
    from glassbox.decoders.options import DecoderOptions

    return DecoderOptions(decoder=subject, split="poyo", device="cpu", patience=10**6)


def convert(nwb: Path, folder: Path) -> Path:
    from glassbox.tensors.convert import convert_session
    from glassbox.tensors.options import TensorOptions

    store = folder / f"{nwb.stem}.zarr"
    convert_session(nwb, store, store.with_suffix(".json"), TensorOptions())
    return store


def trials_for_peer(store: Path, out: Path) -> str:
    """Write the trials as the peer reads them; how many cells and trials there are."""
    import torch
    from glassbox.decoders.cells import SessionScaling
    from glassbox.decoders.data import open_cohort

    options = options_of("poyo_plus")
    (data,) = open_cohort([store], [], options).body
    scaling = SessionScaling(torch.arange(data.n_cells), (options.clip_low, options.clip_high))
    training = data.in_part(0, 0)
    scaling.fit([data.windows[training]])
    samples = options.poyo_plus.n_samples(options.samples_per_s)
    first = (data.windows.shape[2] - samples) // 2
    middle = torch.from_numpy(data.windows[:, :, first : first + samples])
    np.savez(
        out,
        value=scaling.scaled(middle, None).numpy(),
        rate=options.samples_per_s,
        part=data.parts[0],
        **{f"label/{task}": label for task, label in data.labels.items()},
    )
    return f"{data.n_cells} cells, {len(training)} training trials"


def measure(store: str, subject: str, measure: str, threads: int, clock: str, **more: Any) -> dict:
    """One measure of one of our decoders, in this process."""
    import torch
    from glassbox.decoders.checkpoint import Checkpoint
    from glassbox.decoders.data import open_cohort
    from glassbox.decoders.devices import local
    from glassbox.decoders.fit import Run, fit
    from glassbox.decoders.predict import predicted
    from glassbox.decoders.train import new_model

    torch.set_num_threads(threads)
    now, options = CLOCKS[clock], options_of(subject)
    cohort = open_cohort([store], [], options)
    (data,) = cohort.body
    model = new_model(options, cohort)
    model.draw(0)
    model.scaling(data.session).fit([data.windows[data.in_part(0, 0)]])
    if measure == "infer":
        windows = torch.from_numpy(data.windows[: TRIALS[subject]])
        predicted(model, *data.key, windows[:8])
        began = now()
        predicted(model, *data.key, windows)
        return {"trials_per_s": len(windows) / (now() - began), "peak_mb": peak_mb()}
    if measure == "train":
        data = first_trials(data, TRIALS[subject])
    trials = len(data.in_part(0, 0))
    moments, reached = [now()], []
    names = tuple(name for name, _ in model.named_parameters())
    epochs = 3 if measure == "train" else options.epochs
    run = Run("bench", 0, 0, (data,), names, epochs)

    def report(done: int, note: str) -> None:
        moments.append(now())
        if "selection" in note and measure == "reach":
            said = [
                float(part.rsplit(" ", 1)[1]) for part in note.split("selection ")[1].split(",")
            ]
            reached.append(float(np.mean(said)))
            if reached[-1] >= more["accuracy"]:
                raise StopIteration

    with suppress(StopIteration):
        fit(model, run, options, Checkpoint(None, "bench", "", 1e9), report, local(model.device))
    if measure == "reach":
        found = max(reached) >= more["accuracy"]
        return {"seconds": moments[-1] - moments[0] if found else None, "best": max(reached)}
    # The first epoch warms up.
    return {"trials_per_s": trials / min(np.diff(moments[2:4])), "peak_mb": peak_mb()}


def first_trials(data, most: int):
    """The same with only so many training trials, and a selection block to match."""
    from dataclasses import replace

    part = np.full(len(data.trial), -1, np.int8)
    part[data.in_part(0, 0)[:most]] = 0
    part[data.in_part(0, 1)[: max(most // 8, 1)]] = 1
    return replace(data, parts={0: part})


def apart(command: list[str], threads: int) -> dict[str, Any]:
    """The last line of a process of its own, as JSON."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment = clean | {"OMP_NUM_THREADS": str(threads), "PYTHONNOUSERSITE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command[:3])} ...\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def rows(threads: int, rounds: int, clock: str, peer_seconds: float) -> Iterator[dict[str, Any]]:
    """The rows of benchmarks.csv."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nwb, called = session_file(folder)
        store, trials = convert(nwb, folder), folder / "trials.npz"
        about = f"{called}, {trials_for_peer(store, trials)}, {threads} threads, {clock} time"

        def ask(subject: str, what: str, **more: Any) -> dict[str, Any]:
            wanted = {"measure": what, "threads": threads, "clock": clock, **more}
            if subject == SUBJECTS[-1]:
                return apart(
                    [str(PEER), str(PEER_SCRIPT), str(trials), json.dumps(wanted)], threads
                )
            wanted |= {"store": str(store), "subject": subject}
            return apart([sys.executable, __file__, "--one", json.dumps(wanted)], threads)

        peer = SUBJECTS[-1]
        for what in ("train", "infer"):
            found: dict[str, list[dict[str, Any]]] = {subject: [] for subject in SUBJECTS}
            for _ in range(rounds):
                for subject in SUBJECTS:
                    found[subject].append(ask(subject, what))
            version = "torch_brain " + found[peer][0]["version"]
            best = {s: max(each["trials_per_s"] for each in f) for s, f in found.items()}
            memory = {s: min(each["peak_mb"] for each in f) for s, f in found.items()}
            for subject in SUBJECTS[:-1]:
                kind = "training" if what == "train" else "inference"
                theirs = (peer, version, best[peer])
                unit = f"trials/{SECOND[clock]}"
                yield row(f"decoder_{kind}", subject, unit, best[subject], about, theirs)
                theirs = (peer, version, memory[peer])
                yield row(
                    f"decoder_{kind}_memory",
                    subject,
                    "MB peak",
                    memory[subject],
                    about,
                    theirs,
                    True,
                )
        if peer_seconds:
            theirs = ask(peer, "reach", seconds=peer_seconds, accuracy=ENOUGH)
            ours = ask(SUBJECTS[0], "reach", accuracy=ENOUGH)
            never = (
                f"; the peer had {theirs['best']:.3f} when it was given up, the ratio is a bound"
            )
            yield row(
                "decoder_time_to_accuracy",
                SUBJECTS[0],
                SECOND[clock],
                ours["seconds"],
                f"to {ENOUGH} on selection trials, mean over tasks"
                f"{never if theirs['best'] < ENOUGH else ''}; {about}",
                (peer, version, theirs["seconds"]),
                True,
            )


def main(argv: list[str] | None = None) -> int:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--out", type=Path, help="CSV to write; without it rows are printed")
    cli.add_argument("--threads", type=int, default=1)
    cli.add_argument("--rounds", type=int, default=2)
    cli.add_argument("--clock", choices=list(CLOCKS), default="cpu")
    cli.add_argument(
        "--peer-seconds", type=float, default=60, help="at most; 0: no time to accuracy"
    )
    cli.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    args = cli.parse_args(argv)
    if args.one:
        print(json.dumps(measure(**args.one)))
        return 0
    if not PEER.exists():
        print(
            "error: no torch_brain here; first: sh tests/peers/make_env.sh torch_brain",
            file=sys.stderr,
        )
        return 2
    write(args.out, rows(args.threads, args.rounds, args.clock, args.peer_seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
