"""Run the benchmarks one after the other and join their rows: `make bench`.

    python tests/benchmarks/run_all.py --out results/tables/benchmarks.csv [NAME ...]

A benchmark is a file of this folder, named in `BENCHMARKS` below, that writes rows of
benchmarks.csv where --out says. One that fails is said at the end; its rows of before and those of
the others stay in the table.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from benchmark_rows import COLUMNS, write  # noqa: E402

# By name: the arguments of the file.
BENCHMARKS: dict[str, tuple[str, ...]] = {
    "decoder_speed": (),
    "decoder_scaling": ("--most-sessions", "100"),
    "dictionary_speed": (),
    "ablation_speed": (),
    "workflow_overhead": (),
}


def main(argv: list[str] | None = None) -> int:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--out", type=Path, required=True, help="the table")
    cli.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], help="which; all without any")
    args = cli.parse_args(argv)
    found = read(args.out)
    failed = []
    for name in args.names or BENCHMARKS:
        print(f"{name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "rows.csv"
            command = [sys.executable, str(HERE / f"{name}.py"), *BENCHMARKS[name]]
            done = subprocess.run([*command, "--out", str(out)], check=False)
            if done.returncode:
                failed.append(name)
                continue
            new = read(out)
            kinds = {row["benchmark"] for row in new}
        found = [row for row in found if row["benchmark"] not in kinds] + new
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write(args.out, sorted(found, key=lambda row: [row[column] for column in COLUMNS]))
    if failed:
        print(f"error: {', '.join(failed)} failed; see above.", file=sys.stderr)
    return int(bool(failed))


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a table; none where there is none."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


if __name__ == "__main__":
    sys.exit(main())
