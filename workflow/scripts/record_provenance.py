"""Record what the tables and figures were made from, by which code and where: an RO-Crate."""

from __future__ import annotations

import json
from pathlib import Path

from glassbox.cli import parser
from glassbox.errors import user_errors


def main(argv: list[str] | None = None) -> int:
    arguments = parser(__doc__)
    arguments.add_argument("--directory", default=".", help="the folder that holds results/")
    arguments.add_argument(
        "--targets", nargs="+", required=True, metavar="PATH", help="tables, figures, manifests"
    )
    arguments.add_argument("--config", required=True, metavar="JSON", help="the configuration")
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.provenance.crate import record_provenance

        house = Path(__file__).resolve().parents[1]
        jobs = record_provenance(args.directory, args.targets, json.loads(args.config), house)
    print(f"results/ro-crate-metadata.json: {len(args.targets)} results, {jobs} jobs behind them")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
