"""What code a script runs, as one hash: the reason for Snakemake to run a rule again.

Snakemake sees the text of a shell command, not the library behind it. The hash covers the script
and every module of `glassbox` that it imports, directly or through others, at the top of a file
or inside a function. It is taken from the syntax trees without docstrings: an edit of meaning
changes it, a comment, a docstring or a blank line does not.

Parsing the library takes most of a second, and every start of Snakemake asks for it, on clusters
in every job. So what a file means may be kept from start to start, by the file's content.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LIBRARY = "glassbox"
_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Kept:
    """What files mean, by their content, kept in a file from one start to the next."""

    def __init__(self, file: Path):
        self.file, self.new = file, False
        self.sources: dict[str, list] = {}
        with suppress(OSError, TypeError, ValueError):  # none yet, or a damaged one
            self.sources = dict(json.loads(file.read_text()))

    def add(self, key: str, meaning: str, names: list[str]) -> None:
        self.sources[key] = [meaning, names]
        self.new = True

    def save(self) -> None:
        """Replace the file where there is something new; not being able to is no fault."""
        if not self.new:
            return
        partial = self.file.with_name(f".{self.file.name}.{os.getpid()}")
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(self.sources))
            os.replace(partial, self.file)
        self.new = False


def code_of_script(script: Path, house: Path, kept: Kept | None = None) -> str:
    """The hash of a script and its import closure inside `house / "glassbox"`, 16 digits."""
    digest = hashlib.sha256(_read(script, "", house, kept).meaning.encode())
    for module in sorted(closure(script, house, kept)):
        meaning = _read(_file_of(module, house), module, house, kept).meaning
        digest.update(f"\0{module}\0{meaning}".encode())
    if kept is not None:
        kept.save()
    return digest.hexdigest()[:16]


def closure(script: Path, house: Path, kept: Kept | None = None) -> frozenset[str]:
    """The names of all modules of the library that the script imports, however indirectly."""
    found: set[str] = set()
    waiting = list(_read(script, "", house, kept).imports)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += imports_of(module, house, kept)
    return frozenset(found)


def imports_of(module: str, house: Path, kept: Kept | None = None) -> frozenset[str]:
    """The modules of the library that one module names in its import statements.

    The packages that an imported module lies in are imported with it, so they count too.
    """
    return _read(_file_of(module, house), module, house, kept).imports


@dataclass(frozen=True)
class _Source:
    """SHA-256 of a file's syntax tree without docstrings and positions, and what it imports."""

    meaning: str
    imports: frozenset[str]


@cache
def _read(file: Path, module: str, house: Path, kept: Kept | None) -> _Source:
    content = file.read_bytes()
    # What relative imports mean depends on the module, what a tree looks like on the Python.
    place = f"{sys.version_info[:2]} {module} {file.name == '__init__.py'}"
    key = hashlib.sha256(place.encode() + b"\0" + content).hexdigest()
    if kept is not None and key in kept.sources:
        meaning, names = kept.sources[key]
    else:
        meaning, names = _parsed(file, module, content)
        if kept is not None:
            kept.add(key, meaning, names)
    modules: set[str] = set()
    for name in names:
        parts = name.split(".")
        packages = (".".join(parts[: depth + 1]) for depth in range(len(parts)))
        modules.update(part for part in packages if _exists(part, house))
    return _Source(meaning, frozenset(modules))


def _parsed(file: Path, module: str, content: bytes) -> tuple[str, list[str]]:
    """What a file means, as a hash, and the names in the library that it imports."""
    tree = ast.parse(content, filename=str(file))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base_of(node, file, module)
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, _WITH_DOCSTRING) and ast.get_docstring(node, clean=False):
            del node.body[0]
    meaning = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return meaning, sorted(name for name in names if name.split(".")[0] == LIBRARY)


def _base_of(node: ast.ImportFrom, file: Path, module: str) -> str:
    """The module after `from`, with leading dots resolved against the importing module."""
    if node.level == 0:
        return node.module or ""
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    package = package[: len(package) - (node.level - 1)]
    return ".".join([*package, *([node.module] if node.module else [])])


@cache
def _exists(module: str, house: Path) -> bool:
    return _file_of(module, house).exists()


@cache
def _file_of(module: str, house: Path) -> Path:
    """Where a module lies: its file, or the `__init__.py` of a package."""
    path = house.joinpath(*module.split("."))
    package = path / "__init__.py"
    return package if package.exists() else path.with_suffix(".py")
