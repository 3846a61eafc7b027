"""Put the rule graph into the README, from what `snakemake --rulegraph mermaid-js` prints.

Rules are named by their names instead of by Snakemake's numbers, so that the picture changes only
when the graph does; GitHub draws it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
PLACE = re.compile(r"(<!-- rulegraph.*? -->\n).*?(<!-- end of rulegraph -->)", re.DOTALL)


def graph_of(mermaid: str) -> str:
    """The block of the README for what `snakemake --rulegraph mermaid-js` prints."""
    names = dict(re.findall(r"^\s*(id\d+)\[(\w+)\]", mermaid, re.MULTILINE))
    edges = re.findall(r"^\s*(id\d+) --> (id\d+)", mermaid, re.MULTILINE)
    lines = sorted(f"    {names[a]} --> {names[b]}" for a, b in edges)
    return "\n".join(["```mermaid", "flowchart TB", *lines, "```", ""])


def main() -> int:
    text = README.read_text(encoding="utf-8")
    graph = graph_of(sys.stdin.read())
    README.write_text(PLACE.sub(lambda place: place[1] + graph + place[2], text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
