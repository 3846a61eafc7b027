"""Count false genotype claims: relabel the mice, run the whole claim procedure, retrain nothing.

Writes rows of ground_truth.csv: over all relabelings of the mice that are unrelated to their Cre
lines, the share under which at least one unit is claimed, with its exact 95% interval.
"""

from __future__ import annotations

import sys
from pathlib import Path

from glassbox.cli import parser
from glassbox.errors import user_errors
from glassbox.options import options_from


def main(argv: list[str] | None = None) -> int:
    args = parser(__doc__)
    args.add_argument(
        "--dictionary", type=Path, required=True, help="folder of stage 4, of the cohort `all`"
    )
    args.add_argument("--out", type=Path, required=True, help="CSV to make")
    args.add_argument("--options", default="{}", help="the section `units`, as JSON")
    given = args.parse_args(argv)
    with user_errors():
        from glassbox.units.options import UnitOptions
        from glassbox.units.relabelling import write_relabelled

        options = options_from(UnitOptions, given.options, "units")
        write_relabelled(given.dictionary, given.out, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
