"""The files that a record refers to: configuration, code, environments, packages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from glassbox.provenance import circumstances
from glassbox.provenance.jobs import Lineage

FOLDER = "provenance"  # in the results folder


def write_notes(folder: Path, behind: Lineage, config: Mapping[str, Any], house: Path) -> None:
    """Write them into an empty folder.

    Args:
        behind: the jobs whose environments are kept.
        config: the configuration that was checked, defaults filled in.
        house: the folder of the library and the scripts, in the checkout.
    """
    checkout = house.parent
    snakefile = checkout / "Snakefile"
    texts = {
        "config.json": json.dumps(config, indent=1, sort_keys=True) + "\n",
        "packages.txt": circumstances.packages(),
        "Snakefile": snakefile.read_text(encoding="utf-8") if snakefile.exists() else "",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "code.tar.gz").write_bytes(circumstances.archive_of_code(checkout))
    for content in {job.record.environment for job in behind.jobs} - {None}:
        path = folder / name_of_environment(content, house)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


@cache
def name_of_environment(content: bytes, house: Path) -> str:
    """Where an environment is kept: by the name of its file in `envs/`, if that is still so."""
    for file in sorted((house.parent / "envs").glob("*.yaml")):
        if file.read_bytes() == content:
            return f"envs/{file.name}"
    return f"envs/{hashlib.sha256(content).hexdigest()[:16]}.yaml"
