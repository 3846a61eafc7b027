"""Say what each unit of a cohort's dictionaries stands for and which cells it hears, and test both.

Writes descriptions.csv (a sentence for each unit with its score on test trials), rewriting.csv
(what the decoder says when all units do what their sentences predict), attribution.csv (the most
driving cells of each unit), attribution_check.csv (what a unit loses without them, and without
random ones), tuning.csv (of units and their cells) and attribution.json.
"""

from __future__ import annotations

import sys
from pathlib import Path

from glassbox.cli import parser
from glassbox.errors import user_errors
from glassbox.files import sole_writer
from glassbox.interventions.attribution_options import AttributionOptions
from glassbox.options import options_from


def main(argv: list[str] | None = None) -> int:
    cli = parser(__doc__, threads=True)
    cli.add_argument("--decoder", required=True, type=Path, help="results/decoders/{cohort}")
    cli.add_argument("--dictionary", required=True, type=Path, help="folder of stage 4")
    cli.add_argument("--units", required=True, type=Path, help="units.csv of stage 5")
    cli.add_argument("--tuning", required=True, type=Path, help="tuning.csv of stage 5")
    cli.add_argument("--tensors", required=True, nargs="+", type=Path, help="its sessions")
    cli.add_argument("--out", required=True, type=Path, help="folder to write into")
    cli.add_argument("--options", default="{}", help="section `attribution` as JSON")
    args = cli.parse_args(argv)
    with user_errors():
        options = options_from(AttributionOptions, args.options, "attribution")
        import torch
        from glassbox.interventions.explain import explain_units

        torch.set_num_threads(args.threads)
        given = args.decoder, args.dictionary, args.units, args.tuning, args.tensors
        with sole_writer(args.out):
            explain_units(*given, args.out, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
