"""Train the sparse dictionaries of one cohort's decoders, and measure what they cost."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from glassbox.cli import parser
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.errors import user_errors
from glassbox.files import sole_writer
from glassbox.options import options_from


def main(argv: list[str] | None = None) -> int:
    cli = parser(__doc__, threads=True)
    cli.add_argument("--decoder", required=True, type=Path, help="results/decoders/{cohort}")
    cli.add_argument(
        "--tensors", required=True, nargs="+", type=Path, help="stores of its sessions"
    )
    cli.add_argument("--out", required=True, type=Path, help="folder to write into")
    cli.add_argument("--cache", type=Path, help="folder of what is kept for later runs")
    cli.add_argument("--hook", help="in the place of the option `hook`")
    cli.add_argument("--options", default="{}", help="section `dictionaries` as JSON")
    args = cli.parse_args(argv)
    with user_errors():
        options = options_from(DictionaryOptions, args.options, "dictionaries")
        if args.hook:
            options = replace(options, hook=args.hook)
        import torch
        from glassbox.dictionaries.stage import train_dictionaries

        torch.set_num_threads(args.threads)
        with sole_writer(args.out):
            train_dictionaries(args.decoder, args.tensors, args.out, options, args.cache)
    return 0


if __name__ == "__main__":
    sys.exit(main())
