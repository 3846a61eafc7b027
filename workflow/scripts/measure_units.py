"""Measure what each living unit of a cohort's dictionaries responds to.

Writes units.csv (one row a unit and variable: score, preferred value, effect size, permutation p,
q, selective), tuning.csv (mean activation by condition) and units.json (notes).
"""

from __future__ import annotations

import sys
from pathlib import Path

from glassbox.cli import parser
from glassbox.errors import user_errors
from glassbox.options import options_from


def main(argv: list[str] | None = None) -> int:
    args = parser(__doc__)
    args.add_argument("--dictionary", type=Path, required=True, help="folder of stage 4")
    args.add_argument("--out", type=Path, required=True, help="folder to make")
    args.add_argument("--cohort", required=True, help="name of the cohort, for the tables")
    args.add_argument("--level", required=True, help="mouse, genotype, all or heldout")
    args.add_argument("--options", default="{}", help="the section `units`, as JSON")
    given = args.parse_args(argv)
    with user_errors():
        from glassbox.units.measure import measure_units
        from glassbox.units.options import UnitOptions

        options = options_from(UnitOptions, given.options, "units")
        measure_units(given.dictionary, given.out, given.cohort, given.level, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
