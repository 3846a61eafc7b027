"""Simulate one session and write it as an NWB v1 file, with the truth beside it."""

from __future__ import annotations

from glassbox.cli import parser
from glassbox.errors import user_errors
from glassbox.files import sole_writer
from glassbox.options import options_from


def main(argv: list[str] | None = None) -> int:
    parse = parser(__doc__)
    parse.add_argument("--options", required=True, help="JSON of the section sessions.simulate")
    parse.add_argument("--session", required=True, help="name, such as sim-Cux2-01-B")
    parse.add_argument("--out", required=True, help="NWB file to write")
    parse.add_argument("--truth", required=True, help="npz file of what was planted")
    args = parse.parse_args(argv)
    with user_errors():
        from glassbox.sessions.options import SimulateOptions
        from glassbox.sessions.simulate import simulate_session
        from glassbox.sessions.truth import write_truth
        from glassbox.sessions.write_nwb import write_nwb

        options = options_from(SimulateOptions, args.options, "sessions.simulate")
        recording = simulate_session(options, args.session)
        with sole_writer(args.out):
            write_truth(recording, args.truth)
            write_nwb(recording, args.out, pupil=options.pupil)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
