"""Writing so that nothing is ever left half-written, and hashing what was written."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SNAKEMAKE_STAMP = ".snakemake_timestamp"


@contextmanager
def replacing_file(path: str | Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; put it in the place of `path` when all went well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Give an empty folder beside `path` to fill; put it in the place of `path` at the end."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        if path.exists():
            shutil.rmtree(path)
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def sole_writer(path: str | Path) -> Iterator[None]:
    """Hold a lock beside `path` while it is written.

    After Snakemake is killed, its shell child may still be writing; a second run waits here for
    that orphan instead of mixing with it. The lock is the kernel's (flock): it dies with its
    process.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f".{path.name}.lock"), "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def sha256_of_file(path: str | Path, block_bytes: int = 1 << 20) -> str:
    """SHA-256 of a file's bytes, as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while block := handle.read(block_bytes):
            digest.update(block)
    return digest.hexdigest()


def sha256_of_folder(folder: str | Path) -> str:
    """SHA-256 over the names and contents of all files of a folder, Snakemake's stamp excluded."""
    folder = Path(folder)
    digest = hashlib.sha256()
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != SNAKEMAKE_STAMP)
    for file in sorted(files, key=lambda p: p.relative_to(folder).as_posix()):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{sha256_of_file(file)}\n".encode())
    return digest.hexdigest()
