"""A results folder made by hand, with the records that Snakemake would have written of it.

Beside it stands a small checkout, whose scripts the rules are said to have run.
"""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

from glassbox.code import code_of_script
from glassbox.files import sha256_of_file, sha256_of_folder
from glassbox.inputs import MARK, id_of_inputs
from glassbox.provenance.crate import record_provenance

CONFIG = {"figures": {"seed": 3, "dpi": 300}, "decoders": {"seeds": [0, 1]}}
TABLE, FIGURE = "results/tables/units.csv", "results/figures/units.png"
BETWEEN = "results/units/all.csv"
TENSOR, MANIFEST = "results/tensors/one.zarr", "results/tensors/one.json"
SOURCE = "mine/one two.nwb"
BENCHMARK = "s\th:m:s\tmax_rss\tcpu_time\n12.5\t0:00:12\t345.67\t1.0\n"
ENVIRONMENT = b"dependencies: [python]\n"


@dataclass
class MadeResults:
    """A working directory: `results/`, `.snakemake/` and a source in `mine/`."""

    directory: Path

    @property
    def house(self) -> Path:
        return self.directory.parent / "checkout" / "workflow"

    @property
    def results(self) -> Path:
        return self.directory / "results"

    def write(self, path: str | Path, content: str) -> Path:
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        return file

    def draw(self) -> None:
        """The figure of the table as it is now."""
        self.write(FIGURE, f"tEXtKeywords {MARK}{id_of_inputs([self.directory / TABLE])} IEND")

    def made(self, rule: str, inputs: list[str], outputs: list[str], **more) -> None:
        """Write the record and the benchmark of a job, and the script that it ran."""
        script = self.write(self.house / "scripts" / f"{rule}.py", f"print({rule!r})\n")
        record = {
            "rule": rule,
            "input": sorted(inputs),
            "log": [f"results/logs/{rule}.log"],
            "code": f'python "$SCRIPTS/{rule}.py"',
            "params": [repr(code_of_script(script, self.house))],
            "conda_env": b64encode(ENVIRONMENT).decode(),
            "software_stack_hash": "d41d8cd98f00b204e9800998ecf8427e",
            "starttime": 1000.0,
            "endtime": 1010.0,
            "incomplete": False,
        }
        for path in outputs:
            name = urlsafe_b64encode(path.encode()).decode()
            *folders, last = [name[i : i + 254] for i in range(0, len(name), 254)]
            place = "/".join([*(f"@{part}" for part in folders), last])
            self.write(f".snakemake/metadata/{place}", json.dumps(record | more))
        self.write(f"results/benchmarks/{rule}.tsv", BENCHMARK)

    def record(self) -> int:
        return record_provenance(self.directory, [TABLE, FIGURE, MANIFEST], CONFIG, self.house)

    def entities(self) -> dict[str, dict]:
        """The entities of the record by their id."""
        text = (self.results / "ro-crate-metadata.json").read_text()
        return {entity["@id"]: entity for entity in json.loads(text)["@graph"]}


def made_results(directory: Path) -> MadeResults:
    """A source, its tensor, a table of it and a figure of that, recorded."""
    made = MadeResults(directory)
    source = made.write(SOURCE, "a recording")
    made.write(f"{TENSOR}/c/0", "a chunk")
    made.write(f"{TENSOR}/.snakemake_timestamp", "")
    manifest = {
        "content_sha256": sha256_of_folder(directory / TENSOR),
        "source_file": source.name,
        "source_sha256": sha256_of_file(source),
    }
    made.write(MANIFEST, json.dumps(manifest))
    made.write(TABLE, "unit\n1\n")
    made.draw()
    made.made("convert_session", [SOURCE], [TENSOR, MANIFEST])
    made.write(BETWEEN, "unit\n1\n")
    made.made("measure_units", [TENSOR, MANIFEST], [BETWEEN])
    made.made("assemble_tables", [BETWEEN], [TABLE])
    made.made("draw_units", [TABLE], [FIGURE])
    made.record()
    return made
