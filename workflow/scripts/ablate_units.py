"""Take units away from one cohort's decoders, clamp them, or give them another trial's values.

Writes ablation.csv, confusion.csv, controls.csv (the drop under every matched random set),
steering.csv, patching.csv, and mediators.csv: heads, latents, cells and components of other bases
taken away instead.
"""

from __future__ import annotations

import sys
from pathlib import Path

from glassbox.cli import parser
from glassbox.errors import user_errors
from glassbox.files import sole_writer
from glassbox.interventions.options import InterventionOptions
from glassbox.options import options_from
from glassbox.units.options import UnitOptions


def main(argv: list[str] | None = None) -> int:
    cli = parser(__doc__, threads=True)
    cli.add_argument("--decoder", required=True, type=Path, help="results/decoders/{cohort}")
    cli.add_argument("--dictionary", required=True, type=Path, help="folder of stage 4")
    cli.add_argument("--units", required=True, type=Path, help="folder of stage 5, or units.csv")
    cli.add_argument("--tensors", required=True, nargs="+", type=Path, help="its sessions")
    cli.add_argument("--out", required=True, type=Path, help="folder to write into")
    cli.add_argument("--options", default="{}", help="section `interventions` as JSON")
    cli.add_argument("--unit-options", default="{}", help="section `units` as JSON")
    args = cli.parse_args(argv)
    with user_errors():
        options = options_from(InterventionOptions, args.options, "interventions")
        unit_options = options_from(UnitOptions, args.unit_options, "units")
        import torch
        from glassbox.interventions.stage import ablate_units

        torch.set_num_threads(args.threads)
        units = args.units if args.units.suffix == ".csv" else args.units / "units.csv"
        with sole_writer(args.out):
            folders = args.decoder, args.dictionary, units, args.tensors, args.out
            ablate_units(*folders, options, unit_options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
