"""A stand-in for `conda`, for machines that reach no conda channel.

It answers what Snakemake asks of conda and no more. `env create` solves and installs the conda
packages of the file with rattler, from a local channel (build_channel.py), and the pip packages
with uv, from wherever pip is told to look. It has one python: where the file pins another
patch release of it, it says so and takes its own. Nothing here is part of the workflow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from rattler import Channel, install, solve

HOME = Path(os.environ["STAND_IN_CONDA"])  # bin/conda, bin/activate, channel/
VERSION = "25.1.1"


def create(file: Path, prefix: Path) -> None:
    """Make the environment of a file."""
    dependencies = yaml.safe_load(file.read_text())["dependencies"]
    plain = [_ours(pin) for pin in dependencies if isinstance(pin, str)]
    from_pip = [pin for part in dependencies if isinstance(part, dict) for pin in part["pip"]]
    asyncio.run(_install(plain, prefix))
    if from_pip:
        _install_from_pip(from_pip, prefix)


async def _install(specs: list[str], prefix: Path) -> None:
    channel = Channel((HOME / "channel").as_uri())
    records = await solve([channel], specs, platforms=["linux-64", "noarch"])
    await install(records, prefix, cache_dir=HOME / "packages", show_progress=False)


def _ours(pin: str) -> str:
    """A pin of python without its patch release."""
    found = re.fullmatch(r"python=(\d+\.\d+)(\.\d+)?", pin)
    if not found:
        return pin.replace("=", " ==", 1)
    print(f"stand-in conda: the python of this machine for {pin}")
    return f"python {found.group(1)}.*"


def _install_from_pip(pins: list[str], prefix: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "pip", "install", "--quiet", "--python", prefix / "bin" / "python"]
    for variable, option in (
        ("PIP_FIND_LINKS", "--find-links"),
        ("PIP_INDEX_URL", "--index-url"),
        ("PIP_EXTRA_INDEX_URL", "--extra-index-url"),
    ):
        for place in os.environ.get(variable, "").split():
            command += [option, place]
    subprocess.run([*command, *pins], check=True)


def main(argv: list[str]) -> int:
    """Answer as conda does."""
    if argv == ["info", "--json"]:
        answer = {"conda_prefix": str(HOME), "platform": "linux-64", "conda_version": VERSION}
        print(json.dumps(answer))
    elif argv == ["--version"]:
        print(f"conda {VERSION}")
    elif argv == ["config", "--get", "channel_priority", "--json"]:
        print(json.dumps({"get": {"channel_priority": "strict"}, "success": True}))
    elif argv[:1] == ["clean"]:
        shutil.rmtree(HOME / "packages", ignore_errors=True)
    elif argv[:2] == ["env", "create"]:
        parser = argparse.ArgumentParser()
        parser.add_argument("--quiet", action="store_true")
        parser.add_argument("--no-default-packages", action="store_true")
        parser.add_argument("--file", type=Path, required=True)
        parser.add_argument("--prefix", type=Path, required=True)
        options = parser.parse_args(argv[2:])
        create(options.file, options.prefix)
    else:
        print(f"stand-in conda: cannot {' '.join(argv)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
