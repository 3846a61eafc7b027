"""How much memory converting a session takes, and that ten times the frames take no more.

    PYTHONPATH=workflow python tests/benchmarks/conversion_memory.py [SESSION.nwb]

Converts a session and the same ten times as long (254 cells × 56,848 frames, as a real one; or
SESSION.nwb and its recording ten times over), each in a process of its own, and prints seconds and
peak resident memory above what the imports take. Exits with 1 where more than 64 MB are needed or
the two differ by more than 5%.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

BOUND_MB, BOUND_RATIO = 64.0, 1.05
TIMES = 10
CELLS, FRAMES, RATE_HZ = 254, 56_848, 30.1  # those of a real session
BLOCK = 4096


def write_long(path: Path, times: int, source: Path | None) -> None:
    """Write a session `times` as long as the source, with its trials once."""
    from glassbox.sessions import layout

    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        if source is None:
            frames, cells = FRAMES, CELLS
            start = (8 + np.arange(600) * 91).astype(np.int64)
            table = np.stack(
                [np.take([1.0, 2.0, 4.0], start % 3), start % 8 * 45.0, 0.0 * start], axis=1
            )
            group = layout.stimulus_group(layout.DRIFTING_GRATINGS)
            file[f"{group}/data"] = table
            file[f"{group}/frame_duration"] = np.stack([start, start + 60], axis=1)
            features = [b"temporal_frequency", b"orientation", b"blank_sweep"]
            file[f"{group}/features"] = np.array(features)
            file[layout.CELL_SPECIMEN_IDS] = np.arange(cells)
            blocks = (
                rng.standard_normal((cells, min(BLOCK, frames - at)), dtype=np.float32)
                for _ in range(times)
                for at in range(0, frames, BLOCK)
            )
        else:
            real = h5py.File(source, "r")
            for key in real:
                if key != "processing":
                    real.copy(key, file)
            real.copy(layout.CELL_SPECIMEN_IDS, file, layout.CELL_SPECIMEN_IDS)
            recording = real[layout.DFF]
            cells, frames = recording.shape
            blocks = (
                recording[:, at : at + BLOCK]
                for _ in range(times)
                for at in range(0, frames, BLOCK)
            )
        dff = file.create_dataset(
            layout.DFF,
            (cells, frames * times),
            "f4",
            chunks=(32, BLOCK),
            compression="gzip",
            compression_opts=1,
        )
        at = 0
        for block in blocks:
            dff[:, at : at + block.shape[1]] = block
            at += block.shape[1]
        file[layout.DFF_TIMES] = 10.0 + np.arange(frames * times) / RATE_HZ
        file[layout.RUNNING_SPEED] = rng.standard_normal(frames * times - 8, dtype=np.float32)
        file[layout.RUNNING_SPEED_TIMES] = 10.0 + np.arange(3, frames * times - 5) / RATE_HZ


def peak_mb() -> float:
    """Peak resident memory of this process so far, MB.

    Read from /proc (Linux): `getrusage` also counts what the parent held before this program was
    started.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status tells no VmHWM; this benchmark needs Linux")


def measure(nwb: Path, folder: Path) -> tuple[float, float, float]:
    """(seconds, MB above the imports, MB of the imports) of a conversion in a fresh process."""
    arguments = [sys.executable, __file__, "--convert", str(nwb), str(folder / "out.zarr")]
    said = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    seconds, above, imports = (float(word) for word in said.split())
    return seconds, above, imports


def convert_here(nwb: str, out: str) -> None:
    from glassbox.tensors.convert import convert_session
    from glassbox.tensors.options import TensorOptions

    imports = peak_mb()
    began = time.perf_counter()
    convert_session(nwb, out, Path(out).with_suffix(".json"), TensorOptions())
    print(time.perf_counter() - began, peak_mb() - imports, imports)


def main(argv: list[str]) -> int:
    if argv[:1] == ["--convert"]:
        convert_here(*argv[1:])
        return 0
    source = Path(argv[0]) if argv else None
    above = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for times in (1, TIMES):
            nwb = folder / f"times{times}.nwb"
            write_long(nwb, times, source)
            seconds, mb, imports = measure(nwb, folder)
            above.append(mb)
            print(
                f"{times:2d} × the frames: {seconds:.1f} s, {mb:.1f} MB above the {imports:.1f} MB "
                "of the imports"
            )
    ratio = max(above) / min(above)
    print(f"ratio {ratio:.3f} (bound {BOUND_RATIO}), most {max(above):.1f} MB (bound {BOUND_MB})")
    return int(max(above) > BOUND_MB or ratio > BOUND_RATIO)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
