"""Score the claims about units of a simulated cohort against the simulator's truth.

A unit is truly selective for a variable if the variable explains more than `units.min_effect` of
the variance of its activation over fresh simulated trials (for genotype: of fresh mice) that run
through the frozen decoder and dictionary. Writes recall, precision, false-discovery rate and power
of the claims, by variable and level.
"""

from __future__ import annotations

import sys
from pathlib import Path

from glassbox.cli import parser
from glassbox.errors import user_errors
from glassbox.options import options_from


def main(argv: list[str] | None = None) -> int:
    args = parser(__doc__, threads=True)
    for stage, what in (
        ("units", "folders of stage 5, one for each cohort"),
        ("dictionaries", "folders of stage 4, in the same order"),
        ("decoders", "folders of stage 3, in the same order"),
    ):
        args.add_argument(f"--{stage}", type=Path, nargs="+", required=True, help=what)
    args.add_argument("--out", type=Path, required=True, help="CSV to make")
    args.add_argument("--truth", type=Path, help="CSV of claim and truth of every unit to make")
    args.add_argument("--simulate", default="{}", help="the section `sessions.simulate`, as JSON")
    args.add_argument("--options", default="{}", help="the section `units`, as JSON")
    given = args.parse_args(argv)
    with user_errors():
        import torch
        from glassbox.sessions.options import SimulateOptions
        from glassbox.units.ground_truth import score_ground_truth
        from glassbox.units.options import UnitOptions

        torch.set_num_threads(given.threads)
        score_ground_truth(
            given.units,
            given.dictionaries,
            given.decoders,
            options_from(SimulateOptions, given.simulate, "sessions.simulate"),
            options_from(UnitOptions, given.options, "units"),
            given.out,
            given.truth,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
