"""What every script has in common."""

from __future__ import annotations

import argparse


def parser(description: str | None, threads: bool = False) -> argparse.ArgumentParser:
    """An argument parser with the description of the script and, where asked, `--threads`."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    if threads:
        made.add_argument("--threads", type=int, default=1, help="CPU threads that results may use")
    return made
