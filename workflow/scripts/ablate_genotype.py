"""Read genotype on held-out mice, before and after units are taken away.

Over the cohorts all-without-0, -1, ...: bodies and dictionaries that never saw the held-out mice.
Writes ablation.csv, confusion.csv, controls.csv (the drop under every matched random set) and
genotype.csv (the read before any ablation, beside what identity alone would give).
"""

from __future__ import annotations

import sys
from pathlib import Path

from glassbox.cli import parser
from glassbox.errors import user_errors
from glassbox.files import sole_writer
from glassbox.interventions.options import InterventionOptions
from glassbox.options import options_from


def main(argv: list[str] | None = None) -> int:
    cli = parser(__doc__, threads=True)
    several = {"required": True, "nargs": "+", "type": Path}
    cli.add_argument("--decoders", **several, help="results/decoders/all-without-*")
    cli.add_argument("--dictionaries", **several, help="their folders of stage 4, in that order")
    cli.add_argument("--units", **several, help="their folders of stage 5, or units.csv")
    cli.add_argument("--tensors", **several, help="stores of all sessions")
    cli.add_argument("--out", required=True, type=Path, help="folder to write into")
    cli.add_argument("--options", default="{}", help="section `interventions` as JSON")
    args = cli.parse_args(argv)
    with user_errors():
        options = options_from(InterventionOptions, args.options, "interventions")
        import torch
        from glassbox.interventions.genotype import ablate_genotype

        torch.set_num_threads(args.threads)
        with sole_writer(args.out):
            ablate_genotype(
                args.decoders, args.dictionaries, args.units, args.tensors, args.out, options
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
