"""Convert one NWB session to a tensor: a Zarr store and its manifest."""

from __future__ import annotations

import argparse
import sys

from glassbox.cli import parser
from glassbox.errors import user_errors
from glassbox.options import options_from
from glassbox.sessions.catalogue import Row
from glassbox.tensors.options import TensorOptions


def parse(argv: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--nwb", required=True, help="NWB v1 file of the session")
    made.add_argument("--out", required=True, help="Zarr store to make, {session}.zarr")
    made.add_argument("--manifest", required=True, help="manifest to make, {session}.json")
    made.add_argument("--events", nargs="?", help="npz file of events, for tensors.signal: events")
    made.add_argument("--options", default="{}", help="section `tensors` as JSON")
    made.add_argument("--row", help="row of the catalogue as JSON; it wins over the file's header")
    return made.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    with user_errors():
        from glassbox.tensors.convert import convert_session

        options = options_from(TensorOptions, args.options, "tensors")
        row = options_from(Row, args.row, "row") if args.row else None
        about = convert_session(args.nwb, args.out, args.manifest, options, row, args.events)
        if about["missing"]:
            print(
                f"warning: {about['source_file']}: the file lacks this metadata: "
                f"{', '.join(about['missing'])}",
                file=sys.stderr,
            )
        frames, cells = about["shapes"]["dff"]
        tasks = ", ".join(about["tasks"]) or "none"
        print(f"{about['session']}: {cells:,} cells, {frames:,} frames, tasks: {tasks}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
