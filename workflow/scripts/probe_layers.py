"""Probe every layer of a cohort's decoders: where is a variable readable, by how few features?"""

from __future__ import annotations

import sys
from pathlib import Path

from glassbox.cli import parser
from glassbox.errors import user_errors


def main(argv: list[str] | None = None) -> int:
    cli = parser(__doc__, threads=True)
    cli.add_argument("--decoder", required=True, type=Path, help="results/decoders/{cohort}")
    cli.add_argument("--dictionary", required=True, type=Path, help="its folder of stage 4")
    cli.add_argument(
        "--tensors", required=True, nargs="+", type=Path, help="stores of its sessions"
    )
    cli.add_argument("--hook", required=True, help="the hook of the dictionary")
    cli.add_argument("--level", required=True, help="of the cohort: mouse, genotype or all")
    cli.add_argument("--seed", type=int, default=0, help="of the choice of trials")
    cli.add_argument("--out", required=True, type=Path, help="CSV to make")
    args = cli.parse_args(argv)
    with user_errors():
        import torch
        from glassbox.units.probes import probe_layers

        torch.set_num_threads(args.threads)
        folders = args.decoder, args.dictionary, args.tensors
        probe_layers(*folders, args.out, args.hook, args.level, args.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
