"""What every script that draws a figure is given, beside the tables that it is drawn from."""

from __future__ import annotations

from argparse import ArgumentParser

from glassbox.cli import parser


def figure_arguments(about: str | None) -> ArgumentParser:
    """A parser of the files that a figure is written to and of its options."""
    arguments = parser(about)
    arguments.add_argument("--pdf", required=True, metavar="FILE", help="figure to write")
    arguments.add_argument("--png", required=True, metavar="FILE", help="figure to write")
    arguments.add_argument("--csv", required=True, metavar="FILE", help="drawn numbers to write")
    arguments.add_argument("--options", default="{}", metavar="JSON", help="section `figures`")
    return arguments
