"""What code a script runs, as one hash: the reason for Snakemake to run a rule again.

Snakemake sees the text of a shell command, not the library behind it. The hash covers the script
and every module of `glassbox` that it imports, directly or through others, at the top of a file
or inside a function. It is taken from the syntax trees without docstrings: an edit of meaning
changes it, a comment, a docstring or a blank line does not.
"""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LIBRARY = "glassbox"
_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def code_of_script(script: Path, house: Path) -> str:
    """The hash of a script and its import closure inside `house / "glassbox"`, 16 digits."""
    digest = hashlib.sha256(_read(script, "", house).meaning.encode())
    for module in sorted(closure(script, house)):
        meaning = _read(_file_of(module, house), module, house).meaning
        digest.update(f"\0{module}\0{meaning}".encode())
    return digest.hexdigest()[:16]


def closure(script: Path, house: Path) -> frozenset[str]:
    """The names of all modules of the library that the script imports, however indirectly."""
    found: set[str] = set()
    waiting = list(_read(script, "", house).imports)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += imports_of(module, house)
    return frozenset(found)


def imports_of(module: str, house: Path) -> frozenset[str]:
    """The modules of the library that one module names in its import statements.

    The packages that an imported module lies in are imported with it, so they count too.
    """
    return _read(_file_of(module, house), module, house).imports


@dataclass(frozen=True)
class _Source:
    """A file's syntax tree as text, without docstrings and positions, and what it imports."""

    meaning: str
    imports: frozenset[str]


@cache
def _read(file: Path, module: str, house: Path) -> _Source:
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
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
    modules: set[str] = set()
    for name in names:
        parts = name.split(".")
        if parts[0] == LIBRARY:
            packages = (".".join(parts[: depth + 1]) for depth in range(len(parts)))
            modules.update(part for part in packages if _file_of(part, house).exists())
    return _Source(ast.dump(tree), frozenset(modules))


def _base_of(node: ast.ImportFrom, file: Path, module: str) -> str:
    """The module after `from`, with leading dots resolved against the importing module."""
    if node.level == 0:
        return node.module or ""
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    package = package[: len(package) - (node.level - 1)]
    return ".".join([*package, *([node.module] if node.module else [])])


def _file_of(module: str, house: Path) -> Path:
    """Where a module lies: its file, or the `__init__.py` of a package."""
    path = house.joinpath(*module.split("."))
    package = path / "__init__.py"
    return package if package.exists() else path.with_suffix(".py")
