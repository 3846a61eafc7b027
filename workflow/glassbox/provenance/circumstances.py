"""By which code and on which machine: what a record says beside the files."""

from __future__ import annotations

import gzip
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PARTS = ("Snakefile", "workflow", "config", "envs", "profiles", "report")
LONGEST_S = 30


def version_of_code(checkout: str | Path) -> dict[str, Any]:
    """The git commit of a checkout, and whether its code differs from it; both None without git."""
    commit = _said("git", "-C", str(checkout), "rev-parse", "HEAD")
    tracked = _said("git", "-C", str(checkout), "ls-files", "--", "Snakefile")
    if not commit or not tracked:
        return {"commit": None, "changed": None}
    parts = [part for part in PARTS if Path(checkout, part).exists()]
    changed = _said("git", "-C", str(checkout), "status", "--porcelain", "--", *parts)
    return {"commit": commit, "changed": None if changed is None else bool(changed)}


def archive_of_code(checkout: str | Path) -> bytes:
    """The Snakefile and all that it includes or runs, as a .tar.gz that depends on nothing else."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for file in files_of_code(checkout):
            about = tarfile.TarInfo(f"glassbox/{file.relative_to(checkout).as_posix()}")
            content = file.read_bytes()
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return packed.getvalue()


def files_of_code(checkout: str | Path) -> Iterator[Path]:
    """The files of the checkout that make up the workflow, sorted."""
    for part in PARTS:
        path = Path(checkout, part)
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        yield from (f for f in files if f.is_file() and "__pycache__" not in f.parts)


def machine() -> dict[str, str | int]:
    """The machine that this runs on, without its name; jobs of a cluster may have run on others."""
    about: dict[str, str | int] = {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000,
        "python": platform.python_version(),
    }
    if shutil.which("nvidia-smi"):
        gpus = _said("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")
        about["gpu"] = "; ".join((gpus or "").splitlines())
    return about


def packages() -> str:
    """Every package of this Python and its version, as folders name them, one a line, sorted."""
    folders = {folder.stem for path in sys.path for folder in Path(path).glob("*.dist-info")}
    found = {"==".join(name.rsplit("-", 1)) for name in folders}
    return "\n".join([f"# Python {sys.version.split()[0]}", *sorted(found, key=str.lower)]) + "\n"


def seeds(config: Mapping[str, Any], section: str = "") -> dict[str, Any]:
    """Every seed of a configuration by its dotted name."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{section}{key}"
        if isinstance(value, Mapping):
            found |= seeds(value, f"{name}.")
        elif key in ("seed", "seeds") or key.endswith(("_seed", "_seeds")):
            found[name] = value
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _said(*command: str) -> str | None:
    """What a command printed; None where it is not there or fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LONGEST_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
