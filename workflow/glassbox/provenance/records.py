"""What Snakemake wrote down when it made a file.

Snakemake 9 keeps one JSON file for each output in `.snakemake/metadata`, named by the output's path
in URL-safe base64, in pieces of folders where that is longer than a file name may be.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from base64 import b64decode, urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(".snakemake", "metadata")
NOTHING_DEPLOYED = hashlib.md5(usedforsecurity=False).hexdigest()
_SCRIPT = re.compile(r'"\$SCRIPTS/(\w+)\.py"')


@dataclass(frozen=True)
class Record:
    """How a file was made.

    Attributes:
        rule: the rule's name, as the workflow calls it that ran.
        script: the name of the script behind it, without folder and ending; "" without one.
        inputs, log: paths as Snakemake knows them, sorted.
        params: the values of its parameters as Python writes them, without their names.
        environment: the YAML of the conda environment that the rule names; None without one.
        deployed: whether the job ran in that environment, and not in Snakemake's own.
        started, ended: seconds since 1970.
    """

    rule: str
    script: str
    inputs: tuple[str, ...]
    log: tuple[str, ...]
    params: tuple[str, ...]
    environment: bytes | None
    deployed: bool
    started: float
    ended: float


class Records:
    """The records of a working directory, each read when it is asked for."""

    def __init__(self, directory: str | Path = "."):
        self.folder = Path(directory) / FOLDER

    def of(self, path: str) -> Record | None:
        """How a file was made; None where Snakemake has not made it, or not to its end."""
        try:
            content = json.loads(self._file_of(path).read_text())
        except (OSError, ValueError):
            return None
        return None if content.get("incomplete") or not content.get("rule") else _record(content)

    def _file_of(self, path: str) -> Path:
        try:
            longest = os.pathconf(self.folder, "PC_NAME_MAX") - 1
        except OSError:
            longest = 254
        name = urlsafe_b64encode(path.encode()).decode()
        parts = [name[first : first + longest] for first in range(0, len(name), longest)]
        return self.folder.joinpath(*(f"@{part}" for part in parts[:-1]), parts[-1])


def _record(content: dict[str, Any]) -> Record:
    script = _SCRIPT.search(content.get("code") or "")
    environment = content.get("conda_env")
    return Record(
        rule=content["rule"],
        script=script.group(1) if script else "",
        inputs=tuple(content.get("input") or ()),
        log=tuple(content.get("log") or ()),
        params=tuple(content.get("params") or ()),
        environment=b64decode(environment) if environment else None,
        deployed=content.get("software_stack_hash") not in (None, NOTHING_DEPLOYED),
        started=content.get("starttime") or 0.0,
        ended=content.get("endtime") or 0.0,
    )
